"""Representative rows that an explanation compares a patient with, none of them a patient."""

from __future__ import annotations

import numpy as np
import polars as pl

from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import FRAME_TYPES, Table, days, floats
from iatros.learners.threads import one_blas_thread

MAX_ROWS = 64
MIN_PATIENTS = 10
"""Patients behind each representative row; with fewer in the table, one row stands for all of them."""
_CLUSTER_ROWS = 5000
_MAX_LEVELS = 8


def summarise_background(table: Table, y: np.ndarray, seed: int, *, max_rows: int = MAX_ROWS) -> pl.DataFrame:
    """At most `max_rows` synthetic rows typed as `table.frame`: medians and commonest levels of clusters of patients.

    Patients are halved again and again along the first principal axis of all columns and the outcome `y`
    (n,), so that each row stands for equally many, at least `MIN_PATIENTS`. A number is the median, a level
    the commonest one, and a cell is missing where more than half of the cluster's cells are. A level that
    fewer than `MIN_PATIENTS` rows of the table have never appears.
    """
    n = table.n_rows
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(n, _CLUSTER_ROWS, replace=False)) if n > _CLUSTER_ROWS else np.arange(n)
    used = table.take(rows)
    with one_blas_thread():
        clusters = _halved(_positions(used, np.asarray(y, dtype=np.float64)[rows]), max_rows)
    columns = table.schema.columns
    return pl.DataFrame(
        [_representatives(used.frame[c.name], c, clusters, table.frame[c.name]) for c in columns]
    )


def _positions(table: Table, y: np.ndarray) -> np.ndarray:
    """Standardised coordinates (n, d): ranks of numbers, frequent levels, missingness, and the outcome."""
    parts = []
    for column in table.schema.columns:
        series = table.frame[column.name]
        if column.kind in ("numeric", "date"):
            parts.append(_ranks(floats(series) if column.kind == "numeric" else days(series)))
        else:
            common = series.drop_nulls().value_counts(sort=True)[:, 0].to_list()[:_MAX_LEVELS]
            parts += [
                (series == level).fill_null(False).to_numpy().astype(np.float64) for level in sorted(common)
            ]
        parts.append(series.is_null().to_numpy().astype(np.float64))
    X = np.column_stack([*parts, y])
    spread = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    X[:, -1] *= max(1.0, np.sqrt(len(parts) / 4))
    return np.asarray(X)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks between 0 and 1 (n,), a half where missing; skewed laboratory values so count as much as others."""
    present = ~np.isnan(values)
    answer = np.full(len(values), 0.5)
    if present.any():
        known, inverse = np.unique(values[present], return_inverse=True)
        answer[present] = inverse / max(len(known) - 1, 1)
    return answer


def _halved(X: np.ndarray, max_rows: int) -> list[np.ndarray]:
    """Row indices of at most `max_rows` clusters of at least `MIN_PATIENTS` rows (or one of all)."""
    clusters = [np.arange(len(X))]
    while len(clusters) < max_rows:
        largest = max(range(len(clusters)), key=lambda k: len(clusters[k]))
        members = clusters[largest]
        if len(members) < 2 * MIN_PATIENTS:
            break
        centred = X[members] - X[members].mean(axis=0)
        _, axes = np.linalg.eigh(centred.T @ centred)
        along = members[np.argsort(np.round(centred @ axes[:, -1], 9), kind="stable")]
        half = len(along) // 2
        clusters[largest : largest + 1] = [np.sort(along[:half]), np.sort(along[half:])]
    return clusters


def _representatives(
    series: pl.Series, column: Column, clusters: list[np.ndarray], whole: pl.Series
) -> pl.Series:
    """One column of the representative rows."""
    cells = [series[members] for members in clusters]
    dtype = FRAME_TYPES[column.kind]
    if column.kind in ("numeric", "date"):
        numbers = [cell.to_physical().cast(pl.Float64) for cell in cells]
        middle = [None if 2 * cell.null_count() > len(cell) else cell.median() for cell in numbers]
        if column.kind == "numeric":
            return pl.Series(column.name, middle, dtype=dtype)
        return pl.Series(column.name, middle, dtype=pl.Float64).round().cast(pl.Int64).cast(dtype)
    counts = whole.drop_nulls().value_counts()
    shown = set(counts.filter(pl.col("count") >= MIN_PATIENTS)[:, 0].to_list())
    return pl.Series(column.name, [_commonest(cell, shown) for cell in cells], dtype=dtype)


def _commonest(cell: pl.Series, shown: set[str]) -> str | None:
    if 2 * cell.null_count() > len(cell):
        return None
    counts = cell.drop_nulls().value_counts()
    ranked = sorted(
        zip(counts[:, 1].to_list(), counts[:, 0].to_list(), strict=True), key=lambda p: (-p[0], p[1])
    )
    return next((level for _, level in ranked if level in shown), None)
