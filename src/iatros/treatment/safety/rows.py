"""The tables of a knowledge as rows of text, each with its place; which columns they have."""

from __future__ import annotations

import dataclasses
import difflib
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from iatros.core.errors import SchemaError, TableError

MAX_BYTES = 2**30
"""Largest table that is read, in bytes of text."""


class Columns(NamedTuple):
    """The columns that a table must have, and those that it may have."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


TABLES = {
    "interactions": Columns(("drug_a", "drug_b", "severity"), ("mechanism", "source")),
    "contraindications": Columns(("drug", "severity"), ("condition", "threshold", "mechanism", "source")),
    "allergies": Columns(("allergy", "drug", "severity"), ("mechanism", "source")),
    "duplicates": Columns(("class", "severity"), ("level", "mechanism", "source")),
    "drugs": Columns(("drug",), ("atc",)),
    "synonyms": Columns(("name", "canonical"), ("system",)),
    "ingredients": Columns(("product", "ingredient")),
    "terms": Columns(("name", "canonical")),
}
"""Every table of a knowledge. All are optional; the first four hold rules, the others names."""

RULES = ("interactions", "contraindications", "allergies", "duplicates")


@dataclass(frozen=True)
class Row:
    """One row: its cells by column (an empty cell is an empty text), and where it stands."""

    cells: Mapping[str, str]
    table: str
    line: int
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def place(self, column: str) -> str:
        """Where a cell stands."""
        return f"{self.where}, column {column}"


@dataclass(frozen=True)
class RowTable:
    """The rows of one table, and what there is to say about reading it."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read_rows(table: str, given: Any) -> RowTable:
    """The rows of `table` (a key of `TABLES`) in a file, a DataFrame or a list of objects; there may be none.

    TableError or SchemaError, with file, line and column, for what cannot be read, a column that is needed and not
    there, or a needed cell that is empty.
    """
    raw = open_raw(given, table)
    if raw is None:
        return RowTable((), (f"the table {table} has no rows",))
    if raw.refused:
        first = raw.refused[0]
        raise TableError(
            first.reason, where=f"{raw.source}, line {first.row}", hint="no row may be lost: correct it"
        )
    columns = TABLES[table]
    wanted = (*columns.needed, *columns.optional)
    _check(list(raw.columns), table, raw.source)
    texts = {name: texts_of(raw.columns[name]) for name in wanted if name in raw.columns}
    rows = []
    for position in range(len(raw.rows)):
        line = int(raw.rows[position])
        where = raw.place("", position).removesuffix(", column ")
        row = Row({name: column[position] for name, column in texts.items()}, raw.source, line, where)
        for name in columns.needed:
            if not row[name]:
                raise TableError("the cell is empty", where=row.place(name), hint=f"every row needs {name}")
        rows.append(row)
    extra = [name for name in raw.columns if name not in wanted]
    notes = [f"{raw.source}: not used: {', '.join(extra)}"] if extra else []
    return RowTable(tuple(rows), (*notes, *(f"{raw.source}: {note}" for note in raw.notes)))


def _check(found: Sequence[str], table: str, source: str) -> None:
    columns = TABLES[table]
    for name in columns.needed:
        if name not in found:
            near = difflib.get_close_matches(name, found, n=1)
            hint = (
                f"is it called {near[0]!r} here?"
                if near
                else f"{table} has the columns {', '.join(columns.needed)}"
            )
            if columns.optional:
                hint += f"; and may have {', '.join(columns.optional)}"
            raise SchemaError(f"the table {table} has no column {name!r}", where=source, hint=hint)
    for name in columns.optional:
        near = difflib.get_close_matches(
            name, [one for one in found if one not in columns.needed], n=1, cutoff=0.75
        )
        if name not in found and near:
            raise SchemaError(
                f"the column {near[0]!r} is not known", where=source,
                hint=f"is it {name}? rename it, or give it a name that is less like it",
            )  # fmt: skip


def open_raw(given: Any, source: str) -> Any:
    """The raw table in a file, a DataFrame or a list of objects, which may differ in their names; None without rows."""
    import polars as pl

    from iatros.learners.tabular.csv_file import read_csv
    from iatros.learners.tabular.frames import from_pandas, from_polars, from_rows, read_parquet

    if isinstance(given, Path):
        if given.suffix.lower() in (".parquet", ".pq"):
            return None if _is_empty_parquet(given) else read_parquet(given, max_bytes=MAX_BYTES)
        return None if _is_only_header(given) else read_csv(given, max_bytes=MAX_BYTES)
    if isinstance(given, list):
        return from_rows(_alike(given, source), source) if given else None
    if not len(given):
        return None
    return from_polars(given, source) if isinstance(given, pl.DataFrame) else from_pandas(given, source)


def place_rows(table: RowTable, positions: Sequence[int], source: str) -> RowTable:
    """The rows with the positions that they have in `source`, of which they are a part."""
    rows = [
        dataclasses.replace(row, table=source, line=at, where=f"{source}, row {at} (counted from 0)")
        for row, at in zip(table.rows, positions, strict=True)
    ]
    return RowTable(tuple(rows), table.notes)


def _alike(rows: list[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    """Rows that all have the same names; what one lacks is empty."""
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise TableError(
                f"a {type(row).__name__} is no row", where=f"{source}, row {position} (counted from 0)",
                hint="give objects with the columns of the table",
            )  # fmt: skip
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _is_only_header(path: Path) -> bool:
    """Whether a text file holds one line that is not blank; what cannot be read is for the reader to say."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            return len(list(_first(file, 2))) == 1
    except (OSError, EOFError):
        return False


def _first(lines: Any, n: int) -> Iterator[str]:
    """The first `n` lines that hold more than delimiters."""
    for line in lines:
        if line.strip(" ,;|\t\r\n"):
            yield line
            n -= 1
        if not n:
            return


def _is_empty_parquet(path: Path) -> bool:
    import polars as pl

    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()) == 0
    except (OSError, pl.exceptions.PolarsError):
        return False


def texts_of(series: Any) -> list[str]:
    """The cells as text, one spelling a number; what means missing is an empty text."""
    import polars as pl

    from iatros.learners.tabular.cells import plain_numbers, without_missing

    if series.dtype == pl.Float64:
        series = plain_numbers(series)
    elif series.dtype != pl.String:
        series = series.cast(pl.String)
    return without_missing(series, ()).fill_null("").to_list()
