"""How likely each subject was to be in each arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.treatment.effects.bases import BASES, Surface
from iatros.treatment.effects.schema import EffectCohort

LEAST = 0.01
"""Probabilities below count as this much in scores; how many were held there is reported."""


@dataclass(frozen=True)
class PropensityModel:
    """Probabilities of the arms (n, k) that sum to 1: the same for everyone (`shares`), or by `surfaces`."""

    shares: np.ndarray
    surfaces: tuple[Surface, ...] = ()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """P(arm) of covariates (n, p), shape (n, k)."""
        if not self.surfaces:
            return np.tile(self.shares, (len(X), 1))
        each = np.stack([surface.predict(X) for surface in self.surfaces], axis=1)
        if len(self.shares) == 2:
            return np.hstack([1.0 - each, each])
        return np.asarray(each / each.sum(axis=1, keepdims=True))


def fit_propensity(cohort: EffectCohort, *, base: str = "ridge", seed: int = 0) -> PropensityModel:
    """The propensities learned from a cohort.

    A trial: the share of each arm. Observational: with two arms P(second arm), with more one regression for each arm
    against the rest, scaled to sum to 1. `base` is one of `BASES`; ridge is a penalised logistic regression.
    """
    shares = np.bincount(cohort.arm, minlength=cohort.n_arms) / len(cohort)
    if cohort.design == "trial":
        return PropensityModel(shares)
    which = (1,) if cohort.n_arms == 2 else range(cohort.n_arms)
    surfaces = tuple(
        BASES.load(base)(
            cohort.X, (cohort.arm == k).astype(float), weight=np.ones(len(cohort)), binary=True, seed=seed
        )
        for k in which
    )
    return PropensityModel(shares, surfaces)
