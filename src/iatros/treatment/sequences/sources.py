"""Visits read from a long table, or from one table for each kind of code, with an account of every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.treatment.responses.names import names_of
from iatros.treatment.sequences.schema import Codes, Histories

MAX_LISTED = 100


@dataclass(frozen=True)
class Columns:
    """Which column holds what: of a line, the subject, the visit or its time, the kind of the code, and the code.

    A visit is known by its name within the subject, or, without `visit`, by its time. Visits are ordered by `time`, or,
    without it, by their numbers. `medication` is the kind that is to be predicted. In one table for each kind there is
    no column of kinds, and `code` may name a column for each kind.
    """

    subject: str = "subject_id"
    visit: str | None = None
    time: str | None = None
    kind: str = "kind"
    code: str | Mapping[str, str] = "code"
    medication: str = "medication"

    def __post_init__(self) -> None:
        if self.visit is None and self.time is None:
            raise RequestError("visits need a column that names them (visit) or their time (time)")


@dataclass
class Account:
    """What became of every line: `n_lines` = `n_used` + `n_merged` + refused."""

    n_lines: int = 0
    n_used: int = 0
    n_merged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How many lines were refused for each reason."""
        return dict(Counter(reason for _, reason in self.refused).most_common())

    def document(self) -> dict[str, Any]:
        """Plain values: counts, reasons, and the first refused lines."""
        return {
            "n_lines": self.n_lines,
            "n_used": self.n_used,
            "n_merged": self.n_merged,
            "n_refused": len(self.refused),
            "reasons": self.reasons,
            "refused": [
                {"name": f"line {line}", "line": line, "reason": reason}
                for line, reason in self.refused[:MAX_LISTED]
            ],
        }


@dataclass(frozen=True)
class ReadHistories:
    """The histories of `source`, and the account of its lines."""

    histories: Histories
    account: Account
    source: str


def read_histories(
    reference: Any, columns: Columns, *, visits: Any = None, must_have_medications: bool = True
) -> ReadHistories:
    """The visits of every subject, from a long table or from a mapping of kinds to tables.

    `visits` is a table of subject, visit and time, for tables that do not tell when a visit was; a line of a visit that
    it lacks is refused. A line without a subject, a visit, a kind or a code is refused, and told by its number. A code
    that stands twice in a visit counts once.

    With `must_have_medications` it is an error that no line is a medication. TableError or UnknownNameError where a
    column is not there, times or visits have no order, or nothing is left.
    """
    account = Account()
    tables = reference if isinstance(reference, Mapping) else {None: reference}
    parts, sources = [], []
    for kind, one in tables.items():
        table = read_table(one)
        account.n_lines += table.n_read
        account.refused += [(refusal.row or 0, refusal.reason) for refusal in table.refused]
        account.notes += list(table.notes)
        parts.append(_lines(table, columns, kind, with_time=visits is None))
        sources.append(table.source)
    lines = pl.concat(parts)
    lines = _refuse_gaps(lines, columns, account)
    if visits is not None:
        lines = _timed(lines, read_table(visits), columns, account)
    source = ", ".join(dict.fromkeys(sources))
    if not lines.height:
        told = "; ".join(f"{n} lines: {why}" for why, n in account.reasons.items())
        raise TableError("holds no line that can be used", where=source, hint=told or "it has no lines")
    lines = _ordered(lines, columns, source)
    distinct = lines.unique(["subject", "visit", "kind", "code"], keep="first", maintain_order=True)
    account.n_merged = lines.height - distinct.height
    account.n_used = distinct.height
    if must_have_medications and columns.medication not in distinct["kind"]:
        raise TableError(
            f"no line is of the kind {columns.medication!r}, which is to be predicted", where=source,
            hint=f"give medication, one of the kinds {', '.join(sorted(set(distinct['kind'])))}",
        )  # fmt: skip
    return ReadHistories(_histories(distinct, columns.medication), account, source)


def _lines(table: Table, columns: Columns, kind: str | None, *, with_time: bool) -> pl.DataFrame:
    """The lines of one table as texts: line, subject, visit (or None), kind, code, and the time as a number."""
    code = columns.code if isinstance(columns.code, str) else columns.code.get(kind or "")
    if code is None:
        raise RequestError(f"code names no column for the kind {kind!r}")
    named = [columns.subject, code, *([columns.kind] if kind is None else [])]
    named += [one for one in (columns.visit, columns.time if with_time else None) if one is not None]
    for name in named:
        if name not in table.frame.columns:
            raise unknown_name("column", name, table.frame.columns, where=table.source)
    n = table.n_rows
    time = pl.Series("time", [None] * n, dtype=pl.Float64)
    if with_time and columns.time is not None:
        time = _times(table, columns.time)
    visit = names_of(table.frame[columns.visit]) if columns.visit is not None else _plain(time)
    return pl.DataFrame(
        {
            "line": pl.Series(table.rows, dtype=pl.Int64),
            "subject": pl.Series(names_of(table.frame[columns.subject]), dtype=pl.String),
            "visit": pl.Series(visit, dtype=pl.String),
            "kind": pl.Series(
                [kind] * n if kind is not None else names_of(table.frame[columns.kind]), dtype=pl.String
            ),
            "code": pl.Series(names_of(table.frame[code]), dtype=pl.String),
            "time": time,
        }
    )


def _times(table: Table, name: str) -> pl.Series:
    """A column of times as numbers: days where they are dates."""
    if table.schema[name].kind not in ("date", "numeric"):
        raise TableError(
            "times must be dates or numbers", where=f"{table.source}, column {name}",
            hint="write dates as 2024-05-31, or number the visits",
        )  # fmt: skip
    return pl.Series("time", table.column(name), dtype=pl.Float64).fill_nan(None)


def _plain(time: pl.Series) -> list[str | None]:
    return names_of(time)


def _refuse_gaps(lines: pl.DataFrame, columns: Columns, account: Account) -> pl.DataFrame:
    for name in ("subject", "visit", "kind", "code"):
        gaps = lines.filter(pl.col(name).is_null() | (pl.col(name) == ""))
        if name == "visit" and columns.visit is None:
            account.refused += [(int(line), "no time") for line in gaps["line"]]
        else:
            account.refused += [(int(line), f"no {name}") for line in gaps["line"]]
        lines = lines.filter(pl.col(name).is_not_null() & (pl.col(name) != ""))
    return lines


def _timed(lines: pl.DataFrame, table: Table, columns: Columns, account: Account) -> pl.DataFrame:
    """The lines with the times of their visits, from the table of visits."""
    if columns.visit is None or columns.time is None:
        raise RequestError("a table of visits needs the columns visit and time")
    for name in (columns.subject, columns.visit, columns.time):
        if name not in table.frame.columns:
            raise unknown_name("column", name, table.frame.columns, where=table.source)
    known = pl.DataFrame(
        {
            "subject": pl.Series(names_of(table.frame[columns.subject]), dtype=pl.String),
            "visit": pl.Series(names_of(table.frame[columns.visit]), dtype=pl.String),
            "at": _times(table, columns.time),
        }
    ).drop_nulls().group_by(["subject", "visit"]).agg(pl.col("at").min())  # fmt: skip
    joined = lines.join(known, on=["subject", "visit"], how="left", maintain_order="left")
    lost = joined.filter(pl.col("at").is_null())
    account.refused += [(int(line), "the visit is not in the table of visits, or has no time there")
                        for line in lost["line"]]  # fmt: skip
    return joined.filter(pl.col("at").is_not_null()).with_columns(time=pl.col("at")).drop("at")


def _ordered(lines: pl.DataFrame, columns: Columns, source: str) -> pl.DataFrame:
    """Lines with the time of their whole visit, sorted by subject, time and visit."""
    if lines["time"].null_count() == lines.height:
        number = lines["visit"].cast(pl.Float64, strict=False)
        if number.null_count():
            raise TableError(
                "visits that are named by texts have no order", where=f"{source}, column {columns.visit}",
                hint="give time, the column with the time of each line, or number the visits",
            )  # fmt: skip
        return lines.with_columns(order=number).sort(["subject", "order", "kind", "code", "line"])
    together = lines.with_columns(time=pl.col("time").min().over(["subject", "visit"]))
    untimed = together.filter(pl.col("time").is_null())
    if untimed.height:
        raise TableError(
            f"{untimed.height} lines are of visits without any time", where=source,
            hint="give each visit a time in at least one of its lines",
        )  # fmt: skip
    return together.with_columns(order=pl.col("time")).sort(
        ["subject", "order", "visit", "kind", "code", "line"]
    )


def _histories(lines: pl.DataFrame, medication: str) -> Histories:
    visits = lines.unique(["subject", "visit"], keep="first", maintain_order=True).select(
        "subject", "visit", "time"
    )
    visits = visits.with_row_index("at")
    subjects = visits.unique("subject", keep="first", maintain_order=True)
    lines = lines.join(
        visits.select("subject", "visit", "at"), on=["subject", "visit"], maintain_order="left"
    )
    codes = {}
    for kind in sorted(set(lines["kind"])):
        part = lines.filter(pl.col("kind") == kind).sort(["at", "code"])
        names, code = np.unique(part["code"].to_numpy().astype(str), return_inverse=True)
        start = np.searchsorted(part["at"].to_numpy(), np.arange(visits.height + 1))
        codes[kind] = Codes(
            tuple(str(name) for name in names), start.astype(np.int64), code.reshape(-1).astype(np.int64)
        )
    none = Codes((), np.zeros(visits.height + 1, dtype=np.int64), np.empty(0, dtype=np.int64))
    codes.setdefault(medication, none)
    return Histories(
        tuple(subjects["subject"].to_list()),
        np.append(subjects["at"].to_numpy(), visits.height).astype(np.int64),
        tuple(visits["visit"].to_list()),
        visits["time"].fill_null(float("nan")).to_numpy().astype(float),
        codes,
        medication,
    )
