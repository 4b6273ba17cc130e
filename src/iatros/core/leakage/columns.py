"""The audited columns, coded once for all checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from iatros.core.task import Target

Severity = Literal["certain", "likely", "look"]
CHECKS: dict[str, str] = {
    "recorded-after": "the data dictionary says that the column is recorded after the prediction",
    "explains-outcome": "one column alone explains the outcome",
    "constant-outcome": "a level or a tail of a column in which the outcome never varies, though the other "
    "columns expect it to",
    "missing-outcome": "whether a column is missing fixes the outcome",
    "column-rule": "a comparison of two columns fixes the outcome",
    "arithmetic-rule": "a continuous outcome is computed from one or two columns",
    "identifier": "an identifier is used as a predictor",
    "calendar-date": "a calendar date is used as a predictor, or lies after the prediction time",
    "duplicates": "rows that repeat, or nearly repeat, on two sides of a split",
    "group-on-two-sides": "a patient lies on two sides of a split",
}


@dataclass(frozen=True)
class AuditColumn:
    """One column as the audit sees it: float with nan where missing, or str / None for a categorical one."""

    name: str
    kind: str
    values: np.ndarray
    recorded: str = "unknown"
    identifier: bool = False


@dataclass(frozen=True)
class Suspect:
    """One finding: the columns, the check that found them, and the numbers in a sentence."""

    columns: tuple[str, ...]
    check: str
    severity: Severity
    evidence: str
    statistic: float

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "columns": list(self.columns),
            "check": self.check,
            "severity": self.severity,
            "evidence": self.evidence,
            "statistic": float(self.statistic),
        }


class Coded:
    """A column as numbers: `values` float64 (n,) with nan where missing; levels as codes 0, 1, ..."""

    def __init__(self, column: AuditColumn) -> None:
        self.name, self.kind = column.name, column.kind
        self.recorded, self.identifier = column.recorded, column.identifier
        self.levels: tuple[str, ...] = ()
        if column.kind == "categorical":
            self.values, self.levels = _codes(column.values)
        else:
            self.values = np.asarray(column.values, dtype=np.float64)

    @cached_property
    def missing(self) -> np.ndarray:
        """Boolean (n,)."""
        return np.isnan(self.values)

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct non-missing values, sorted, and how often each occurs."""
        return np.unique(self.values[~self.missing], return_counts=True)

    @property
    def categorical(self) -> bool:
        """Whether the numbers are mere codes, without order."""
        return self.kind == "categorical"

    def show(self, value: float) -> str:
        """A value in words."""
        if self.categorical:
            return repr(self.levels[int(value)])
        if self.kind == "date":
            return str(np.datetime64("1970-01-01", "D") + int(value))
        return f"{value:.6g}"


def _codes(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Level codes (n,) by sorted level, nan where missing, and the levels."""
    plain = [None if v is None or v != v else str(v) for v in values.tolist()]
    levels = sorted({v for v in plain if v is not None})
    table: dict[str | None, float] = {level: float(code) for code, level in enumerate(levels)}
    table[None] = float("nan")
    return np.fromiter(map(table.__getitem__, plain), dtype=np.float64, count=len(plain)), tuple(levels)


@dataclass(frozen=True)
class Event:
    """One yes / no question about the outcome, shape (n,): all checks of regions ask such questions."""

    name: str
    happened: np.ndarray


def events(target: Target, y: np.ndarray) -> list[Event]:
    """The questions: the positive class, each class against the rest, or above the median."""
    if target.task == "continuous":
        middle = float(np.median(y))
        return [Event(f"{target.name} above {middle:.6g}", (y > middle).astype(np.float64))]
    numbers = [1] if target.task == "binary" else range(len(target.classes))
    names = target.classes or tuple(str(k) for k in range(int(np.max(y)) + 1))
    return [Event(f"{target.name} = {names[k]}", (y == k).astype(np.float64)) for k in numbers]


def each(columns: Sequence[Coded], check: Callable[[Coded], list[Suspect]]) -> list[Suspect]:
    """The findings of a check that looks at one column at a time."""
    return [found for column in columns for found in check(column)]
