"""Reads delimited text: finds out encoding, delimiter and header, and names a broken line by its number."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from iatros.core.errors import LimitError, TableError
from iatros.learners.tabular.cells import MISSING_CODES, dates, numbers
from iatros.learners.tabular.raw import RawTable
from iatros.learners.tabular.table import Refusal

DELIMITERS = (",", ";", "\t", "|")

REFUSED_SHARE = 0.01
"""Share of lines with the wrong number of cells above which the whole file is refused."""

_BLOCK = 20_000
_SAMPLE_LINES = 200
_SIGNATURES = {
    b"PAR1": ("a Parquet file", "give it the ending .parquet"),
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save the sheet as CSV"),
    b"\x80\x04": ("a Python pickle, which is never opened", "save the table as CSV or Parquet"),
    b"\x80\x05": ("a Python pickle, which is never opened", "save the table as CSV or Parquet"),
    b"\x89HDF": ("an HDF5 file", "save the table as CSV or Parquet"),
}


def read_csv(path: Path, *, max_bytes: int) -> RawTable:
    """The texts in the file, with `rows` as line numbers (the header is line 1).

    TableError: empty file, not text, no header, a name given twice or missing, no rows, an open quote, or
    too many lines with the wrong number of cells (up to 1 % are refused one by one). LimitError: more than
    `max_bytes` of text.
    """
    name = path.name
    text, notes = _decode(_content(path, max_bytes), name)
    if not text.strip():
        raise TableError(
            "the file is empty", where=name, hint="a header line and one line a patient are needed"
        )
    skipped, text, delimiter = _delimiter(text)
    lines = _Lines(text, skipped)
    header = _header(lines, delimiter, name)
    frame, rows, refused = _body(lines, delimiter, len(header), name)
    n_read = frame.height + len(refused)
    frame, rows, dropped = _without_empty_tail(frame, rows)
    if dropped:
        notes.append(f"{dropped} empty line(s) at the end of the file were left out")
    if frame.height == 0:
        raise TableError("the file has a header but no rows", where=name, hint="one line a patient is needed")
    columns = _named(header, frame, name, notes)
    return RawTable(columns, name, rows, True, refused, n_read - dropped, tuple(notes), delimiter=delimiter)


def _content(path: Path, max_bytes: int) -> bytes:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except IsADirectoryError:
        raise TableError(
            "is a folder, not a table", where=str(path), hint="name a CSV or Parquet file"
        ) from None
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise TableError("is not a whole gzip file", where=path.name) from None
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > max_bytes:
        raise LimitError(
            f"is larger than the limit of {max_bytes:,} bytes of text", where=path.name,
            hint="leave out columns that are not needed, or save it as Parquet",
        )  # fmt: skip
    for signature, (what, hint) in _SIGNATURES.items():
        if content.startswith(signature):
            raise TableError(f"is {what}, not delimited text", where=path.name, hint=hint)
    return content


def _decode(content: bytes, name: str) -> tuple[str, list[str]]:
    """The text with line ends as \\n, and what there is to say about its encoding."""
    notes: list[str] = []
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or content[1:2] == b"\x00" or content[:1] == b"\x00":
        codec = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le"
        codec = "utf-16-be" if content[:1] == b"\x00" else codec
    else:
        codec = "utf-8-sig"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        codec = "windows-1252" if codec == "utf-8-sig" else "latin-1"
        text = content.decode("cp1252", errors="replace") if codec == "windows-1252" else "\0"
        if "\ufffd" in text:
            codec, text = "latin-1", content.decode("latin-1")
        notes.append(f"read as {codec}, because the file is not UTF-8")
    if "\0" in text:
        raise TableError("is not text", where=name, hint="save the table as CSV (UTF-8) or Parquet")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def _delimiter(text: str) -> tuple[int, str, str]:
    """Lines skipped, the text after them, and the delimiter that cuts header and first lines alike."""
    said = re.match(r"\ufeff?sep=([,;|\t])\n", text, re.IGNORECASE)
    if said:
        return 1, text[said.end() :], said[1]
    sample = text.split("\n", _SAMPLE_LINES + 1)[:_SAMPLE_LINES]
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return 0, text, best


class _Lines:
    """The lines of a text one by one; knows how far into the text and the file they have been read."""

    def __init__(self, text: str, before: int) -> None:
        self.text = text
        self.offset = 0
        self.number = before

    def __iter__(self) -> Iterator[str]:
        while self.offset < len(self.text):
            end = self.text.find("\n", self.offset)
            end = len(self.text) if end < 0 else end + 1
            line, self.offset, self.number = self.text[self.offset : end], end, self.number + 1
            yield line


def _header(lines: _Lines, delimiter: str, name: str) -> list[str]:
    try:
        cells = next(
            row for row in csv.reader(lines, delimiter=delimiter, strict=True) if any(map(str.strip, row))
        )
    except (csv.Error, StopIteration):
        raise TableError(
            "the header cannot be read", where=f"{name}, line 1", hint="check the quotes in the first line"
        ) from None
    header = [cell.strip() for cell in cells]
    named = pl.Series([cell for cell in header if cell], dtype=pl.String)
    values = numbers(named).is_not_null() | dates(named).is_not_null() | named.is_in(MISSING_CODES)
    if int(values.sum()) * 2 >= len(named):
        raise TableError(
            "the first line holds values, not the names of columns", where=f"{name}, line {lines.number}",
            hint="put a header line with the names of the columns at the top",
        )  # fmt: skip
    twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if twice:
        raise TableError(
            f"the header names the column {twice[0]!r} {header.count(twice[0])} times", where=name,
            hint="give each column a name of its own (is the header line missing?)",
        )  # fmt: skip
    return header


def _named(header: list[str], frame: pl.DataFrame, name: str, notes: list[str]) -> dict[str, pl.Series]:
    """Columns by name; a column without a name is left out if it is empty and refused if not."""
    columns, unnamed = {}, 0
    for index, column in enumerate(header):
        texts = frame[f"c{index}"]
        if column:
            columns[column] = texts.alias(column)
        elif texts.is_null().all() or texts.is_in(MISSING_CODES).fill_null(True).all():
            unnamed += 1
        else:
            hint = "name it in the header"
            if index == 0:
                hint += ", or leave it out: pandas writes its row index like this unless told index=False"
            raise TableError(f"column {index + 1} has values but no name", where=name, hint=hint)
    if unnamed:
        notes.append(f"{unnamed} column(s) without a name and without values were left out")
    return columns


def _body(
    lines: _Lines, delimiter: str, width: int, name: str
) -> tuple[pl.DataFrame, np.ndarray, tuple[Refusal, ...]]:
    """Texts in columns c0, c1, ... without outer spaces, the line of each row, and what was refused."""
    first, rest = lines.number + 1, lines.text[lines.offset :].rstrip("\n")
    regular = _regular(rest, delimiter, width)
    if regular is not None:
        return _stripped(regular), np.arange(first, first + regular.height), ()
    frame, rows, refused = _record_by_record(lines, delimiter, width, name)
    if len(refused) > REFUSED_SHARE * (len(refused) + frame.height):
        raise TableError(
            refused[0].reason, where=f"{name}, line {refused[0].row}",
            hint=f"{len(refused)} lines are broken; check delimiter ({delimiter!r} was found) and quotes",
        )  # fmt: skip
    return _stripped(frame), rows, refused


def _regular(text: str, delimiter: str, width: int) -> pl.DataFrame | None:
    """The cells of a text without quotes or blank lines in which every line has `width` cells, else None."""
    if not text or '"' in text or width < 2:
        return None
    content = text.encode()
    codes = np.frombuffer(content, dtype=np.uint8)
    ends = np.append(np.flatnonzero(codes == 10), len(codes))
    cuts = np.searchsorted(np.flatnonzero(codes == ord(delimiter)), ends)
    if np.any(np.diff(cuts, prepend=0) != width - 1):
        return None
    names = [f"c{index}" for index in range(width)]
    frame = pl.read_csv(
        io.BytesIO(content), has_header=False, separator=delimiter, quote_char=None, infer_schema=False,
        new_columns=names,
    )  # fmt: skip
    return frame if frame.shape == (len(ends), width) else None


def _record_by_record(
    lines: _Lines, delimiter: str, width: int, name: str
) -> tuple[pl.DataFrame, np.ndarray, tuple[Refusal, ...]]:
    schema = {f"c{index}": pl.String for index in range(width)}
    blocks: list[pl.DataFrame] = [pl.DataFrame(schema=schema)]
    records: list[list[str]] = []
    rows: list[int] = []
    refused: list[Refusal] = []
    for line, record in _records(lines, delimiter, name):
        cells = record[:width] if not any(map(str.strip, record[width:])) else record
        if len(cells) != width:
            reason = f"the line has {len(record)} cell(s) where the header has {width}"
            refused.append(Refusal(line, None, reason))
            continue
        records.append(cells)
        rows.append(line)
        if len(records) == _BLOCK:
            blocks.append(pl.DataFrame(records, schema=schema, orient="row"))
            records = []
    if records:
        blocks.append(pl.DataFrame(records, schema=schema, orient="row"))
    return pl.concat(blocks), np.array(rows, dtype=np.int64), tuple(refused)


def _records(lines: _Lines, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line on which it begins."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begin = lines.number + 1
    try:
        for record in reader:
            if any(map(str.strip, record)) or len(record) > 1:
                yield begin, record
            begin = lines.number + 1
    except csv.Error as error:
        raise TableError(
            f"the line cannot be cut into cells: {error}", where=f"{name}, line {begin}",
            hint='a cell with the delimiter or a quote in it must stand in "quotes", quotes inside doubled',
        ) from None  # fmt: skip


def _stripped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.all().str.strip_chars())


def _without_empty_tail(frame: pl.DataFrame, rows: np.ndarray) -> tuple[pl.DataFrame, np.ndarray, int]:
    """Spreadsheets write lines of delimiters below the last row; those are no patients."""
    height = frame.height
    while height and not any(frame.row(height - 1)):
        height -= 1
    return frame.head(height), rows[:height], frame.height - height
