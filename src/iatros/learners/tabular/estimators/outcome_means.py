"""Categories, and integers with few values, as the mean outcome of the training rows that share the value.

An integer column with few values is often a code (a ward, a reason for discharge) whose order means nothing;
its mean outcome lets one split of a tree gather codes that many splits would have to pick one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.splits import folds
from iatros.core.task import Target

_SMOOTHING = 20.0
"""Rows that the overall mean counts for in the mean of one value (m-estimate, Micci-Barreca 2001)."""

_MAX_INTEGERS = 30
_MAX_RANGE = 1000
_N_FOLDS = 5


@dataclass(frozen=True)
class CodedColumns:
    """Features whose values are looked up: `columns` (m,), their lowest value (m,) and number of values (m,).

    Each has `sizes + 3` slots: below the lowest, the values, above the highest, missing.
    """

    columns: np.ndarray
    lows: np.ndarray
    sizes: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        """First slot of each column in the table of all."""
        return np.concatenate([[0], np.cumsum(self.sizes + 3)]).astype(np.int64)

    def slots(self, X: np.ndarray) -> np.ndarray:
        """The slot of each value, (n, m) int64, for X (n, p)."""
        values = X[:, self.columns]
        missing = np.isnan(values)
        place = np.clip(np.where(missing, 0.0, values) - self.lows + 1.0, 0.0, self.sizes + 1.0)
        place = np.where(missing, self.sizes + 2.0, np.floor(place))
        return place.astype(np.int64) + self.offsets[:-1]


@dataclass(frozen=True)
class OutcomeMeans:
    """The means of all slots: `table` (n_slots, k), k = 1 but for several classes."""

    coded: CodedColumns
    table: np.ndarray

    def expand(self, X: np.ndarray) -> np.ndarray:
        """X (n, p) with its means behind it, (n, p + m k)."""
        return _append(X, self.table[self.coded.slots(X)])


def coded_columns(X: np.ndarray, cardinalities: list[int], *, min_levels: int) -> CodedColumns:
    """Categories with at least `min_levels` codes, and integers with 3 to 30 different values within 1000."""
    columns, lows, sizes = [], [], []
    for column, cardinality in enumerate(cardinalities):
        values = X[:, column][~np.isnan(X[:, column])]
        if cardinality:
            low, size, wanted = 0.0, cardinality, cardinality >= min_levels
        else:
            low, size, wanted = _integers(values)
        if wanted:
            columns.append(column)
            lows.append(low)
            sizes.append(size)
    return CodedColumns(np.array(columns, np.int64), np.array(lows, float), np.array(sizes, np.int64))


def _integers(values: np.ndarray) -> tuple[float, int, bool]:
    """Lowest value, number of integers up to the highest, and whether these look like codes."""
    if len(values) == 0 or values.max() - values.min() > _MAX_RANGE or not np.all(values == np.floor(values)):
        return 0.0, 0, False
    low = float(values.min())
    return low, int(values.max() - low) + 1, 3 <= len(np.unique(values)) <= _MAX_INTEGERS


def fit_means(X: np.ndarray, outcome: np.ndarray, coded: CodedColumns) -> OutcomeMeans:
    """The smoothed means of `outcome` (n, k) in each slot; a slot without rows has the overall mean."""
    n_slots = int(coded.offsets[-1])
    rows = coded.slots(X)
    prior = outcome.mean(axis=0)
    counts = np.bincount(rows.ravel(), minlength=n_slots).astype(float)
    sums = [
        np.bincount(rows.ravel(), weights=np.repeat(column, rows.shape[1]), minlength=n_slots)
        for column in outcome.T
    ]
    table = (np.stack(sums, axis=1) + _SMOOTHING * prior) / (counts[:, None] + _SMOOTHING)
    return OutcomeMeans(coded, table)


def fit_expand(
    X: np.ndarray, outcome: np.ndarray, coded: CodedColumns, *, groups: np.ndarray, seed: int
) -> tuple[OutcomeMeans, np.ndarray]:
    """The means, and the training rows expanded with means of other patients only (five folds)."""
    means = fit_means(X, outcome, coded)
    expanded = means.expand(X)
    n_folds = min(_N_FOLDS, len(np.unique(groups)))
    if n_folds < 2:
        return means, expanded
    fold = folds(groups=groups, strata=None, n_folds=n_folds, seed=seed)
    for index in range(n_folds):
        inside = fold == index
        expanded[inside] = fit_means(X[~inside], outcome[~inside], coded).expand(X[inside])
    return means, expanded


def outcome_matrix(y: np.ndarray, target: Target) -> np.ndarray:
    """What is averaged: (n, 1), or one 0 / 1 column for each of several classes."""
    if target.task == "multiclass":
        return (np.asarray(y)[:, None] == np.arange(len(target.classes))).astype(float)
    return np.asarray(y, dtype=float)[:, None]


def _append(X: np.ndarray, means: np.ndarray) -> np.ndarray:
    return np.hstack([X, means.reshape(len(X), means.shape[1] * means.shape[2])])
