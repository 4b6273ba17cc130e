"""Columns of new patients, read as the schema of a bundle says they were in training."""

from __future__ import annotations

import difflib

import numpy as np
import polars as pl

from iatros.core.errors import SchemaError, TableError
from iatros.learners.tabular import cells
from iatros.learners.tabular.inference import to_levels
from iatros.learners.tabular.raw import RawTable
from iatros.learners.tabular.schema import Column, TableSchema

_SHOWN = 5


def check_columns(raw: RawTable, schema: TableSchema, allowed_extra: tuple[str, ...]) -> None:
    """Raise SchemaError for a missing or an extra column; those in `allowed_extra` may be there or not."""
    given = list(raw.columns)
    lacking = [name for name in schema.names if name not in raw.columns and name not in allowed_extra]
    extra = [name for name in given if name not in schema.names and name not in allowed_extra]
    if lacking:
        near = [n for name in lacking[:_SHOWN] for n in difflib.get_close_matches(name, extra, n=1)]
        hint = f"is it called {near[0]!r} here?" if near else "leave its cells empty where it is not known"
        raise SchemaError(
            f"{_listed(lacking)} missing that the model was trained on", where=raw.source, hint=hint
        )
    if extra:
        raise SchemaError(
            f"{_listed(extra)} there that the model does not know", where=raw.source,
            hint=f"leave out what is not among: {', '.join([*schema.names, *allowed_extra])}",
        )  # fmt: skip


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the column {shown} is" if len(names) == 1 else f"the columns {shown}{more} are"


def conform(raw: RawTable, column: Column, *, decimal_comma: bool = False) -> pl.Series:
    """The cells of `column`, typed by its kind; SchemaError where they are of another type.

    A level that was not seen in training stays as it is (`ranges.out_of_range` flags it); only
    where no cell is a level and all are of the other type, number for text, it is a retyped column.
    """
    series = raw.columns[column.name]
    if series.dtype == pl.Float64:
        series = cells.without_codes(series, column.missing_codes)
    elif series.dtype == pl.String:
        series = cells.without_missing(series, column.missing_codes, column.levels)
    if series.null_count() == len(series):
        return _empty(series, column)
    if column.kind == "numeric":
        return _numeric(raw, column, series, decimal_comma)
    if column.kind == "date":
        return _date(raw, column, series)
    return _leveled(raw, column, series)


def _empty(series: pl.Series, column: Column) -> pl.Series:
    from iatros.learners.tabular.table import FRAME_TYPES

    return pl.Series(column.name, [None] * len(series), dtype=FRAME_TYPES[column.kind])


def _numeric(raw: RawTable, column: Column, series: pl.Series, decimal_comma: bool) -> pl.Series:
    if series.dtype not in (pl.Float64, pl.String):
        raise _retyped(raw, column, "a number", "a date", 0, None)
    values = series
    if series.dtype == pl.String:
        values = cells.numbers(series, decimal_comma=decimal_comma)
        stray = np.flatnonzero((values.is_null() & series.is_not_null()).to_numpy())
        if len(stray):
            raise _retyped(raw, column, "a number", "text", int(stray[0]), series[int(stray[0])])
        values = cells.without_codes(values, column.missing_codes)
    position = cells.infinite_at(values)
    if position is not None:
        hint = "numbers must be finite; leave the cell empty if the value is not known"
        raise TableError("the value is infinite", where=raw.place(column.name, position), hint=hint)
    return values


def _date(raw: RawTable, column: Column, series: pl.Series) -> pl.Series:
    if series.dtype == pl.Float64:
        raise _retyped(raw, column, "a date", "a number", 0, None)
    if series.dtype != pl.String:
        return series
    try:
        found = cells.dates(series)
    except cells.AmbiguousDatesError:
        raise SchemaError(
            "it cannot be told whether the day or the month comes first", where=raw.place(column.name),
            hint="write dates as 2020-12-31",
        ) from None  # fmt: skip
    stray = np.flatnonzero((found.is_null() & series.is_not_null()).to_numpy())
    if len(stray):
        raise _retyped(raw, column, "a date", "text", int(stray[0]), series[int(stray[0])])
    return found


def _leveled(raw: RawTable, column: Column, series: pl.Series) -> pl.Series:
    if series.dtype not in (pl.Float64, pl.String):
        raise _retyped(raw, column, "text", "a date", 0, None)
    texts = cells.plain_numbers(series) if series.dtype == pl.Float64 else series
    texts = to_levels(texts, column.levels)
    if column.levels and not texts.is_in(list(column.levels)).fill_null(False).any():
        trained, given = _share_of_numbers(pl.Series(list(column.levels))), _share_of_numbers(texts)
        if {trained, given} == {0.0, 1.0}:
            position = int(np.flatnonzero(texts.is_not_null().to_numpy())[0])
            wanted, got = ("a number", "text") if trained else ("text", "a number")
            raise _retyped(raw, column, wanted, got, position, texts[position])
    return texts


def _share_of_numbers(texts: pl.Series) -> float:
    return 1.0 - (cells.numbers(texts).null_count() - texts.null_count()) / (len(texts) - texts.null_count())


def _retyped(
    raw: RawTable, column: Column, wanted: str, got: str, position: int, cell: str | None
) -> SchemaError:
    hint = f"the model was trained with a {column.kind} column here"
    if column.levels:
        shown = ", ".join(column.levels[:_SHOWN]) + (", ..." if len(column.levels) > _SHOWN else "")
        hint += f" (levels: {shown})"
    return SchemaError(
        f"{got} where {wanted} is expected", where=raw.place(column.name, position), cell=cell, hint=hint
    )
