"""Table 1: who the patients are, by outcome, with missingness and standardised differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from iatros.core.task import Target
from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import Table, days

_LEVELS_SHOWN = 8
_SMALL_CELL = 5
_CODE_VALUES = 5


def table_one(table: Table, target: Target, y: np.ndarray) -> list[dict[str, Any]]:
    """One entry per column: overall and by outcome, per cent missing, standardised mean difference.

    Numeric: mean (SD) and median [quartiles]. Categorical, and whole numbers with at most five values:
    counts and per cent, counts under 5 hidden. The difference is (m1 - m0) / sqrt((v1 + v0) / 2) (Austin
    2009); for categories the Mahalanobis form (Yang and Dalton 2012); given for a binary outcome only.
    """
    groups = _groups(target, y)
    return [_row(column, table.frame[column.name], groups, target) for column in table.schema.columns]


def _groups(target: Target, y: np.ndarray) -> dict[str, np.ndarray]:
    if target.task == "continuous":
        middle = float(np.median(y))
        return {
            f"{target.name} at most {middle:g}": y <= middle,
            f"{target.name} above {middle:g}": y > middle,
        }
    return {name: y == index for index, name in enumerate(target.classes)}


def _row(column: Column, series: pl.Series, groups: dict[str, np.ndarray], target: Target) -> dict[str, Any]:
    if column.kind == "numeric" and _is_code(series):
        series = pl.Series(
            [None if value is None else f"{value:g}" for value in series.to_list()], dtype=pl.String
        )
    numeric = series.dtype != pl.String
    summary = _numeric if numeric else _categorical
    if column.kind == "date":
        series = pl.Series(days(series)).fill_nan(None)
    by_outcome = {name: summary(series.filter(pl.Series(mask))) for name, mask in groups.items()}
    smd = None
    if target.task == "binary":
        first, second = (series.filter(pl.Series(mask)).drop_nulls() for mask in groups.values())
        smd = _smd_numeric(first, second) if summary is _numeric else _smd_categorical(first, second)
    return {
        "column": column.name,
        "kind": column.kind if numeric or column.kind != "numeric" else "categorical",
        "unit": "days since 1970-01-01" if column.kind == "date" else column.unit,
        "overall": summary(series),
        "by_outcome": by_outcome,
        "missing_percent": round(100 * series.null_count() / max(len(series), 1), 1),
        "smd": smd,
    }


def _is_code(series: pl.Series) -> bool:
    """Whole numbers with few values, such as 0/1 or a grade, read better as counts."""
    known = series.drop_nulls().unique()
    return 0 < len(known) <= _CODE_VALUES and bool((known == known.round()).all())


def _numeric(series: pl.Series) -> dict[str, Any]:
    values = series.drop_nulls().to_numpy().astype(float)
    if not len(values):
        return {"n": 0}
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": float(median),
        "q1": float(q1),
        "q3": float(q3),
    }


def _categorical(series: pl.Series) -> dict[str, Any]:
    known = series.drop_nulls()
    counts = known.value_counts(sort=True).rows()
    levels: dict[str, Any] = {}
    for level, count in sorted(counts, key=lambda item: (-item[1], str(item[0])))[:_LEVELS_SHOWN]:
        small = count < _SMALL_CELL
        levels[str(level)] = {
            "n": None if small else count,
            "percent": None if small else round(100 * count / len(known), 1),
        }
    return {"n": len(known), "levels": levels, "n_levels": len(counts)}


def _smd_numeric(first: pl.Series, second: pl.Series) -> float | None:
    if len(first) < 2 or len(second) < 2:
        return None
    a, b = first.to_numpy().astype(float), second.to_numpy().astype(float)
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float((b.mean() - a.mean()) / spread) if spread > 0 else None


def _smd_categorical(first: pl.Series, second: pl.Series) -> float | None:
    if len(first) < 2 or len(second) < 2:
        return None
    levels = sorted(set(first.unique()) | set(second.unique()))[1:]
    if not levels:
        return 0.0
    p = np.array([(first == level).mean() for level in levels])
    q = np.array([(second == level).mean() for level in levels])
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    return float(np.sqrt(max((q - p) @ np.linalg.pinv(covariance) @ (q - p), 0.0)))
