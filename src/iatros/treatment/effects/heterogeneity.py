"""A test of whether effects differ between subjects in a way that their covariates tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import group_codes
from iatros.learners.threads import one_blas_thread
from iatros.treatment.effects.nuisance import Nuisances
from iatros.treatment.effects.propensity import LEAST
from iatros.treatment.effects.schema import EffectCohort

DRAWS = 1999
"""Sign flips behind a p-value; the smallest is one in two thousand."""

_MOST_PRODUCTS = 500
_BLOCK = 500


@dataclass(frozen=True)
class HeterogeneityTest:
    """`p_value` of one and the same effect for all subjects, for one comparison of two arms.

    `by_features` are the p-values before they are joined: of the covariates, and of their squares and products.
    """

    arm: str
    reference: str
    p_value: float
    by_features: dict[str, float]
    n: int
    method: str


def heterogeneity_test(
    cohort: EffectCohort, nuisances: Nuisances, arm: int, reference: int = 0, *, seed: int = 0
) -> HeterogeneityTest:
    """The score test of the R-loss at a constant effect, in all directions of the covariates at once.

    With m(x) the expected outcome and e(x) the probability of `arm` among subjects in the two arms, both cross-fitted,
    and tau the constant effect, the score of a feature f is sum w (a - e) (y - m - (a - e) tau) f: its mean is 0 where
    the effect is the same for all, and small errors of m and e do not move it (Nie and Wager 2021). Squared scores are
    summed over the standardised features, as in the variance-component test of random effects (Wu et al. 2011), once
    for the covariates and once for their squares and products, and referred to the same sums after each patient's
    contribution has been given a random sign. Cauchy's combination (Liu and Xie 2020) joins the two p-values. Nothing
    is learned about where effects differ, so no subject serves twice; a test along a learned direction, with nuisances
    shared between its parts, rejected twice as often as it said.
    """
    rows = np.flatnonzero(np.isin(cohort.arm, (reference, arm)) & (nuisances.weight > 0))
    residual, share = _residuals(cohort, nuisances, arm, reference, rows)
    information = nuisances.weight[rows] * share**2
    constant = float((nuisances.weight[rows] * share * residual).sum() / information.sum())
    score = nuisances.weight[rows] * share * (residual - share * constant)
    codes, _ = group_codes(cohort.groups[rows], len(rows))
    found = {}
    with one_blas_thread():
        for place, (name, features) in enumerate(_features(cohort.X[rows]).items()):
            found[name] = _p_value(score, _centred(features, information), codes, [seed, place])
    method = f"score test of the R-loss, {DRAWS:,} sign flips over patients, {' and '.join(found)}"
    p_value = cauchy_combination(list(found.values()))
    return HeterogeneityTest(cohort.arms[arm], cohort.arms[reference], p_value, found, len(rows), method)


def cauchy_combination(p_values: Sequence[float]) -> float:
    """One p-value for several that may depend on each other (Liu and Xie 2020)."""
    held = np.clip(np.asarray(p_values, dtype=float), 1e-15, 1 - 1e-15)
    statistic = float(np.mean(np.tan((0.5 - held) * np.pi)))
    return 0.5 - math.atan(statistic) / math.pi


def _residuals(
    cohort: EffectCohort, nuisances: Nuisances, arm: int, reference: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and arm less what is expected of them among subjects in the two arms, each (len(rows),)."""
    e = np.maximum(nuisances.e[rows][:, [reference, arm]], LEAST)
    e = e / e.sum(axis=1, keepdims=True)
    expected = (e * nuisances.mu[rows][:, [reference, arm]]).sum(axis=1)
    return cohort.y[rows] - expected, (cohort.arm[rows] == arm) - e[:, 1]


def _features(X: np.ndarray) -> dict[str, np.ndarray]:
    """The covariates, and where they are not too many their squares and products; standardised, if they vary."""
    Z = _standardised(X)
    p = Z.shape[1]
    groups = {"covariates": Z}
    if p * (p + 1) // 2 <= _MOST_PRODUCTS:
        i, j = np.triu_indices(p)
        products = _standardised(Z[:, i] * Z[:, j])
        if products.shape[1]:
            groups["squares and products"] = products
    return groups


def _standardised(X: np.ndarray) -> np.ndarray:
    spread = X.std(axis=0)
    varies = spread > 1e-9
    return np.asarray((X[:, varies] - X[:, varies].mean(axis=0)) / spread[varies])


def _centred(features: np.ndarray, information: np.ndarray) -> np.ndarray:
    """Features less their mean by information: their scores then do not depend on the error of the constant effect."""
    return np.asarray(features - information @ features / information.sum())


def _p_value(score: np.ndarray, features: np.ndarray, codes: np.ndarray, seed: Sequence[int]) -> float:
    """Share of sign flips whose sum of squared scores reaches the one seen, itself among them."""
    m = int(codes.max()) + 1
    pieces = np.zeros((m, features.shape[1]))
    np.add.at(pieces, codes, score[:, None] * features)
    seen = float((pieces.sum(axis=0) ** 2).sum())
    rng = np.random.default_rng(seed)
    reached = 0
    for begin in range(0, DRAWS, _BLOCK):
        signs = rng.integers(0, 2, (min(_BLOCK, DRAWS - begin), m)) * 2.0 - 1.0
        reached += int((((signs @ pieces) ** 2).sum(axis=1) >= seen * (1 - 1e-12)).sum())
    return (1 + reached) / (1 + DRAWS)
