"""The lines of a text file one by one, in bounded memory, whatever its encoding and however it is packed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from iatros.core.errors import LimitError, TableError

MAX_LINE_CHARACTERS = 1_000_000
"""Longest line that is read; a longer one is refused and the rest goes on."""
MAX_LINES = 100_000_000
MAX_CHARACTERS = 200 * 1024**3
"""Most text that is read from one file: a small packed file can hold any amount."""

_PEEK = 4096
_SIGNATURES = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save the sheet as CSV"),
    b"\x80\x04": ("a Python pickle, which is never opened", "save the compounds as SMILES, CSV or SDF"),
    b"\x80\x05": ("a Python pickle, which is never opened", "save the compounds as SMILES, CSV or SDF"),
    b"\x89HDF": ("an HDF5 file", "save the compounds as SMILES, CSV or SDF"),
    b"BZh": ("packed with bzip2", "unpack it, or pack it with gzip"),
    b"\xfd7zXZ": ("packed with xz", "unpack it, or pack it with gzip"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unpack it, or pack it with gzip"),
    b"PAR1": ("a Parquet file", "give it the ending .parquet"),
}


class Line(NamedTuple):
    """One line without its end; `problem` says why its text is not to be used."""

    number: int
    text: str
    problem: str = ""


def read_lines(path: Path, notes: list[str]) -> Iterator[Line]:
    """Each line of `path`, counted from 1; what is noticed about the file is added to `notes`.

    gzip is recognised by content. A line that is too long, holds a zero byte or is not text comes with its
    problem; where the packed data end too early, a last line says so. TableError: no such file, a folder,
    another format; LimitError: more text than is ever read.
    """
    stream = _open(path)
    with stream:
        reader = io.TextIOWrapper(stream, encoding=_encoding(stream, path), errors="surrogateescape")
        number = characters = 0
        try:
            while text := reader.readline(MAX_LINE_CHARACTERS + 1):
                number += 1
                characters += len(text)
                whole = text.endswith("\n") or len(text) <= MAX_LINE_CHARACTERS
                if not whole:
                    characters += _skip_line(reader)
                _check_limits(number, characters, path)
                problem = "" if whole else f"the line is longer than {MAX_LINE_CHARACTERS:,} characters"
                yield _line(number, text.rstrip("\n") if whole else "", problem, notes)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            if number == 0:
                raise TableError("is not a whole gzip file", where=path.name) from None
            notes.append(f"the gzip data end too early, after line {number}; what follows is lost")
            yield Line(number + 1, "", "the packed data end here, before their end")


def first_lines(path: Path, n: int) -> list[Line]:
    """The first `n` lines that are not blank."""
    found: list[Line] = []
    for line in read_lines(path, []):
        if line.text.strip() and not line.problem:
            found.append(line)
        if len(found) == n or line.number > 1000:
            break
    return found


def _open(path: Path) -> io.BufferedReader:
    try:
        raw = path.open("rb")
        head = raw.peek(_PEEK)
        if not head.startswith(b"\x1f\x8b"):
            return raw
        raw.close()
        return io.BufferedReader(gzip.open(path, "rb"))
    except IsADirectoryError:
        raise TableError("is a folder, not a file of compounds", where=str(path)) from None
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _encoding(stream: io.BufferedReader, path: Path) -> str:
    """The encoding by the mark at the start; what is no text at all is refused."""
    try:
        head = stream.peek(_PEEK)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError("is not a whole gzip file", where=path.name) from None
    if not head:
        raise TableError("the file is empty", where=path.name, hint="one compound a line is needed")
    for signature, (what, hint) in _SIGNATURES.items():
        if head.startswith(signature):
            raise TableError(f"is {what}, not text", where=path.name, hint=hint)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in head:
        raise TableError("is not text", where=path.name, hint="save the compounds as SMILES, CSV or SDF")
    return "utf-8-sig"


def _line(number: int, text: str, problem: str, notes: list[str]) -> Line:
    if problem:
        return Line(number, "", problem)
    if "\0" in text:
        return Line(number, "", "the line holds a zero byte, so it is not text")
    if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
        text = text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        said = "lines that are not UTF-8 were read as Windows-1252"
        if said not in notes:
            notes.append(said)
    return Line(number, text)


def _skip_line(reader: IO[str]) -> int:
    """Pass over the rest of a line that is too long; how many characters that were."""
    skipped = 0
    while text := reader.readline(MAX_LINE_CHARACTERS):
        skipped += len(text)
        if text.endswith("\n") or skipped > MAX_CHARACTERS:
            break
    return skipped


def _check_limits(number: int, characters: int, path: Path) -> None:
    if number > MAX_LINES:
        raise LimitError(f"holds more than {MAX_LINES:,} lines", where=path.name, hint="cut it into files")
    if characters > MAX_CHARACTERS:
        raise LimitError(
            f"holds more than {MAX_CHARACTERS:,} characters", where=path.name, hint="cut it into files"
        )
