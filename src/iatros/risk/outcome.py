"""From the outcome column to labels: what counts as the event, which classes there are, on which scale."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from iatros.core.errors import OutcomeError, RequestError, unknown_name
from iatros.core.task import Target
from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import Refusal, Table
from iatros.risk.requests import TrainRequest

_COMPARISON = re.compile(r"^(>=|<=|!=|==|=|>|<)\s*(.+)$")
_YES = {"1", "1.0", "yes", "y", "true", "positive", "event", "dead", "died", "present"}
_NO = {"0", "0.0", "no", "n", "false", "negative", "none", "alive", "survived", "absent"}
_MAX_CLASSES = 20
_FEW_NUMBERS = 10


@dataclass(frozen=True)
class Labelled:
    """A table of the patients whose outcome is known, with the labels described in core/task.py."""

    table: Table
    target: Target
    y: np.ndarray
    refused: tuple[Refusal, ...]
    note: str


def label(table: Table, request: TrainRequest) -> Labelled:
    """The patients with a known outcome and their labels; one class, or an unclear event, raises OutcomeError."""
    if request.outcome not in table.schema.names:
        raise unknown_name("column", request.outcome, table.schema.names, where=table.source)
    column = table.schema[request.outcome]
    known = table.frame[request.outcome].is_not_null().to_numpy()
    refused = tuple(
        Refusal(int(row), request.outcome, "the outcome is missing") for row in table.rows[~known]
    )
    kept = table.take(np.flatnonzero(known))
    if kept.frame.height == 0:
        raise OutcomeError("every outcome is missing", where=f"{table.source}, column {request.outcome}")
    target, y = _labels(
        kept.frame[request.outcome], column, request, where=f"{table.source}, column {request.outcome}"
    )
    note = f"{request.outcome} is read as {target.task}" + (
        f": {target.classes[1]!r} is the event" if target.task == "binary" else ""
    )
    return Labelled(kept, target, y, refused, note)


def relabel(series: pl.Series, target: Target, positive: str | None, *, where: str) -> np.ndarray:
    """Labels of another table in the classes of a trained model; float64, NaN where the outcome is missing."""
    if target.task == "continuous":
        return series.cast(pl.Float64, strict=False).to_numpy().astype(float)
    names = _positive_names(series, positive, target) if target.task == "binary" else _level_names(series)
    index = {name: float(i) for i, name in enumerate(target.classes)}
    labels = np.full(len(names), np.nan)
    for row, name in enumerate(names):
        if name is None:
            continue
        if name not in index:
            raise OutcomeError(
                f"an outcome value is none of the classes that the model knows: {', '.join(target.classes)}",
                where=where,
                cell=name,
            )
        labels[row] = index[name]
    return labels


def _positive_names(series: pl.Series, positive: str | None, target: Target) -> list[str | None]:
    if positive is None:
        return _level_names(series)
    hit = is_event(series, positive)
    missing = series.is_null().to_numpy()
    return [None if gone else target.classes[int(event)] for gone, event in zip(missing, hit, strict=True)]


def _labels(
    series: pl.Series, column: Column, request: TrainRequest, *, where: str
) -> tuple[Target, np.ndarray]:
    if request.positive is not None:
        if request.task not in ("auto", "binary"):
            raise RequestError(f"positive makes the outcome binary, but task is {request.task}")
        return _binary_by_rule(series, request, where=where)
    task = request.task if request.task != "auto" else _guess(series, column)
    if task == "continuous":
        return _continuous(series, column, request, where=where)
    names = _level_names(series)
    classes = _ordered_classes(series, column)
    if len(classes) < 2:
        raise OutcomeError(
            "the outcome has one class only, so there is nothing to tell apart",
            where=where,
            hint="check positive and the cohort rules",
        )
    if task == "binary":
        classes = _event_last(classes, where=where)
    elif len(classes) > _MAX_CLASSES:
        raise OutcomeError(
            f"the outcome has {len(classes)} classes, at most {_MAX_CLASSES} are allowed", where=where
        )
    index = {name: i for i, name in enumerate(classes)}
    y = np.array([index[str(name)] for name in names], dtype=np.int64)
    return Target(request.outcome, task, tuple(classes)), y  # type: ignore[arg-type]


def _binary_by_rule(series: pl.Series, request: TrainRequest, *, where: str) -> tuple[Target, np.ndarray]:
    assert request.positive is not None
    y = is_event(series, request.positive).astype(np.int64)
    if y.min() == y.max():
        raise OutcomeError(
            f"positive {request.positive!r} makes {'every' if y[0] else 'no'} patient an event",
            where=where,
            hint=f"values seen: {', '.join(_examples(series))}",
        )
    rule = request.positive
    return Target(request.outcome, "binary", (f"not {rule}", rule)), y


def is_event(series: pl.Series, rule: str) -> np.ndarray:
    """Which values satisfy `rule`: a comparison with a number, or one or more values joined by `|`.

    A rule that is itself one of the values, such as the level `<30`, means that value.
    """
    names = np.array([name or "" for name in _level_names(series)], dtype=object)
    if rule in names:
        return names == rule
    match = _COMPARISON.match(rule.strip())
    if match and match[1] not in ("=", "==", "!="):
        return _compare(series, match[1], match[2])
    values = (match[2] if match else rule).split("|")
    hit = np.isin(names, [value.strip() for value in values])
    return ~hit if match and match[1] == "!=" else hit


def _compare(series: pl.Series, operator: str, bound: str) -> np.ndarray:
    try:
        number = float(bound)
    except ValueError:
        raise RequestError(
            f"positive compares with {bound!r}, which is not a number",
            hint="for example '>0', or 'yes|maybe'",
        ) from None
    if not series.dtype.is_numeric():
        raise RequestError(
            f"positive is a comparison, but the outcome is text: {', '.join(_examples(series))}"
        )
    values = series.fill_null(float("nan")).to_numpy().astype(float)
    with np.errstate(invalid="ignore"):
        hits = {">": values > number, ">=": values >= number, "<": values < number, "<=": values <= number}
    return hits[operator]


def _guess(series: pl.Series, column: Column) -> str:
    unique = series.drop_nulls().n_unique()
    if column.kind in ("categorical", "ordinal"):
        return "binary" if unique <= 2 else "multiclass"
    if unique <= 2:
        return "binary"
    values = series.drop_nulls().to_numpy()
    whole = series.dtype.is_numeric() and bool(np.all(values == np.round(values)))
    return "multiclass" if whole and unique <= _FEW_NUMBERS else "continuous"


def _continuous(
    series: pl.Series, column: Column, request: TrainRequest, *, where: str
) -> tuple[Target, np.ndarray]:
    if column.kind != "numeric":
        raise OutcomeError(
            "a continuous outcome must be numeric", where=where, hint="say which value is the event"
        )
    y = series.to_numpy().astype(float)
    if np.ptp(y) == 0:
        raise OutcomeError("the outcome never varies", where=where)
    low = {"sqrt": 0.0, "log": np.nextafter(0.0, 1.0)}.get(request.target_transform, -np.inf)
    if y.min() < low:
        raise OutcomeError(
            f"target_transform {request.target_transform} needs outcomes "
            f"{'above' if request.target_transform == 'log' else 'of at least'} 0",
            where=where,
        )
    return Target(request.outcome, "continuous", (), column.unit), y


def _ordered_classes(series: pl.Series, column: Column) -> list[str]:
    seen = {name for name in _level_names(series) if name is not None}
    if column.kind == "ordinal":
        return [level for level in column.levels if level in seen]
    return sorted(seen, key=lambda name: (_number(name) is None, _number(name) or 0.0, name))


def _event_last(classes: list[str], *, where: str) -> list[str]:
    """Of two classes, the one that plainly is the event last; otherwise the user must say."""
    if len(classes) != 2:
        raise OutcomeError(
            f"a binary outcome has two classes, this one has {len(classes)}",
            where=where,
            hint="give positive",
        )
    first, second = classes
    if first.lower() in _YES or second.lower() in _NO:
        return [second, first]
    if second.lower() in _YES or first.lower() in _NO or _number(first) is not None:
        return classes
    raise OutcomeError(
        f"which of {first!r} and {second!r} is the event?",
        where=where,
        hint=f"give positive, for example {second!r}",
    )


def _level_names(series: pl.Series) -> list[str | None]:
    if series.dtype.is_numeric():
        return [None if value is None else f"{value:g}" for value in series.to_list()]
    return [None if value is None else str(value) for value in series.to_list()]


def _number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None


def _examples(series: pl.Series) -> list[str]:
    return sorted({name for name in _level_names(series.head(1000)) if name is not None})[:5]
