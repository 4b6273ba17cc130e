"""X- and DR-learner: regressions of an estimate of each subject's own effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.treatment.effects.bases import BASES, Surface
from iatros.treatment.effects.learners import Pieces
from iatros.treatment.effects.nuisance import LEAST_IN_ARM
from iatros.treatment.effects.propensity import PropensityModel


@dataclass(frozen=True)
class OfScores:
    """One surface of the effect for each arm but the reference (Kennedy 2023: DR-learner)."""

    surfaces: tuple[Surface, ...]

    def effects(self, X: np.ndarray) -> np.ndarray:
        """The surfaces' values (n, k - 1)."""
        return np.stack([surface.predict(X) for surface in self.surfaces], axis=1)

    def deviations(self, X: np.ndarray) -> None:
        """None: scores carry noise of differing size, which the surface does not know."""


@dataclass(frozen=True)
class Crossed:
    """Two surfaces of the effect for each arm but the reference, one from either side (Kunzel et al. 2019: X-learner).

    Where an arm is rare, the surface learned on its own few subjects counts little.
    """

    of_reference: tuple[Surface, ...]
    of_arm: tuple[Surface, ...]
    propensity: PropensityModel

    def effects(self, X: np.ndarray) -> np.ndarray:
        """The two surfaces' values, weighed by the propensities of the other side (n, k - 1)."""
        e = self.propensity.predict(X)
        share = e[:, 1:] / (e[:, 1:] + e[:, :1])
        from_reference = np.stack([surface.predict(X) for surface in self.of_reference], axis=1)
        from_arm = np.stack([surface.predict(X) for surface in self.of_arm], axis=1)
        return np.asarray(share * from_reference + (1 - share) * from_arm)

    def deviations(self, X: np.ndarray) -> None:
        """None: the imputed effects carry the error of the outcome models."""


def fit_dr(pieces: Pieces, base: str, *, seed: int) -> OfScores:
    """Regress the difference of the cross-fitted doubly robust scores on the covariates."""
    cohort, fit = pieces.cohort, BASES.load(base)
    weight = np.ones(len(cohort))
    return OfScores(
        tuple(
            fit(cohort.X, pieces.scored.pseudo(a), weight=weight, binary=False, seed=seed)
            for a in range(1, cohort.n_arms)
        )
    )


def fit_x(pieces: Pieces, base: str, *, seed: int) -> Crossed:
    """Regress outcome minus the cross-fitted expectation in the other arm, on either side of each comparison."""
    assert pieces.propensity is not None
    return Crossed(
        tuple(_imputed(pieces, base, 0, a, seed) for a in range(1, pieces.cohort.n_arms)),
        tuple(_imputed(pieces, base, a, a, seed) for a in range(1, pieces.cohort.n_arms)),
        pieces.propensity,
    )


def _imputed(pieces: Pieces, base: str, side: int, arm: int, seed: int) -> Surface:
    """The effect of `arm` learned on the subjects of `side`, who are in the arm or in the reference."""
    cohort, nuisances = pieces.cohort, pieces.scored
    rows = (cohort.arm == side) & (pieces.weight > 0)
    if rows.sum() < LEAST_IN_ARM:
        raise OutcomeError(
            f"the arm {cohort.arms[side]!r} has {int(rows.sum())} subjects with a known outcome to learn from, "
            f"at least {LEAST_IN_ARM} are needed",
            hint="use fewer folds, join arms, or leave the arm out",
        )
    effect = cohort.y - nuisances.mu[:, 0] if side else nuisances.mu[:, arm] - cohort.y
    surface: Surface = BASES.load(base)(
        cohort.X[rows], effect[rows], weight=pieces.weight[rows], binary=False, seed=seed
    )
    return surface
