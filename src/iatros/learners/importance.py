"""What a model relies on: permutation importance and partial dependence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import InputError, unknown_name
from iatros.core.intervals import bootstrap_label, group_codes, group_weights, percentile_interval
from iatros.core.metrics.result import NAN, Metric
from iatros.core.task import Target
from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import FRAME_TYPES

Predict = Callable[[pl.DataFrame], np.ndarray]
_FLOOR = 1e-7
_MAX_LEVELS = 20


def row_loss(target: Target, y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What each prediction costs (n,): cross-entropy in nats for classes, the squared error for numbers.

    >>> row_loss(Target("dose", "continuous"), np.array([1.0]), np.array([3.0])).tolist()
    [4.0]
    """
    if target.task == "continuous":
        return np.asarray((prediction - y) ** 2)
    number = y.astype(np.int64)
    if target.task == "binary":
        p = np.where(number == 1, prediction, 1.0 - prediction)
    else:
        p = prediction[np.arange(len(number)), number]
    return np.asarray(-np.log(np.clip(p, _FLOOR, 1.0)))


def permutation_importance(
    predict: Predict,
    frame: pl.DataFrame,
    y: np.ndarray,
    target: Target,
    *,
    columns: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    n_repeats: int = 5,
    n_bootstrap: int = 500,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> list[dict[str, Any]]:
    """How much worse the model gets when a column's values are dealt out to other patients, the worst first.

    The loss is `row_loss`; each entry is a metric document with `column` and `loss` added. The interval is
    a bootstrap over groups of the mean change of the loss, averaged over `n_repeats` shuffles: it says how
    sure the number is for patients like these and this model, not for a model trained again. Columns that
    carry the same information share it: none of them may look important.

    >>> frame = pl.DataFrame({"age": [40.0, 60.0, 80.0], "sex": ["f", "m", "m"]})
    >>> found = permutation_importance(
    ...     lambda rows: rows["age"].to_numpy(), frame, np.array([40, 60, 80]), Target("age", "continuous")
    ... )
    >>> [entry["column"] for entry in found]
    ['age', 'sex']
    """
    names = list(columns) if columns is not None else frame.columns
    for name in names:
        if name not in frame.columns:
            raise unknown_name("column", name, frame.columns)
    if frame.height < 2 or n_repeats < 1:
        raise InputError(f"two rows and one repeat are needed, got {frame.height} and {n_repeats}")
    y = np.asarray(y)
    before = row_loss(target, y, predict(frame))
    changes = np.zeros((len(names), frame.height))
    for j, name in enumerate(names):
        rng = np.random.default_rng([seed, frame.columns.index(name)])
        for _ in range(n_repeats):
            dealt = frame.with_columns(frame[name].gather(rng.permutation(frame.height)))
            changes[j] += (row_loss(target, y, predict(dealt)) - before) / n_repeats
    metrics = _mean_with_interval(changes, y, target, groups, n_bootstrap, seed, confidence_level)
    loss = "squared error" if target.task == "continuous" else "log loss"
    entries = [{"column": name, "loss": loss, **m.document()} for name, m in zip(names, metrics, strict=True)]
    return sorted(entries, key=lambda entry: (-float(entry["value"]), entry["column"]))


def _mean_with_interval(
    changes: np.ndarray,
    y: np.ndarray,
    target: Target,
    groups: np.ndarray | None,
    n_bootstrap: int,
    seed: int,
    confidence_level: float,
) -> list[Metric]:
    """The mean of each row of `changes` (c, n); one set of resamples for all."""
    n = changes.shape[1]
    codes, n_groups = group_codes(groups, n)
    summed = np.stack([np.bincount(codes, weights=row, minlength=n_groups) for row in changes])
    sizes = np.bincount(codes, minlength=n_groups).astype(np.float64)
    blocks = [
        # Row by row: a product of matrices rounds differently with the number of its columns.
        np.stack([weights @ row for row in summed], axis=1) / (weights @ sizes)[:, None]
        for weights in group_weights(None, n_bootstrap, seed, n=n_groups)
    ]
    replicates = np.concatenate(blocks)
    n_events = int(y.sum()) if target.task == "binary" else None
    metrics = []
    for j, row in enumerate(changes):
        low, high, label = percentile_interval(
            replicates[:, j], confidence_level, label=bootstrap_label(groups, n)
        )
        metrics.append(Metric(float(row.mean()) if n else NAN, low, high, n, n_events, label))
    return metrics


def partial_dependence(
    predict: Predict, frame: pl.DataFrame, column: Column, target: Target, *, n_grid: int = 20
) -> dict[str, Any]:
    """The mean prediction over the rows of `frame` when all of them are given one value of `column` (Friedman 2001).

    The grid of a number or date are up to `n_grid` quantiles from the 2nd to the 98th percentile (dates as
    ISO text), of a category its levels, the commonest 20. `mean` has one number per grid value; for several
    classes it is a list of lists, one for each class in `classes`.

    >>> frame = pl.DataFrame({"age": [40.0, 60.0], "sex": ["f", "m"]})
    >>> age = Column(name="age", kind="numeric")
    >>> partial_dependence(lambda rows: rows["age"].to_numpy() / 100, frame, age, Target("r", "continuous"))["mean"]
    [0.4, 0.6]
    """
    series = frame[column.name]
    grid = _grid(series, column, n_grid)
    means = []
    for value in grid:
        same = pl.Series(column.name, [value], dtype=FRAME_TYPES[column.kind]).new_from_index(0, frame.height)
        means.append(np.asarray(predict(frame.with_columns(same))).mean(axis=0))
    mean = np.array(means)
    shown = [value.isoformat() if hasattr(value, "isoformat") else value for value in grid]
    document: dict[str, Any] = {
        "column": column.name,
        "kind": column.kind,
        "unit": column.unit,
        "grid": shown,
    }
    if target.task == "multiclass":
        return {**document, "classes": list(target.classes), "mean": mean.T.tolist()}
    return {**document, "mean": mean.tolist()}


def _grid(series: pl.Series, column: Column, n_grid: int) -> list[Any]:
    known = series.drop_nulls()
    if known.is_empty():
        return []
    if column.kind == "ordinal":
        seen = set(known.unique().to_list())
        return [level for level in column.levels if level in seen]
    if column.kind == "categorical":
        counts = known.value_counts()
        ranked = sorted(
            zip(counts[:, 1].to_list(), counts[:, 0].to_list(), strict=True), key=lambda p: (-p[0], p[1])
        )
        return sorted(level for _, level in ranked[:_MAX_LEVELS])
    values = known.unique().sort()
    if len(values) <= n_grid:
        return list(values.to_list())
    ordered = known.sort()
    places = np.linspace(0.02, 0.98, n_grid) * (len(ordered) - 1)
    return list(ordered.gather(np.round(places).astype(np.int64)).unique().sort().to_list())
