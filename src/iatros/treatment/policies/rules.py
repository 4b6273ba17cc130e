"""Rules that the user gives: a text over the columns of the table, or a column that names the arm of each patient."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.treatment.policies.grammar import (
    All,
    Comparison,
    Condition,
    Missing,
    Not,
    Parsed,
    columns_of,
)

_ORDERED: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def assign(rule: Parsed, columns: Mapping[str, np.ndarray], arms: Sequence[str], *, n: int) -> np.ndarray:
    """The arm (n,) int64, as its place in `arms`, that `rule` gives to each of `n` rows.

    A column (n,) is float64 with NaN, or objects (texts and None). UnknownNameError where the rule names a column or an
    arm that is not there; RequestError where it compares a text as a number; TableError where a value is missing that
    decides (a part that holds or fails whatever the value is does not): the rule must say what is done then.
    """
    for name in rule.arms:
        if name not in arms:
            raise unknown_name("arm", name, arms)
    for name in rule.columns:
        if name not in columns:
            raise unknown_name("column", name, columns)
    given = np.full(n, list(arms).index(rule.otherwise), dtype=np.int64)
    open_rows = np.ones(n, dtype=bool)
    for clause in rule.clauses:
        holds, unknown = _meets(clause.condition, columns, n)
        stuck = open_rows & unknown
        if stuck.any():
            _refuse(clause.condition, columns, stuck)
        given[open_rows & holds] = list(arms).index(clause.arm)
        open_rows &= ~holds
    return given


def recommended(column: np.ndarray, arms: Sequence[str], *, name: str, received: np.ndarray) -> np.ndarray:
    """The arm (n,) that the column `name` names for each row; numbers are read as they are written (1.0 is `1`).

    TableError where a cell is empty or the column is that of the arms `received` (n,): a rule is decided before
    the treatment; or where it names an arm that is not compared.
    """
    texts = [written(value) for value in column]
    empty = sum(text is None for text in texts)
    if empty:
        raise TableError(
            f"{empty} of {len(texts)} patients have no recommended arm", where=f"column {name}",
            hint="name an arm for each patient",
        )  # fmt: skip
    place = {arm: k for k, arm in enumerate(arms)}
    strange = next((text for text in texts if text not in place), None)
    if strange is not None:
        raise TableError(
            "a recommended arm is none of those compared", where=f"column {name}", cell=strange,
            hint=f"compared are {', '.join(arms)}",
        )  # fmt: skip
    given = np.array([place[str(text)] for text in texts], dtype=np.int64)
    if np.array_equal(given, received):
        raise TableError(
            "the recommended arm is the arm received, for every patient", where=f"column {name}",
            hint="a rule says what to give from what is known before; name another column",
        )  # fmt: skip
    return given


def written(value: Any) -> str | None:
    """A cell as an arm's name is written: 1.0 is `1`; None where it is empty."""
    if value is None or value != value:
        return None
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def _meets(condition: Condition, columns: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """For which rows the condition holds, and for which it cannot be told (Kleene's logic of three values)."""
    if isinstance(condition, Missing):
        return _absent(columns[condition.column]), np.zeros(n, dtype=bool)
    if isinstance(condition, Comparison):
        return _compared(condition, columns[condition.column])
    if isinstance(condition, Not):
        holds, unknown = _meets(condition.part, columns, n)
        return ~holds & ~unknown, unknown
    parts = [_meets(part, columns, n) for part in condition.parts]
    if isinstance(condition, All):
        fails = reduce(np.logical_or, [~holds & ~unknown for holds, unknown in parts])
        holds_all = reduce(np.logical_and, [holds for holds, _ in parts])
        return holds_all, ~fails & ~holds_all
    holds_one = reduce(np.logical_or, [holds for holds, _ in parts])
    return holds_one, ~holds_one & reduce(np.logical_or, [unknown for _, unknown in parts])


def _absent(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    return np.isnan(values)


def _compared(condition: Comparison, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unknown = _absent(values)
    if values.dtype != object:
        wanted = [_as_number(value, condition.column) for value in condition.values]
        if condition.sign in _ORDERED:
            return _ORDERED[condition.sign](values, wanted[0]) & ~unknown, unknown
        equal = np.isin(values, wanted)
    else:
        if condition.sign in _ORDERED:
            raise RequestError(
                f"the rule compares {condition.column} by {condition.sign}, but the column holds texts",
                hint="compare texts by =, != or in (...)",
            )
        texts = {written(value) for value in condition.values}
        equal = np.array([value in texts for value in values], dtype=bool)
    return (equal if condition.sign == "=" else ~equal) & ~unknown, unknown


def _as_number(value: str | float, column: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise RequestError(
            f"the rule compares the numbers of {column} with the text {value!r}", hint="give a number"
        ) from None


def _refuse(condition: Condition, columns: Mapping[str, np.ndarray], stuck: np.ndarray) -> None:
    gaps = {name: int((_absent(columns[name]) & stuck).sum()) for name in columns_of(condition)}
    named = ", ".join(f"{name} ({count})" for name, count in gaps.items() if count)
    raise TableError(
        f"the rule cannot be applied to {int(stuck.sum())} of {len(stuck)} patients: values are missing in {named}",
        hint="say what they are given by a clause before it, such as 'missing(column) -> arm'",
    )
