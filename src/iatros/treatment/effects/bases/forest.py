"""A random forest; for an outcome of 0 or 1 its mean is the probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_TREES = 200


@dataclass(frozen=True)
class ForestSurface:
    """The trees of scikit-learn's regression forest."""

    trees: Any

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The expected outcome (n,)."""
        return np.asarray(self.trees.predict(X), dtype=float)


def fit(
    X: np.ndarray, y: np.ndarray, *, weight: np.ndarray, binary: bool = False, seed: int = 0
) -> ForestSurface:
    """200 trees on a third of the features a split, five rows a leaf (Breiman 2001); `binary` changes nothing."""
    from sklearn.ensemble import RandomForestRegressor

    del binary
    used = weight > 0
    trees = RandomForestRegressor(
        n_estimators=_TREES,
        min_samples_leaf=5,
        max_features=max(1 / 3, 1 / X.shape[1]),
        random_state=seed,
        n_jobs=1,
    )
    trees.fit(X[used], y[used], sample_weight=weight[used])
    return ForestSurface(trees)
