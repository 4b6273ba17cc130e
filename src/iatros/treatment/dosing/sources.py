"""Patients and the doses they needed, read from a table; what cannot be used is refused with its line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import OutcomeError, RequestError, TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.schema import TableSchema
from iatros.learners.tabular.table import Refusal, Table
from iatros.treatment.dosing.schema import Columns, Doses
from iatros.treatment.dosing.units import check_unit, factors

LEAST_PATIENTS = 30
"""Fewer cannot be cut into folds of which each says something."""
MISSING = "missing"
_LISTED = 100
_LINES_NAMED = 5


@dataclass(frozen=True)
class Account:
    """What became of every row: `n_read` = `n_without_dose` + refused + used."""

    source: str
    fingerprint: str
    n_read: int
    n_used: int
    n_without_dose: int
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]
    other_columns: tuple[str, ...] = ()
    """Columns of the table that are no features."""

    def document(self) -> dict[str, Any]:
        """Plain values; the first refused rows with their lines and reasons, never their cells."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "n_read": self.n_read,
            "n_used": self.n_used,
            "n_without_dose": self.n_without_dose,
            "n_refused": len(self.refused),
            "reasons": dict(Counter(one.reason for one in self.refused).most_common()),
            "refused": [
                {"row": one.row, "column": one.column, "reason": one.reason} for one in self.refused[:_LISTED]
            ],
        }


@dataclass(frozen=True)
class ReadDoses:
    """The patients that can be used, and the account of all."""

    doses: Doses
    account: Account


def read_doses(reference: Any, columns: Columns, *, schema: TableSchema | None = None) -> ReadDoses:
    """The patients of a table with the dose that each needed, in `columns.unit`.

    Without `schema` (training) the features are chosen by `columns`; dates, identifiers, the hospital, and columns that
    the dictionary says were recorded later are never among them. With it (evaluation) they are its columns. A row
    without a dose, patient or hospital is left out and counted; a dose of zero or below, and one whose unit is missing,
    unknown or no match, is refused with its line. OutcomeError where too few are left or all doses are the same.
    """
    check_unit(columns.unit)
    table = _read(reference, columns, schema)
    _check_names(table, columns)
    dose = _numbers(table, columns.dose)
    kept, refused = _judged(table, dose, columns)
    n_without = int(np.isnan(dose).sum())
    used = table.take(kept)
    if len(kept) == 0:
        reasons = Counter(one.reason for one in refused)
        raise OutcomeError(
            "no row has a dose that can be used",
            where=f"{table.source}, column {columns.dose}",
            hint="; ".join(f"{n} rows: {why}" for why, n in reasons.most_common()) or "every dose is missing",
        )
    y = dose[kept] * _factor_of_rows(table, columns)[kept]
    if schema is None:
        _check_learnable(used, y, columns)
    features, notes = (used.select(schema.names), []) if schema is not None else _features(used, columns)
    doses = Doses(
        features=features,
        y=y,
        name=columns.dose,
        unit=columns.unit,
        groups=_groups(used, columns.subject),
        sites=None if columns.site is None else as_text(used.frame[columns.site]),
        subgroups={name: as_text(used.frame[name]) for name in columns.subgroup},
    )
    account = Account(
        source=table.source,
        fingerprint=used.fingerprint(),
        n_read=table.n_read,
        n_used=len(y),
        n_without_dose=n_without,
        refused=(*table.refused, *refused),
        notes=(*table.notes, *notes, *_refusal_notes(table, refused), *_converted(table, columns)),
        other_columns=tuple(sorted(set(table.schema.names) - set(features.schema.names))),
    )
    return ReadDoses(doses, account)


def as_text(series: pl.Series) -> np.ndarray:
    """A column as labels (n,), `missing` where there is none."""
    if series.dtype.is_numeric():
        return np.array([MISSING if v is None else f"{v:g}" for v in series.to_list()], dtype=object)
    return series.cast(pl.String).fill_null(MISSING).to_numpy().astype(object)


def _read(reference: Any, columns: Columns, schema: TableSchema | None) -> Table:
    if schema is None:
        return read_table(reference, missing_codes=columns.missing, dictionary=columns.dictionary)
    roles = (columns.dose, columns.unit_column, columns.subject, columns.site, *columns.subgroup)
    extra = (*(name for name in roles if name), *columns.exclude)
    return read_table(reference, missing_codes=columns.missing, schema=schema, allowed_extra=extra)


def _check_names(table: Table, columns: Columns) -> None:
    roles = [columns.dose, columns.unit_column, columns.subject, columns.site]
    for name in (*roles, *columns.subgroup, *columns.features):
        if name is not None and name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    named = [name for name in roles if name]
    if len(set(named)) < len(named):
        raise RequestError("dose, unit_column, subject and site must be different columns")
    taken = sorted(set(columns.features) & set(named))
    if taken:
        raise RequestError(f"the column {taken[0]!r} has another role and cannot be one of the features")


def _numbers(table: Table, name: str) -> np.ndarray:
    """The column of doses as numbers, nan where missing; TableError with the line of what is none."""
    column = table.schema[name]
    if column.kind == "numeric":
        return table.column(name)
    if column.kind == "date":
        raise TableError("the column of doses holds dates", where=f"{table.source}, column {name}")
    texts = table.frame[name]
    numbers = texts.cast(pl.Float64, strict=False)
    stray = np.flatnonzero((numbers.is_null() & texts.is_not_null()).to_numpy())
    if len(stray):
        raise TableError(
            "a dose is not a number",
            where=f"{table.source}, row {int(table.rows[stray[0]])}, column {name}",
            cell=str(texts[int(stray[0])]),
            hint="put the unit into a column of its own (unit_column)",
        )
    return numbers.fill_null(float("nan")).to_numpy().copy()


def _factor_of_rows(table: Table, columns: Columns) -> np.ndarray:
    if columns.unit_column is None:
        return np.ones(table.n_rows)
    return factors(table.frame[columns.unit_column].cast(pl.String).to_list(), columns.unit)


def _judged(table: Table, dose: np.ndarray, columns: Columns) -> tuple[np.ndarray, list[Refusal]]:
    """Positions of the rows that can be used, and why others with a dose cannot."""
    unit = _factor_of_rows(table, columns)
    given = (
        np.ones(table.n_rows, dtype=bool)
        if columns.unit_column is None
        else table.frame[columns.unit_column].is_not_null().to_numpy()
    )
    with np.errstate(invalid="ignore"):
        reasons: list[tuple[np.ndarray, str, str]] = [
            (dose < 0, columns.dose, "the dose is negative"),
            (dose == 0, columns.dose, "the dose is zero"),
            (~given, str(columns.unit_column), "the unit of the dose is missing"),
            (
                np.isnan(unit) & given,
                str(columns.unit_column),
                f"the unit of the dose is not known, or does not lead to {columns.unit}",
            ),
        ]
    for role, name in (("patient", columns.subject), ("hospital", columns.site)):
        if name is not None:
            reasons.append((table.frame[name].is_null().to_numpy(), name, f"the {role} is missing"))
    open_rows = ~np.isnan(dose)
    refused = []
    for hit, column, reason in reasons:
        rows = np.flatnonzero(open_rows & hit)
        refused += [Refusal(int(table.rows[row]), column, reason) for row in rows]
        open_rows[rows] = False
    return np.flatnonzero(open_rows), sorted(refused, key=lambda one: one.row or 0)


def _check_learnable(table: Table, y: np.ndarray, columns: Columns) -> None:
    where = f"{table.source}, column {columns.dose}"
    if np.ptp(y) <= 1e-12 * float(np.abs(y).max()):
        raise OutcomeError(
            "all doses are the same, so there is nothing to learn",
            where=where,
            hint="give patients who needed different doses",
        )
    n = len(np.unique(_groups(table, columns.subject)))
    if n < LEAST_PATIENTS:
        raise OutcomeError(
            f"{n} patients have a dose, at least {LEAST_PATIENTS} are needed to learn and to judge",
            where=where,
            hint="collect more patients, or use a published equation",
        )


def _features(table: Table, columns: Columns) -> tuple[Table, list[str]]:
    roles = {columns.dose, columns.unit_column, columns.subject, columns.site, *columns.exclude}
    notes, names = [], []
    for name in columns.features or table.schema.names:
        column = table.schema[name]
        if name in roles:
            continue
        if column.kind == "date":
            notes.append(f"{name} holds dates and is not learned from")
        elif column.recorded == "after_prediction":
            notes.append(f"{name} is recorded later by the dictionary and is not learned from")
        elif column.identifier and name not in columns.features:
            notes.append(
                f"{name} looks like an identifier and is not learned from; name it in features to insist"
            )
        else:
            names.append(name)
    if not names:
        raise TableError(
            "no column is left to learn from", where=table.source, hint="check features and exclude"
        )
    return table.select(names), notes


def _groups(table: Table, subject: str | None) -> np.ndarray:
    if subject is None:
        return np.arange(table.n_rows)
    return table.frame[subject].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1


def _refusal_notes(table: Table, refused: list[Refusal]) -> list[str]:
    """One sentence for each reason, with the first lines that it hit."""
    by_reason: dict[str, list[int]] = {}
    for one in refused:
        by_reason.setdefault(one.reason, []).append(one.row or 0)
    notes = []
    for reason, rows in by_reason.items():
        shown = ", ".join(str(row) for row in rows[:_LINES_NAMED])
        more = f" and {len(rows) - _LINES_NAMED} more" if len(rows) > _LINES_NAMED else ""
        notes.append(f"{table.source}: {len(rows)} rows refused, {reason}: row {shown}{more}")
    return notes


def _converted(table: Table, columns: Columns) -> list[str]:
    if columns.unit_column is None:
        return []
    counts = Counter(table.frame[columns.unit_column].cast(pl.String).drop_nulls().to_list())
    found = zip(counts, factors(list(counts), columns.unit), strict=True)
    return [
        f"{counts[unit]} doses in {unit} were multiplied by {times:g} to be in {columns.unit}"
        for unit, times in found
        if np.isfinite(times) and times != 1.0
    ]
