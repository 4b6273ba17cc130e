"""SMILES files, and tables of text with a column of structures."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from iatros.core.errors import RequestError
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources.columns import Chosen, Wanted, choose, names_structures
from iatros.molecules.sources.lines import Line, first_lines, read_lines

DELIMITERS = (",", ";", "\t", "|")
MAX_CELL_LINES = 50
"""Most lines over which a cell in quotes may run."""
MAX_RECORD_CHARACTERS = 1_000_000


def read_text(path: Path, wanted: Wanted, notes: list[str]) -> Iterator[Entry]:
    """Each line of a SMILES file or of a delimited table, with a header or without.

    A first line that names a column of structures is a header; its delimiter is noticed. Without one, the
    structure is the first word of each line and the rest is the name of the compound.
    """
    first = first_lines(path, 1)
    delimiter = _delimiter(first[0].text, wanted) if first else None
    if delimiter is None:
        if first:
            _check_no_header(path, first[0].text, wanted)
        yield from _words(read_lines(path, notes))
        return
    lines = read_lines(path, notes)
    yield from _table(lines, delimiter, path.name, wanted, notes)


def read_header(path: Path, wanted: Wanted) -> list[str]:
    """The names of the columns of a table; none where the file has no header."""
    first = first_lines(path, 1)
    delimiter = _delimiter(first[0].text, wanted) if first else None
    if delimiter is None:
        return []
    return first[0].text.split() if delimiter == " " else _cells(first[0].text, delimiter)


def _delimiter(header: str, wanted: Wanted) -> str | None:
    """What cuts the first line into names of columns of which one is for structures; None for a bare SMILES file."""
    for delimiter in DELIMITERS:
        cells = _cells(header, delimiter)
        if len(cells) > 1 and names_structures(cells, wanted):
            return delimiter
    if names_structures([header.strip()], wanted):
        return ","
    return " " if names_structures(header.split(), wanted) else None


def _check_no_header(path: Path, first: str, wanted: Wanted) -> None:
    asked = [name for name in (wanted.smiles, wanted.identifier, *wanted.measured()) if name is not None]
    many = max(len(_cells(first, delimiter)) for delimiter in DELIMITERS) > 1
    if asked:
        raise RequestError(
            f"the column {asked[0]!r} was asked for, and the first line names no column of structures",
            hint="name the column of structures with smiles, or put a header line at the top",
        )
    if many and path.suffixes and ".smi" not in path.name.lower():
        raise RequestError(
            "the first line names no column that is known to hold structures",
            hint="name it with smiles, or put a header line at the top",
            where=path.name,
        )


def _words(lines: Iterator[Line]) -> Iterator[Entry]:
    for line in lines:
        if line.problem:
            yield Entry(line.number, refusal=line.problem)
            continue
        text = line.text.strip()
        if not text:
            yield Entry(line.number, refusal=BLANK)
            continue
        if text.startswith("#"):
            yield Entry(line.number, refusal="a comment, not a compound")
            continue
        structure, _, rest = text.partition("\t") if "\t" in text else text.partition(" ")
        rest = rest.strip()
        if rest.startswith("|") and "|" in rest[1:]:
            extension, _, rest = rest[1:].partition("|")
            structure = f"{structure} |{extension}|"
        yield Entry(line.number, structure.strip(), rest.strip())


def _table(
    lines: Iterator[Line], delimiter: str, source: str, wanted: Wanted, notes: list[str]
) -> Iterator[Entry]:
    chosen: Chosen | None = None
    width = 0
    for number, cells, problem in _records(lines, delimiter):
        if problem:
            yield Entry(number, refusal=problem)
        elif not any(cells):
            yield Entry(number, refusal=BLANK)
        elif chosen is None:
            width = len(cells)
            chosen = choose(cells, wanted, source, notes)
        elif len(cells) < width or any(cells[width:]):
            said = f"the line has {len(cells)} cell(s) where the header has {width}"
            yield Entry(number, refusal=said)
        else:
            yield chosen.entry(number, cells)


def _records(lines: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Number, cells and problem of each record; a quoted cell may run over a few lines.

    A quote that does not close costs its own line, not the rest of the file.
    """
    waiting: deque[Line] = deque()
    width = 0
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if line.problem:
            yield line.number, [], line.problem
            continue
        if delimiter == " ":
            cells: list[str] | None = line.text.split()
        elif '"' not in line.text:
            cells = [cell.strip() for cell in line.text.split(delimiter)]
        elif "unexpected end" not in _fault(line.text, delimiter):
            cells = _cells(line.text, delimiter)
        else:
            cells, used = _closed(line, waiting, lines, delimiter, width)
            for _ in range(used):
                waiting.popleft()
        if cells is None:
            yield line.number, [], "a quote in the line does not close"
            continue
        width = width or (len(cells) if any(cells) else 0)
        yield line.number, cells, ""


def _closed(
    line: Line, waiting: deque[Line], lines: Iterator[Line], delimiter: str, width: int
) -> tuple[list[str] | None, int]:
    """The cells from `line` to where its quote closes, and how many waiting lines that takes.

    None where it closes nowhere near, or where what it closes has another width than the header.
    """
    text = line.text
    for used in range(1, MAX_CELL_LINES + 1):
        if used > len(waiting):
            more = next(lines, None)
            if more is None:
                return None, 0
            waiting.append(more)
        following = waiting[used - 1]
        text = f"{text}\n{following.text}"
        if following.problem or len(text) > MAX_RECORD_CHARACTERS:
            return None, 0
        fault = _fault(text, delimiter)
        if "unexpected end" not in fault:
            cells = _cells(text, delimiter)
            return (cells, used) if not fault and width in (0, len(cells)) else (None, 0)
    return None, 0


def _fault(text: str, delimiter: str) -> str:
    """What is wrong with the quotes of `text`, in the words of the csv module; nothing where they are whole."""
    try:
        list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error as error:
        return str(error)
    return ""


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        lines = text.splitlines(keepends=True)
        return [cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error:  # a cell above the size limit of the csv module
        return [cell.strip() for cell in text.split(delimiter)]
