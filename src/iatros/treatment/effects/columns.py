"""Columns with a role: arms, outcomes, times and known probabilities, read from a table and checked."""

from __future__ import annotations

import numpy as np
import polars as pl

from iatros.core.errors import OutcomeError, TableError, unknown_name
from iatros.learners.tabular.table import Table
from iatros.treatment.cohort_requests import CohortFields
from iatros.treatment.effects.schema import Kind

MOST_ARMS = 20
_YES = frozenset({"1", "yes", "true", "positive", "event", "dead", "died"})
_NO = frozenset({"0", "no", "false", "negative", "none", "alive", "survived"})


def names_of(series: pl.Series) -> list[str | None]:
    """Values as names: 1.0 is 1."""
    if series.dtype.is_numeric():
        return [None if value is None else f"{value:g}" for value in series.to_list()]
    return [None if value is None else str(value) for value in series.to_list()]


def arm_names(table: Table, request: CohortFields) -> tuple[str, ...]:
    """The arms that are compared, the reference first, the others by name; numbers count by value."""
    where = f"{table.source}, column {request.treatment}"
    if table.schema[request.treatment].kind == "date":
        raise TableError("arms are names or numbers, not dates", where=where)
    found = {name for name in names_of(table.frame[request.treatment]) if name is not None}
    for name in (*request.arms, *((request.reference,) if request.reference else ())):
        if name not in found:
            raise unknown_name("arm", name, found, where=where)
    wanted = sorted(set(request.arms) or found, key=_order)
    if len(wanted) > MOST_ARMS:
        raise TableError(
            f"the treatment has {len(wanted)} different values, at most {MOST_ARMS} arms are compared", where=where,
            hint="name the arms to compare with arms; for a dose use dose",
        )  # fmt: skip
    if len(wanted) < 2:
        raise TableError("the treatment has one arm only, so there is nothing to compare", where=where)
    reference = request.reference or wanted[0]
    if reference not in wanted:
        raise unknown_name("arm", reference, wanted, where=where)
    return (reference, *(name for name in wanted if name != reference))


def code_arms(table: Table, column: str, arms: tuple[str, ...]) -> np.ndarray:
    """The place of each subject's arm in `arms` (n,) int64, -1 for one that is not compared."""
    place = {name: k for k, name in enumerate(arms)}
    return np.array(
        [place.get(name, -1) if name is not None else -1 for name in names_of(table.frame[column])]
    )


def outcome_of(table: Table, name: str, positive: str | None) -> tuple[Kind, np.ndarray, str | None]:
    """Kind, values (n,) and, where it is binary, the value that counts as the event.

    A numeric column with more than two values is continuous unless `positive` names one of them. OutcomeError where
    the outcome never varies, has more than two classes, or does not tell which class is the event.
    """
    where = f"{table.source}, column {name}"
    column, series = table.schema[name], table.frame[name]
    if column.kind == "date":
        raise OutcomeError("a date is no outcome", where=where, hint="give a number, or two classes")
    values = names_of(series)
    classes = sorted({value for value in values if value is not None}, key=_order)
    if len(classes) < 2:
        raise OutcomeError("the outcome never varies", where=where, hint="check arms and the column")
    if positive is not None:
        if positive not in classes:
            raise unknown_name("value of the outcome", positive, classes, where=where)
        return "binary", np.array([float(value == positive) for value in values]), positive
    if len(classes) > 2:
        if column.kind != "numeric":
            raise OutcomeError(
                f"the outcome has {len(classes)} classes, an effect is estimated for two", where=where,
                hint="say which class is the event with positive",
            )  # fmt: skip
        return "continuous", table.column(name), None
    event = _event(classes, where)
    return "binary", np.array([float(value == event) for value in values]), event


def _event(classes: list[str], where: str) -> str:
    """Of two classes the one that is plainly the event."""
    first, second = classes
    if first.lower() in _YES or second.lower() in _NO:
        return first
    if second.lower() in _YES or first.lower() in _NO or _is_number(first):
        return second
    raise OutcomeError(
        f"which of {first!r} and {second!r} is the event?",
        where=where,
        hint=f"give positive, for example {second!r}",
    )


def times_of(table: Table, time: str, event: str, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (n,) and events (n,) of 0 and 1, some of the events before the horizon, some subjects followed past it."""
    where = f"{table.source}, column {time}"
    if table.schema[time].kind != "numeric":
        raise TableError("times are numbers", where=where, hint="give the time since the start of follow-up")
    times = table.column(time)
    if times.min() < 0:
        row = int(table.rows[int(np.flatnonzero(times < 0)[0])])
        raise TableError(
            "a time is negative", where=f"{where}, row {row}", hint="count from the start of follow-up"
        )
    happened = _happened(table, event)
    if not ((happened == 1) & (times <= horizon)).any():
        raise OutcomeError(
            f"nobody has the event by the horizon {horizon:g}", where=where, hint="choose a later horizon"
        )
    if times.max() < horizon:
        raise OutcomeError(
            f"follow-up ends at {times.max():g}, before the horizon {horizon:g}", where=where,
            hint="choose an earlier horizon",
        )  # fmt: skip
    return times, happened


def _happened(table: Table, event: str) -> np.ndarray:
    """Events as 0 and 1; yes, no, true and false are read too."""
    where = f"{table.source}, column {event}"
    values = names_of(table.frame[event])
    known = {value.lower() for value in values if value is not None}
    if not known <= _YES | _NO or not known & _YES:
        raise OutcomeError(
            "the event is 1 where the time ends with it and 0 where it ends with censoring", where=where,
            cell=next((value for value in sorted(known) if value not in _YES | _NO), None),
            hint="give a column of 0 and 1, or of yes and no, with at least one event",
        )  # fmt: skip
    return np.array([float(value is not None and value.lower() in _YES) for value in values])


def assignment_of(table: Table, request: CohortFields, arms: tuple[str, ...]) -> np.ndarray | None:
    """The known probabilities (n, k), from one column for each arm but the reference; None where none is given."""
    if not request.propensity:
        return None
    if len(request.propensity) != len(arms) - 1:
        raise TableError(
            f"{len(request.propensity)} propensity columns for {len(arms)} arms", where=table.source,
            hint=f"give one for each of: {', '.join(arms[1:])}, in this order",
        )  # fmt: skip
    for name in request.propensity:
        if table.schema[name].kind != "numeric":
            raise TableError("a probability is a number", where=f"{table.source}, column {name}")
    others = np.stack([table.column(name) for name in request.propensity], axis=1)
    every = np.hstack([1.0 - others.sum(axis=1, keepdims=True), others])
    if not ((every > 0) & (every < 1)).all():
        row = int(table.rows[int(np.flatnonzero(~((every > 0) & (every < 1)).all(axis=1))[0])])
        raise TableError(
            "known probabilities lie between 0 and 1, and leave some for the reference",
            where=f"{table.source}, row {row}", hint="check the propensity columns",
        )  # fmt: skip
    return every


def _order(name: str) -> tuple[bool, float, str]:
    return (not _is_number(name), float(name) if _is_number(name) else 0.0, name)


def _is_number(name: str) -> bool:
    try:
        return bool(np.isfinite(float(name)))
    except ValueError:
        return False
