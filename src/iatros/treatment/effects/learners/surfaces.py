"""S- and T-learner: effects as differences between expected outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.treatment.effects.bases import BASES, Surface
from iatros.treatment.effects.learners import Pieces
from iatros.treatment.effects.nuisance import Bounded, fit_outcome


@dataclass(frozen=True)
class PerArm:
    """One surface of the outcome for each arm (Kunzel et al. 2019: T-learner)."""

    surfaces: tuple[Bounded, ...]

    def effects(self, X: np.ndarray) -> np.ndarray:
        """Differences from the reference (n, k - 1)."""
        each = np.stack([surface.predict(X) for surface in self.surfaces], axis=1)
        return np.asarray(each[:, 1:] - each[:, :1])

    def deviations(self, X: np.ndarray) -> np.ndarray | None:
        """From the posterior of each arm's surface, where the base has one."""
        told = [surface.deviation(X) for surface in self.surfaces]
        known = [one for one in told if one is not None]
        if len(known) < len(told):
            return None
        each = np.stack(known, axis=1)
        return np.asarray(np.hypot(each[:, 1:], each[:, :1]))


@dataclass(frozen=True)
class Joint:
    """One surface of the outcome for covariates and arm (S-learner); `products` adds the covariates within each arm."""

    surface: Surface
    n_arms: int
    products: bool
    low: float
    high: float

    def effects(self, X: np.ndarray) -> np.ndarray:
        """Differences from the reference (n, k - 1)."""
        each = [
            np.clip(
                self.surface.predict(_with_arm(X, np.full(len(X), a), self.n_arms, self.products)),
                self.low,
                self.high,
            )
            for a in range(self.n_arms)
        ]
        return np.stack(each[1:], axis=1) - each[0][:, None]

    def deviations(self, X: np.ndarray) -> None:
        """None: the surface does not tell."""


def fit_t(pieces: Pieces, base: str, *, seed: int) -> PerArm:
    """A regression for each arm on its own subjects."""
    cohort, weight = pieces.cohort, pieces.weight
    return PerArm(tuple(fit_outcome(cohort, a, base, weight, seed) for a in range(cohort.n_arms)))


def fit_s(pieces: Pieces, base: str, *, seed: int) -> Joint:
    """One regression on all subjects; a ridge regression is given the products of covariates and arm as well."""
    cohort, weight = pieces.cohort, pieces.weight
    rows = weight > 0
    products = base == "ridge"
    design = _with_arm(cohort.X, cohort.arm, cohort.n_arms, products)
    surface = BASES.load(base)(
        design[rows], cohort.y[rows], weight=weight[rows], binary=cohort.is_probability, seed=seed
    )
    return Joint(surface, cohort.n_arms, products, *cohort.bounds)


def _with_arm(X: np.ndarray, arm: np.ndarray, n_arms: int, products: bool) -> np.ndarray:
    inside = (arm[:, None] == np.arange(1, n_arms)).astype(float)
    parts = [X, inside]
    if products:
        parts += [X * inside[:, [a]] for a in range(n_arms - 1)]
    return np.hstack(parts)
