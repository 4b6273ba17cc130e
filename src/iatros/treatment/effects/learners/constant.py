"""The same effect for everyone: what any learner of individual effects has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.treatment.effects.averages import mean_outcomes
from iatros.treatment.effects.learners import Pieces


@dataclass(frozen=True)
class Constant:
    """The average effects and their standard errors, each (k - 1,)."""

    average: np.ndarray
    error: np.ndarray

    def effects(self, X: np.ndarray) -> np.ndarray:
        """The average effects (n, k - 1)."""
        return np.tile(self.average, (len(X), 1))

    def deviations(self, X: np.ndarray) -> np.ndarray:
        """Their standard errors (n, k - 1)."""
        return np.tile(self.error, (len(X), 1))


def fit(pieces: Pieces, base: str, *, seed: int) -> Constant:
    """The means of the doubly robust scores; `base` and `seed` change nothing."""
    del base, seed
    means, covariance = mean_outcomes(pieces.scored.gamma, pieces.cohort.groups)
    variance = np.diag(covariance)[1:] + covariance[0, 0] - 2 * covariance[0, 1:]
    return Constant(means[1:] - means[0], np.sqrt(np.maximum(variance, 0.0)))
