"""How likely a subject is still under observation: the weights of those whose outcome at the horizon is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from iatros.treatment.effects.schema import EffectCohort

CensoringModel = Literal["kaplan-meier", "cox"]

_LEAST = 0.05
"""No probability of being observed counts as less: a weight of 20 at most."""


@dataclass(frozen=True)
class _Steps:
    """A falling step function of time, just before each of which `at` (m,) it has the value before."""

    at: np.ndarray
    value: np.ndarray

    def before(self, time: np.ndarray) -> np.ndarray:
        """The value just before `time`."""
        place = np.searchsorted(self.at, time, side="left")
        return np.concatenate([[1.0], self.value])[place]


def inverse_censoring_weights(
    train: EffectCohort, asked: EffectCohort, model: CensoringModel = "kaplan-meier"
) -> np.ndarray:
    """1 / P(observed until the outcome was known) for each subject of `asked` (n,); 0 where it is not known.

    The probability is learned on `train`: by Kaplan and Meier's estimate of the time until censoring in each arm
    ("kaplan-meier", right where censoring does not depend on covariates), or by a Cox model of it on covariates
    and arm ("cox", ridge penalty, Breslow's baseline). Where outcomes cannot be censored every weight is 1.
    Robins and Finkelstein 2000.
    """
    if asked.time is None or train.time is None or train.event is None or asked.horizon is None:
        return np.ones(len(asked))
    until = np.minimum(asked.time, asked.horizon)
    observed = np.ones(len(asked))
    if model == "cox":
        observed = _cox(train, asked, until)
    else:
        for k in range(asked.n_arms):
            inside, of_train = asked.arm == k, train.arm == k
            curve = _kaplan_meier(train.time[of_train], train.event[of_train] == 0)
            observed[inside] = curve.before(until[inside])
    return np.where(asked.known, 1.0 / np.maximum(observed, _LEAST), 0.0)


def _kaplan_meier(time: np.ndarray, happened: np.ndarray) -> _Steps:
    """Kaplan and Meier's estimate that what `happened` has not by a time."""
    at = np.unique(time[happened])
    at_risk = len(time) - np.searchsorted(np.sort(time), at, side="left")
    times, counts = np.unique(time[happened], return_counts=True)
    assert len(times) == len(at)
    return _Steps(at, np.cumprod(1.0 - counts / np.maximum(at_risk, 1)))


def _cox(train: EffectCohort, asked: EffectCohort, until: np.ndarray) -> np.ndarray:
    """P(not censored just before `until`) given covariates and arm."""
    assert train.time is not None
    assert train.event is not None
    Z, Q = _with_arms(train), _with_arms(asked)
    centre, spread = Z.mean(axis=0), np.where(Z.std(axis=0) > 0, Z.std(axis=0), 1.0)
    Z, Q = (Z - centre) / spread, (Q - centre) / spread
    order = np.argsort(train.time, kind="stable")
    time, censored = train.time[order], train.event[order] == 0
    if not censored.any():
        return np.ones(len(asked))
    beta = _cox_coefficients(Z[order], time, censored)
    risk = np.exp(np.clip(Z[order] @ beta, -30, 30))
    first = np.searchsorted(time, time, side="left")
    at_risk = np.cumsum(risk[::-1])[::-1][first]
    at, inverse = np.unique(time[censored], return_inverse=True)
    steps = np.bincount(inverse, weights=1.0 / at_risk[censored])
    hazard = np.concatenate([[0.0], np.cumsum(steps)])[np.searchsorted(at, until, side="left")]
    return np.asarray(np.exp(-hazard * np.exp(np.clip(Q @ beta, -30, 30))))


def _with_arms(cohort: EffectCohort) -> np.ndarray:
    return np.hstack([cohort.X, (cohort.arm[:, None] == np.arange(1, cohort.n_arms)).astype(float)])


def _cox_coefficients(
    Z: np.ndarray, time: np.ndarray, happened: np.ndarray, penalty: float = 1.0
) -> np.ndarray:
    """Ridge-penalised coefficients (p,) of a Cox model; rows by rising `time`, ties after Breslow. Newton's method."""
    beta = np.zeros(Z.shape[1])
    first = np.searchsorted(time, time, side="left")[happened]
    for _ in range(25):
        risk = np.exp(np.clip(Z @ beta, -30, 30))
        total = np.cumsum(risk[::-1])[::-1][first]
        sums = np.cumsum((risk[:, None] * Z)[::-1], axis=0)[::-1][first]
        means = sums / total[:, None]
        # the sum over events of E[ZZ'] is a sum over rows, each weighted by the hazard until its time
        exposure = np.zeros(len(time))
        np.add.at(exposure, first, 1.0 / total)
        gradient = (Z[happened] - means).sum(axis=0) - penalty * beta
        second = (Z * (risk * np.cumsum(exposure))[:, None]).T @ Z - means.T @ means
        step = np.linalg.solve(second + penalty * np.eye(len(beta)), gradient)
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return beta
