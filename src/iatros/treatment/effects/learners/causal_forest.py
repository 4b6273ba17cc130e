"""EconML's causal forest on outcome and arms from which their cross-fitted expectations are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.treatment.effects.learners import Pieces

_TREES = 500
"""A multiple of the four trees of each half sample that its variance is made from."""


@dataclass(frozen=True)
class CausalForest:
    """The trees of `econml.grf.CausalForest` (Athey, Tibshirani and Wager 2019)."""

    trees: Any

    def effects(self, X: np.ndarray) -> np.ndarray:
        """The forest's effects (n, k - 1)."""
        return np.asarray(self.trees.predict(X), dtype=float)

    def deviations(self, X: np.ndarray) -> np.ndarray:
        """Its own standard errors, by the bootstrap of little bags."""
        return np.asarray(self.trees.prediction_stderr(X), dtype=float)


def fit(pieces: Pieces, base: str, *, seed: int) -> CausalForest:
    """500 honest trees; `base` changes nothing but the nuisances they start from."""
    from econml.grf import CausalForest as Trees

    del base
    cohort, nuisances = pieces.cohort, pieces.scored
    inside = (cohort.arm[:, None] == np.arange(1, cohort.n_arms)).astype(float)
    rows = pieces.weight > 0
    expected = (nuisances.e * nuisances.mu).sum(axis=1)
    trees = Trees(
        n_estimators=_TREES, min_samples_leaf=5, honest=True, inference=True, random_state=seed, n_jobs=1
    )
    trees.fit(
        cohort.X[rows], (inside - nuisances.e[:, 1:])[rows], (cohort.y - expected)[rows],
        sample_weight=pieces.weight[rows],
    )  # fmt: skip
    return CausalForest(trees)
