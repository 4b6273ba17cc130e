"""A long table of responses, read into a list of them; every line is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from iatros.core.errors import OutcomeError, RequestError, TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table, days, floats
from iatros.treatment.responses.names import names_of
from iatros.treatment.responses.schema import Outcome, Responses

MIN_OF_TREATMENT = 5
"""Responses below which a treatment is named in the notes: what is said of it rests on its features and the others."""


@dataclass(frozen=True)
class Columns:
    """Which column holds what, and how outcomes are to be read.

    Without `outcome` each line is an exposure. `dose` makes each treatment at each dose a treatment of its own.
    `positive` says which value counts as 1 of a binary outcome. `scale` (low, high) is the range in which outcomes lie.
    Of several responses of a subject to a treatment, with a `time` the latest counts, or the mean.
    """

    subject: str
    treatment: str
    outcome: str | None = None
    time: str | None = None
    dose: str | None = None
    kind: Literal["auto", "continuous", "binary", "implicit"] = "auto"
    positive: str | None = None
    scale: tuple[float, float] | None = None
    repeats: Literal["latest", "mean"] = "latest"


@dataclass
class Account:
    """What became of every line: `n_lines` = responses + `n_merged` + refused."""

    n_lines: int = 0
    n_merged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How many lines were refused for each reason."""
        return dict(Counter(reason for _, reason in self.refused).most_common())


@dataclass(frozen=True)
class ReadResponses:
    """The responses of `source`, the account of all its lines, the table, and the classes of a binary outcome."""

    responses: Responses
    account: Account
    source: str
    table: Table
    classes: tuple[str, str] | None


def read_responses(
    reference: Any, columns: Columns, *, least: int = 2, kind: Outcome | None = None
) -> ReadResponses:
    """The distinct responses of a long table; TableError or OutcomeError where fewer than `least` are left.

    A line is refused that lacks a subject, a treatment or an outcome, whose outcome is no number or off the scale,
    whose dose is not positive, or that contradicts another: the same subject, treatment and time with another
    outcome, of which all are refused, since none can be told to be the right one. With `kind` the outcome is known
    from a training, and is not told from the values.
    """
    table = read_table(reference)
    _check_columns(table, columns)
    account = Account(n_lines=table.n_read, notes=list(table.notes))
    account.refused += [(-1 if one.row is None else one.row, one.reason) for one in table.refused]
    lines = _Lines(table, account)
    subjects = lines.texts(columns.subject, "no subject")
    treatments = lines.texts(columns.treatment, "no treatment")
    if columns.dose is not None:
        treatments = _at_doses(lines, treatments, columns.dose)
    times = lines.times(columns.time)
    y, outcome, classes = _outcomes(lines, columns, kind)
    kept = np.flatnonzero(lines.kept)
    if len(kept) == 0:
        raise TableError("holds no response that can be used", where=table.source, hint=_told(account))
    frame = pl.DataFrame(
        {
            "line": table.rows[kept], "subject": [subjects[k] for k in kept],
            "treatment": [treatments[k] for k in kept], "time": times[kept], "y": y[kept],
        },
        schema={"line": pl.Int64, "subject": pl.String, "treatment": pl.String, "time": pl.Float64, "y": pl.Float64},
    )  # fmt: skip
    frame = _without_contradictions(frame, outcome, account)
    frame = _one_of_each_pair(frame, outcome, columns, account)
    if frame.height < least:
        raise TableError(
            f"holds {frame.height} responses that can be used, and {least} are needed",
            where=table.source, hint=_told(account),
        )  # fmt: skip
    account.refused.sort()
    return ReadResponses(_responses(frame, outcome, columns), account, table.source, table, classes)


class _Lines:
    """The lines of a table that are still in, and the account of those that are not."""

    def __init__(self, table: Table, account: Account) -> None:
        self.table, self.account = table, account
        self.kept = np.ones(table.n_rows, dtype=bool)

    def refuse(self, where: np.ndarray, reason: str) -> None:
        """Refuse the lines at `where` (n,) that are still in."""
        out = where & self.kept
        self.account.refused += [(int(line), reason) for line in self.table.rows[out]]
        self.kept &= ~where

    def texts(self, column: str, reason: str) -> list[str | None]:
        """The names in a column; lines without one are refused."""
        names = names_of(self.table.frame[column])
        self.refuse(np.array([not name for name in names], dtype=bool), reason)
        return names

    def numbers(self, column: str, reason: str) -> np.ndarray:
        """The numbers in a column, nan where refused."""
        series = self.table.frame[column]
        values = floats(series.cast(pl.Float64, strict=False))
        if not series.dtype.is_numeric():
            self.refuse(np.isnan(values) & series.is_not_null().to_numpy(), f"{reason} is no number")
        self.refuse(np.isnan(values), f"no {reason}")
        return values

    def times(self, column: str | None) -> np.ndarray:
        """The times (n,) as numbers; 0 for all where there is no column."""
        if column is None:
            return np.zeros(self.table.n_rows)
        series = self.table.frame[column]
        if self.table.schema[column].kind == "date":
            values = days(series)
            self.refuse(np.isnan(values), "no time")
            return values
        return self.numbers(column, "time")


def _check_columns(table: Table, columns: Columns) -> None:
    roles = {name: getattr(columns, name) for name in ("subject", "treatment", "outcome", "time", "dose")}
    for name in roles.values():
        if name is not None and name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    given = [name for name in roles.values() if name is not None]
    if len(set(given)) < len(given):
        raise RequestError(f"{', '.join(roles)} must be different columns")
    if columns.scale is not None and not columns.scale[0] < columns.scale[1]:
        raise RequestError(f"scale must be LOW,HIGH with LOW below HIGH, got {columns.scale}")


def _at_doses(lines: _Lines, treatments: list[str | None], column: str) -> list[str | None]:
    doses = lines.numbers(column, "dose")
    lines.refuse(doses <= 0.0, "the dose is not above 0")
    return [
        name if name is None or np.isnan(dose) else f"{name} {dose:g}"
        for name, dose in zip(treatments, doses.tolist(), strict=True)
    ]


def _outcomes(
    lines: _Lines, columns: Columns, kind: Outcome | None
) -> tuple[np.ndarray, Outcome, tuple[str, str] | None]:
    """Outcomes (n,), what they are, and the classes of a binary one as the table writes them."""
    if columns.outcome is None:
        if columns.kind not in ("auto", "implicit"):
            raise RequestError(f"task {columns.kind} needs outcome, the column that holds it")
        return np.ones(lines.table.n_rows), "implicit", None
    told: Outcome | None = kind if columns.kind == "auto" else columns.kind
    series = lines.table.frame[columns.outcome]
    if columns.positive is not None or told == "binary" or (told is None and _two_values(series)):
        return _classes(lines, columns)
    if told is None and not series.dtype.is_numeric() and series.n_unique() > 2 and _no_numbers(series):
        raise OutcomeError(
            f"the outcome {columns.outcome} is text with more than two values", where=lines.table.source,
            hint="give positive, the value that counts as a response",
        )  # fmt: skip
    values = lines.numbers(columns.outcome, "outcome")
    if told == "implicit":
        lines.refuse(values <= 0.0, "the weight of the exposure is not above 0")
        return values, "implicit", None
    if columns.scale is not None:
        low, high = columns.scale
        lines.refuse((values < low) | (values > high), f"the outcome lies off the scale {low:g} to {high:g}")
    return values, "continuous", None


def _classes(lines: _Lines, columns: Columns) -> tuple[np.ndarray, Outcome, tuple[str, str] | None]:
    assert columns.outcome is not None
    names = names_of(lines.table.frame[columns.outcome])
    lines.refuse(np.array([name is None for name in names]), "no outcome")
    found = sorted({name for name in names if name is not None})
    positive = columns.positive
    if positive is None:
        if len(found) != 2:
            raise OutcomeError(
                f"a binary outcome has two values, and {columns.outcome} has {len(found)}",
                where=lines.table.source, hint="give positive, the value that counts as a response",
            )  # fmt: skip
        positive = found[1]
    elif positive not in found:
        raise OutcomeError(
            f"no line has the value that positive names in its column {columns.outcome}",
            where=lines.table.source,
        )
    others = [name for name in found if name != positive]
    other = others[0] if len(others) == 1 else f"not {positive}"
    return np.array([float(name == positive) for name in names]), "binary", (other, positive)


def _two_values(series: pl.Series) -> bool:
    return series.drop_nulls().n_unique() == 2


def _no_numbers(series: pl.Series) -> bool:
    return bool(series.cast(pl.Float64, strict=False).is_null().mean() > 0.5)  # type: ignore[operator]


def _without_contradictions(frame: pl.DataFrame, outcome: Outcome, account: Account) -> pl.DataFrame:
    """Lines without those of which one subject, treatment and time has two outcomes; equal lines are merged."""
    key = ["subject", "treatment", "time"]
    if outcome == "implicit":
        merged = frame.group_by(key, maintain_order=True).agg(pl.col("line").first(), pl.col("y").sum())
        account.n_merged += frame.height - merged.height
        return merged
    grouped = frame.with_columns(differ=pl.col("y").n_unique().over(key) > 1)
    for line in grouped.filter(pl.col("differ"))["line"].to_list():
        account.refused.append(
            (int(line), "another line has the same subject, treatment and time, and another outcome")
        )
    merged = grouped.filter(~pl.col("differ")).unique(key, keep="first", maintain_order=True)
    account.n_merged += int((~grouped["differ"]).sum()) - merged.height
    return merged.drop("differ")


def _one_of_each_pair(
    frame: pl.DataFrame, outcome: Outcome, columns: Columns, account: Account
) -> pl.DataFrame:
    """One line for each subject and treatment: of several times the latest, or their mean."""
    key = ["subject", "treatment"]
    if outcome == "implicit":
        how = (pl.col("line").first(), pl.col("time").max(), pl.col("y").sum())
    elif columns.repeats == "latest":
        how = tuple(pl.col(name).sort_by("time").last() for name in ("line", "time", "y"))  # type: ignore[assignment]
    else:
        how = (pl.col("line").first(), pl.col("time").max(), pl.col("y").mean())
    merged = frame.group_by(key, maintain_order=True).agg(*how)
    account.n_merged += frame.height - merged.height
    return merged


def _responses(frame: pl.DataFrame, outcome: Outcome, columns: Columns) -> Responses:
    codes: Callable[[str], tuple[tuple[str, ...], np.ndarray]] = lambda name: _coded(frame[name])  # noqa: E731
    (subjects, subject), (treatments, treatment) = codes("subject"), codes("treatment")
    y = frame["y"].to_numpy().astype(float)
    if outcome == "binary" and columns.repeats == "mean":
        y = np.round(y)
    time = frame["time"].to_numpy().astype(float) if columns.time is not None else None
    return Responses(subjects, treatments, subject, treatment, y, outcome, time)


def _coded(names: pl.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct names, sorted, and for each line the place of its own."""
    distinct, codes = np.unique(names.to_numpy().astype(str), return_inverse=True)
    return tuple(str(name) for name in distinct), codes.reshape(-1).astype(np.int64)


def _told(account: Account) -> str:
    return "; ".join(f"{n} lines: {why}" for why, n in account.reasons.items()) or "it has no lines"
