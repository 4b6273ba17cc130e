"""Compounds that are already in memory, and Parquet files, which are read a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iatros.core.errors import RequestError, TableError
from iatros.molecules.schema import Entry
from iatros.molecules.sources.columns import Wanted, choose

BLOCK_ROWS = 50_000


def read_frame(frame: Any, wanted: Wanted, notes: list[str]) -> Iterator[Entry]:
    """Each row of a polars or pandas DataFrame, counted from 1."""
    chosen = choose([str(name) for name in frame.columns], wanted, "the table", notes)
    slices = frame.iloc if hasattr(frame, "iloc") else frame
    for begin in range(0, len(frame), BLOCK_ROWS):
        block = slices[begin : begin + BLOCK_ROWS]
        columns = [list(block[name]) for name in frame.columns]
        for place, row in enumerate(zip(*columns, strict=True), begin + 1):
            yield chosen.entry(place, _Texts(row))


def read_parquet(path: Path, wanted: Wanted, notes: list[str]) -> Iterator[Entry]:
    """Each row of a Parquet file, counted from 1."""
    frame, header = _scan(path)
    chosen = choose(header, wanted, path.name, notes)
    begin = 0
    while True:
        block = frame.slice(begin, BLOCK_ROWS).collect()
        for place, row in enumerate(block.iter_rows(), begin + 1):
            yield chosen.entry(place, _Texts(row))
        begin += block.height
        if block.height < BLOCK_ROWS:
            return


def parquet_header(path: Path) -> list[str]:
    """The names of the columns."""
    return _scan(path)[1]


def _scan(path: Path) -> tuple[Any, list[str]]:
    import polars as pl

    try:
        frame = pl.scan_parquet(path)
        return frame, frame.collect_schema().names()
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except (pl.exceptions.PolarsError, OSError):
        raise TableError("is not a whole Parquet file", where=path.name) from None


def read_inline(rows: list[Any], wanted: Wanted, notes: list[str]) -> Iterator[Entry]:
    """Each member of a list of structures or of rows, counted from 1."""
    if not rows:
        return
    if isinstance(rows[0], str):
        asked = [name for name in (wanted.smiles, wanted.identifier, *wanted.measured()) if name is not None]
        if asked:
            raise RequestError(
                f"the column {asked[0]!r} was asked for, and a list of structures has none", hint="give rows"
            )
        for place, structure in enumerate(rows, 1):
            yield Entry(place, structure.strip())
        return
    header = list(dict.fromkeys(str(name) for row in rows for name in row))
    chosen = choose(header, wanted, "the rows", notes)
    for place, row in enumerate(rows, 1):
        yield chosen.entry(place, _Texts([row.get(name) for name in header]))


class _Texts(Sequence[str]):
    """A row whose cells are read as text: nothing for None and not-a-number."""

    def __init__(self, row: Sequence[Any]) -> None:
        self._row = row

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, place: Any) -> Any:
        value = self._row[place]
        return "" if value is None or value != value else str(value)
