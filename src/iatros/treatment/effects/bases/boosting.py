"""Boosted trees (LightGBM), shallow, with as many of them as left-out rows call for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_ROUNDS = 200
_PATIENCE = 10
_FOLDS = 3


@dataclass(frozen=True)
class BoostingSurface:
    """The trees; `constant` stands in for them where every outcome was the same."""

    trees: Any
    constant: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The expected outcome (n,)."""
        if self.trees is None:
            return np.full(len(X), self.constant)
        return np.asarray(self.trees.predict(X, num_threads=1), dtype=float)


def fit(
    X: np.ndarray, y: np.ndarray, *, weight: np.ndarray, binary: bool = False, seed: int = 0
) -> BoostingSurface:
    """Trees of eight leaves; their number is the one with the least mean loss over three inner folds."""
    import lightgbm as lgb

    used = weight > 0
    X, y, weight = X[used], y[used], weight[used]
    if y.min() == y.max():
        return BoostingSurface(None, float(y[0]))
    params = {
        "objective": "binary" if binary else "regression", "num_leaves": 8, "learning_rate": 0.1,
        "min_data_in_leaf": max(5, min(20, len(y) // 20)), "lambda_l2": 1.0, "feature_fraction": 0.8,
        "bagging_fraction": 0.8, "bagging_freq": 1, "verbosity": -1, "num_threads": 1,
        "deterministic": True, "force_row_wise": True, "seed": seed,
    }  # fmt: skip
    fold = np.random.default_rng(seed).permutation(len(y)) % _FOLDS
    data = lgb.Dataset(X, y, weight=weight, free_raw_data=False)
    found = lgb.cv(
        params, data, num_boost_round=_ROUNDS,
        folds=[(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(_FOLDS)],
        callbacks=[lgb.early_stopping(_PATIENCE, verbose=False)],
    )  # fmt: skip
    rounds = len(next(iter(found.values())))
    data = lgb.Dataset(X, y, weight=weight, free_raw_data=False)
    return BoostingSurface(lgb.train(params, data, num_boost_round=rounds), 0.0)
