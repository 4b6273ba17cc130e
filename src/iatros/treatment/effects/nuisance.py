"""What effects are made from: expected outcomes and probabilities of the arms, each for subjects not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.core.splits import folds as split_folds
from iatros.core.splits import task_seed
from iatros.treatment.effects.bases import BASES, Surface
from iatros.treatment.effects.censoring import CensoringModel, inverse_censoring_weights
from iatros.treatment.effects.propensity import LEAST, fit_propensity
from iatros.treatment.effects.schema import EffectCohort

LEAST_IN_ARM = 10
"""Fewest patients with a known outcome that an arm needs in the rows that a regression learns from."""


@dataclass(frozen=True)
class Nuisances:
    """Cross-fitted pieces, one row for each subject; k arms in the order of the cohort.

    `mu` (n, k) is the expected outcome in each arm, `e` (n, k) the probability of each arm, `fold` (n,) the fold whose
    models had not seen the subject, `weight` (n,) the inverse probability of being observed (0 where the outcome is not
    known). `base` names the regression chosen for each arm, `losses` the mean squared error of each that was offered.
    """

    mu: np.ndarray
    e: np.ndarray
    fold: np.ndarray
    weight: np.ndarray
    gamma: np.ndarray
    """Doubly robust scores (n, k): their mean over subjects is the mean outcome had all been in the arm."""
    base: tuple[str, ...]
    losses: dict[str, tuple[float, ...]]

    @property
    def n_held(self) -> int:
        """Subjects who had a probability so small that it was held at LEAST in the scores."""
        return int((self.e < LEAST).any(axis=1).sum())

    def pseudo(self, arm: int, reference: int = 0) -> np.ndarray:
        """Doubly robust score (n,) of the effect of `arm` against `reference`."""
        return np.asarray(self.gamma[:, arm] - self.gamma[:, reference])


def doubly_robust_scores(
    cohort: EffectCohort, mu: np.ndarray, e: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """mu_a(x) + 1[arm = a] w (y - mu_a(x)) / e_a(x), shape (n, k), with w the inverse probability of censoring.

    Robins, Rotnitzky and Zhao 1994. A probability below LEAST counts as LEAST.
    """
    inside = cohort.arm[:, None] == np.arange(cohort.n_arms)
    residual = np.where(cohort.known, np.nan_to_num(cohort.y), 0.0)[:, None] - mu
    return np.asarray(mu + inside * weight[:, None] * residual / np.maximum(e, LEAST))


def fold_of_each(cohort: EffectCohort, folds: int, seed: int) -> np.ndarray:
    """The fold of each subject (n,): patients whole, arms (and classes of a binary outcome) spread evenly.

    Classes are spread only where each has as many patients in each arm as there are folds.
    """
    strata = cohort.arm
    if cohort.is_probability:
        state = np.where(cohort.known, np.nan_to_num(cohort.y), 2.0).astype(np.int64)
        finer = cohort.arm * 3 + state
        if min(len(np.unique(cohort.groups[finer == value])) for value in np.unique(finer)) >= folds:
            strata = finer
    return np.asarray(split_folds(groups=cohort.groups, strata=strata, n_folds=folds, seed=seed))


@dataclass(frozen=True)
class Bounded:
    """A surface held between `low` and `high`."""

    surface: Surface
    low: float
    high: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The expected outcome (n,)."""
        return np.asarray(np.clip(self.surface.predict(X), self.low, self.high))

    def deviation(self, X: np.ndarray) -> np.ndarray | None:
        """The standard deviation of the expected outcome (n,), where the surface knows it."""
        known = getattr(self.surface, "deviation", None)
        return None if known is None else np.asarray(known(X))


def fit_outcome(cohort: EffectCohort, arm: int, base: str, weight: np.ndarray, seed: int) -> Bounded:
    """The expected outcome in one arm, learned from its subjects whose outcome is known, held within its bounds.

    OutcomeError where they are fewer than LEAST_IN_ARM patients.
    """
    rows = (cohort.arm == arm) & (weight > 0)
    n_patients = len(np.unique(cohort.groups[rows]))
    if n_patients < LEAST_IN_ARM:
        raise OutcomeError(
            f"the arm {cohort.arms[arm]!r} has {n_patients} patients with a known outcome to learn from, "
            f"at least {LEAST_IN_ARM} are needed",
            hint="use fewer folds, join arms, or leave the arm out",
        )
    surface = BASES.load(base)(
        cohort.X[rows], cohort.y[rows], weight=weight[rows], binary=cohort.is_probability, seed=seed
    )
    return Bounded(surface, *cohort.bounds)


def fit_nuisances(
    cohort: EffectCohort,
    *,
    bases: Sequence[str] = ("ridge",),
    propensity_base: str = "ridge",
    censoring: CensoringModel = "kaplan-meier",
    folds: int = 5,
    seed: int = 0,
    fold: np.ndarray | None = None,
) -> Nuisances:
    """Expected outcomes, propensities, censoring weights and doubly robust scores, each from folds without the subject.

    Of several `bases` each arm has the one with the least (weighted) squared error on its subjects. `fold` (n,) gives
    the folds; otherwise there are `folds` of them, drawn by `seed`. Known probabilities are used as they are.
    """
    if fold is None:
        fold = fold_of_each(cohort, folds, seed)
    n, k = len(cohort), cohort.n_arms
    e, weight = np.empty((n, k)), np.empty(n)
    offered = np.empty((len(bases), n, k))
    for number in np.unique(fold):
        out, train = np.flatnonzero(fold == number), cohort.take(np.flatnonzero(fold != number))
        asked = cohort.take(out)
        own = task_seed(seed, f"nuisance/{number}")
        weight[out] = inverse_censoring_weights(train, asked, censoring)
        of_train = inverse_censoring_weights(train, train, censoring)
        if cohort.assignment is not None:
            e[out] = cohort.assignment[out]
        else:
            e[out] = fit_propensity(train, base=propensity_base, seed=own).predict(asked.X)
        for b, base in enumerate(bases):
            for a in range(k):
                offered[b, out, a] = fit_outcome(train, a, base, of_train, own).predict(asked.X)
    losses = _losses(cohort, offered, weight)
    chosen = losses.argmin(axis=0)
    mu = np.stack([offered[chosen[a], :, a] for a in range(k)], axis=1)
    return Nuisances(
        mu, e, fold, weight, doubly_robust_scores(cohort, mu, e, weight),
        tuple(bases[b] for b in chosen),
        {base: tuple(float(value) for value in losses[b]) for b, base in enumerate(bases)},
    )  # fmt: skip


def _losses(cohort: EffectCohort, offered: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean squared error of each base on the subjects of each arm, (n_bases, k)."""
    losses = np.empty((len(offered), cohort.n_arms))
    for a in range(cohort.n_arms):
        rows = (cohort.arm == a) & (weight > 0)
        error = (offered[:, rows, a] - cohort.y[rows]) ** 2
        losses[:, a] = error @ weight[rows] / weight[rows].sum()
    return losses
