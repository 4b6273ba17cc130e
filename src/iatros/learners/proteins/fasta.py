"""FASTA files: named protein sequences."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from iatros.core.errors import LimitError, TableError
from iatros.learners.proteins.sequences import SequenceError, clean

MAX_CHARACTERS = 2 * 1024**3
"""Most text that is read from one file: a small packed file can hold any amount."""


@dataclass(frozen=True)
class Proteins:
    """What a FASTA file holds: `sequences` by name, in the order of the file, and `refused` as (line, name, reason).

    The name is the first word of a record's header. A record that is there twice with one sequence is read once;
    `repeated` counts these.
    """

    sequences: dict[str, str]
    refused: tuple[tuple[int, str, str], ...]
    repeated: int = 0


def read_fasta(path: Path) -> Proteins:
    """The records of `path`, plain or gzip; every record ends as read or as refused with its line and reason.

    Refused is a record with letters outside the alphabet, without a sequence, without a name, or with the name of an
    earlier one and another sequence. TableError: no such file, no record in it, not whole, not text.
    """
    sequences: dict[str, str] = {}
    refused: list[tuple[int, str, str]] = []
    repeated = 0
    for line, name, text in _records(_text(path), path.name):
        try:
            sequence = clean(text)
            if not name:
                raise SequenceError("protein: the record has no name")
            if sequences.get(name, sequence) != sequence:
                raise SequenceError("protein: the name stands twice, with another sequence")
        except SequenceError as error:
            refused.append((line, name, str(error)))
            continue
        repeated += name in sequences
        sequences[name] = sequence
    return Proteins(sequences, tuple(refused), repeated)


def _records(text: str, where: str) -> list[tuple[int, str, str]]:
    """Line, name and letters of each record."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(">"):
            words = line[1:].split(maxsplit=1)
            found.append((number, words[0] if words else "", []))
        elif line.startswith(";") or not line.strip():
            continue
        elif found:
            found[-1][2].append(line)
        else:
            raise TableError(
                "is not a FASTA file: letters stand before the first header",
                where=f"{where}, line {number}",
                hint="each record begins with a line such as >name",
            )
    if not found:
        raise TableError("holds no protein", where=where, hint="each record begins with a line such as >name")
    return [(number, name, "".join(lines)) for number, name, lines in found]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            content = file.read(MAX_CHARACTERS + 1)
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError("is not a whole gzip file", where=path.name) from None
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > MAX_CHARACTERS:
        raise LimitError(f"holds more than {MAX_CHARACTERS:,} characters", where=path.name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError("is not text", where=path.name, hint="save the proteins as FASTA in UTF-8") from None
