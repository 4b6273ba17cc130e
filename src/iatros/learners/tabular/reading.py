"""Reads a table of patients from a file, a DataFrame or rows; refuses a bad one with file, row and column."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl

from iatros.core.errors import TableError
from iatros.learners.tabular.cells import has_decimal_comma
from iatros.learners.tabular.conforming import check_columns, conform
from iatros.learners.tabular.csv_file import read_csv
from iatros.learners.tabular.dictionary import Dictionary, DictionaryColumn, read_dictionary
from iatros.learners.tabular.frames import from_pandas, from_polars, from_rows, read_parquet
from iatros.learners.tabular.inference import Typed, infer_column
from iatros.learners.tabular.ranges import observed_schema
from iatros.learners.tabular.raw import RawTable
from iatros.learners.tabular.schema import TableSchema
from iatros.learners.tabular.table import Table

MAX_BYTES = 2 * 1024**3
"""Largest table that is read, in bytes of text (unpacked) or eight bytes a cell."""


def read_table(
    reference: Any,
    *,
    missing_codes: tuple[str, ...] = (),
    dictionary: Path | None = None,
    schema: TableSchema | None = None,
    allowed_extra: tuple[str, ...] = (),
    max_bytes: int = MAX_BYTES,
) -> Table:
    """The table that `reference` names, typed.

    `reference` is a path (.csv, .tsv, .txt, .data and the like, each also as .gz; .parquet), a polars or
    pandas DataFrame, or a list of objects. Without `schema` (training) kinds are read off the cells,
    `missing_codes` and `dictionary` add to that, and up to 1 % of broken lines are refused one by one.
    With `schema` (evaluation, prediction) the columns must be those of the schema, in any order and of the
    same kinds; columns in `allowed_extra`, such as outcome and patient, may be there or not, and no line
    may be broken.

    TableError or SchemaError, with file, row and column, for anything that does not fit.

    >>> table = read_table([{"age": 61, "sex": "f"}, {"age": None, "sex": "m"}])
    >>> [(column.name, column.kind) for column in table.schema.columns]
    [('age', 'numeric'), ('sex', 'categorical')]
    """
    raw = _open(reference, max_bytes)
    if schema is not None and raw.refused:
        first = raw.refused[0]
        hint = "correct the line: for a prediction no patient is left out"
        raise TableError(first.reason, where=f"{raw.source}, line {first.row}", hint=hint)
    spec = read_dictionary(dictionary) if dictionary is not None else Dictionary()
    spec.check_names(list(raw.columns), raw.source)
    codes = (*missing_codes, *spec.missing_codes)
    comma = _decimal_comma(raw)
    if schema is None:
        typed = [_infer(raw, name, spec, codes, comma) for name in raw.columns]
    else:
        check_columns(raw, schema, allowed_extra)
        typed = _conformed(raw, schema, spec, codes, comma)
    notes = [*raw.notes, *(["numbers are written with a decimal comma"] if comma else [])]
    notes += [note for part in typed for note in part.notes]
    table = Table(
        frame=pl.DataFrame([part.series for part in typed]),
        schema=TableSchema(columns=tuple(part.column for part in typed)),
        source=raw.source, rows=raw.rows, refused=raw.refused, n_read=raw.n_read, notes=tuple(notes),
    )  # fmt: skip
    return table if schema is not None else _with_ranges(table)


def _with_ranges(table: Table) -> Table:
    columns = tuple(
        # levels that the dictionary lists stay, seen or not
        seen.model_copy(update={"levels": said.levels}) if said.levels else seen
        for said, seen in zip(table.schema.columns, observed_schema(table).columns, strict=True)
    )
    return dataclasses.replace(table, schema=TableSchema(columns=columns))


def _conformed(
    raw: RawTable, schema: TableSchema, spec: Dictionary, codes: tuple[str, ...], comma: bool
) -> list[Typed]:
    typed = [
        Typed(conform(raw, column, decimal_comma=comma).alias(column.name), column)
        for column in schema.columns
        if column.name in raw.columns
    ]
    extra = [name for name in raw.columns if name not in schema.names]
    return typed + [_infer(raw, name, spec, codes, comma) for name in extra]


def _infer(raw: RawTable, name: str, spec: Dictionary, codes: tuple[str, ...], comma: bool) -> Typed:
    return infer_column(raw, name, spec.columns.get(name, DictionaryColumn()), codes, decimal_comma=comma)


def _decimal_comma(raw: RawTable) -> bool:
    """A comma can be decimal only where it does not cut cells; there "1,234" is no thousand either."""
    if raw.delimiter in (None, ","):
        return False
    return has_decimal_comma(series for series in raw.columns.values() if series.dtype == pl.String)


def _open(reference: Any, max_bytes: int) -> RawTable:
    if isinstance(reference, (str, Path)):
        path = Path(reference)
        if path.suffix.lower() in (".parquet", ".pq"):
            return read_parquet(path, max_bytes=max_bytes)
        return read_csv(path, max_bytes=max_bytes)
    if isinstance(reference, pl.DataFrame):
        return from_polars(reference)
    if isinstance(reference, list):
        return from_rows(reference)
    if type(reference).__module__.partition(".")[0] == "pandas":
        return from_pandas(reference)
    raise TableError(
        f"a {type(reference).__name__} is not a table",
        hint="give a path, a polars or pandas DataFrame, or a list of rows",
    )
