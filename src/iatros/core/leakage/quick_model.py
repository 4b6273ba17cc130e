"""A quick model of the outcome: what the other columns expect, and the score with and without the suspects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.leakage.columns import Coded
from iatros.core.task import Target

MAX_ROWS = 20_000
"""The quick model sees at most so many rows; the cheap checks see all."""
_MAX_LEVELS = 60
_N_FOLDS = 5


def sample_rows(n: int, seed: int, max_rows: int = MAX_ROWS) -> np.ndarray:
    """Row indices (m,), sorted: all, or `max_rows` drawn without replacement."""
    if n <= max_rows:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, max_rows, replace=False))


def deal_folds(strata: np.ndarray, groups: np.ndarray | None, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each row (n,): groups stay whole, and each stratum is dealt out evenly by its groups."""
    rng = np.random.default_rng(seed)
    n = len(strata)
    _, first, group = np.unique(
        np.arange(n) if groups is None else groups, return_index=True, return_inverse=True
    )
    highest = np.full(len(first), -np.inf)
    np.maximum.at(highest, group, strata.astype(np.float64))
    order = np.lexsort((rng.permutation(len(first)), highest))
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % n_folds
    return np.asarray(fold[group])


def design(columns: Sequence[Coded]) -> tuple[np.ndarray, list[bool]]:
    """Matrix (n, 1 + p) with nan where missing, its first column constant, and which columns hold codes.

    Rare levels share one code.
    """
    parts, coded = [], [False]
    for column in columns:
        values = column.values
        if column.categorical:
            levels, counts = column.distinct
            if len(levels) > _MAX_LEVELS:
                rank = np.full(len(column.levels), float(_MAX_LEVELS))
                common = levels[np.argsort(-counts, kind="stable")[:_MAX_LEVELS]].astype(np.int64)
                rank[common] = np.arange(len(common))
                values = np.where(np.isnan(values), np.nan, rank[np.nan_to_num(values).astype(np.int64)])
        parts.append(values)
        coded.append(column.categorical)
    n = len(columns[0].values) if columns else 0
    return np.column_stack([np.zeros(n), *parts]), coded


def out_of_fold(
    columns: Sequence[Coded], y: np.ndarray, target: Target, groups: np.ndarray | None, seed: int
) -> np.ndarray:
    """Predictions for all rows, each by a gradient boosting that did not see that row's group.

    Shapes as in `core.task`: (n,) or (n, n_classes). The models learn from at most `MAX_ROWS` rows.
    """
    # imported before the limit is set: it holds only for libraries that are loaded by then
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits

    X, coded = design(columns)
    continuous = target.task == "continuous"
    strata = np.searchsorted(np.quantile(y, [0.25, 0.5, 0.75]), y) if continuous else y
    fold = deal_folds(strata, groups, _N_FOLDS, seed)
    learn = np.zeros(len(y), dtype=bool)
    learn[sample_rows(len(y), seed)] = True
    n_classes = 0 if continuous else max(len(target.classes), int(np.max(y)) + 1)
    answer = _without_model(y, n_classes)
    # one thread: on small tables threads wait for each other longer than they work
    with threadpool_limits(1):
        for k in range(_N_FOLDS):
            inside, outside = learn & (fold != k), fold == k
            if outside.any() and len(np.unique(y[inside])) > 1:
                answer[outside] = _fit_predict(X[inside], y[inside], X[outside], coded, n_classes, seed)
    return answer[:, 1] if target.task == "binary" else answer


def _without_model(y: np.ndarray, n_classes: int) -> np.ndarray:
    """What is predicted where nothing can be learned: the mean (n,), or the shares of the classes (n, k)."""
    if n_classes == 0:
        return np.full(len(y), float(np.mean(y)))
    return np.tile(np.bincount(y.astype(np.int64), minlength=n_classes) / len(y), (len(y), 1))


def _fit_predict(
    X: np.ndarray, y: np.ndarray, X_new: np.ndarray, coded: list[bool], n_classes: int, seed: int
) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings: dict[str, Any] = {
        "max_iter": 60,
        "learning_rate": 0.12,
        "max_leaf_nodes": 12,
        "min_samples_leaf": 15,
        "max_bins": 63,
        "early_stopping": False,
        "categorical_features": coded,
        "random_state": seed,
    }
    empty = np.isnan(X).all(axis=0)
    if empty.any():
        # scikit-learn cannot bin a column without any value
        X, X_new = np.where(empty, 0.0, X), np.where(empty, 0.0, X_new)
    if n_classes == 0:
        return np.asarray(HistGradientBoostingRegressor(**settings).fit(X, y).predict(X_new))
    model = HistGradientBoostingClassifier(**settings).fit(X, y.astype(np.int64))
    answer = np.zeros((len(X_new), n_classes))
    answer[:, model.classes_] = model.predict_proba(X_new)
    return answer
