"""A table of patients: typed columns, what each row was in the file, and what was refused on the way."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from iatros.learners.tabular.schema import TableSchema

FRAME_TYPES: dict[str, pl.DataType] = {
    "numeric": pl.Float64(),
    "categorical": pl.String(),
    "ordinal": pl.String(),
    "date": pl.Datetime("us"),
}
"""Type of a column in `Table.frame` by its kind; a missing value is null, never NaN or an empty text.

Dates carry no time zone and mean UTC."""


@dataclass(frozen=True)
class Refusal:
    """A row or column that was left out. `row` is the line in the file (the header is line 1)."""

    row: int | None
    column: str | None
    reason: str


@dataclass(frozen=True)
class Table:
    """Patients as rows, typed as `FRAME_TYPES` says, with columns named and ordered as in `schema`.

    `rows` holds, for each row, its line in the file (header = line 1), or its position counted from 0
    where the table came as a DataFrame or as rows. `n_read` counts the rows before any were refused.
    """

    frame: pl.DataFrame
    schema: TableSchema
    source: str
    rows: np.ndarray
    refused: tuple[Refusal, ...] = ()
    n_read: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows at hand."""
        return self.frame.height

    def take(self, index: np.ndarray) -> Table:
        """The rows at `index` (integer positions, repeats allowed, or a boolean mask), in that order."""
        index = np.asarray(index)
        positions = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return dataclasses.replace(self, frame=self.frame[positions], rows=self.rows[positions])

    def select(self, names: list[str]) -> Table:
        """The columns `names`, in that order; a name that is not there raises UnknownNameError."""
        schema = self.schema.select(list(names))
        return dataclasses.replace(self, frame=self.frame.select(schema.names), schema=schema)

    def column(self, name: str) -> np.ndarray:
        """One column as an array: numeric float64 with NaN; date days since 1970-01-01; else str or None."""
        kind = self.schema[name].kind
        series = self.frame[name]
        if kind == "numeric":
            return floats(series)
        if kind == "date":
            return days(series)
        return np.array(series.to_list(), dtype=object)

    def fingerprint(self) -> str:
        """SHA-256 of the schema and of every cell, in row order; the name of the file does not enter."""
        digest = hashlib.sha256(self.schema.model_dump_json().encode())
        for name in self.schema.names:
            digest.update(_content(self.frame[name]))
        return digest.hexdigest()


def floats(series: pl.Series) -> np.ndarray:
    """A numeric column as float64, NaN where missing; shape (n_rows,)."""
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()


def days(series: pl.Series) -> np.ndarray:
    """A date column as days since 1970-01-01 (UTC), NaN where missing; shape (n_rows,)."""
    microseconds = series.cast(pl.Datetime("us")).to_physical().cast(pl.Float64)
    return floats(microseconds / 86_400_000_000.0)


def _content(series: pl.Series) -> bytes:
    if series.dtype == pl.String:
        text = series.fill_null("")
        lengths = series.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy()
        return lengths.tobytes() + "".join(text.to_list()).encode()
    if series.dtype == pl.Float64:
        # one bit pattern for missing, one for zero
        values = floats(series)
        values[np.isnan(values)] = np.nan
        return (values + 0.0).tobytes()
    missing = np.iinfo(np.int64).min
    return series.to_physical().cast(pl.Int64).fill_null(missing).to_numpy().tobytes()
