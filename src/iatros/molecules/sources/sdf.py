"""SDF: one record after the other, of which a broken one costs itself and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from iatros.core.errors import unknown_name
from iatros.molecules.schema import Entry
from iatros.molecules.sources.columns import IDENTIFIERS, Wanted, by_name
from iatros.molecules.sources.lines import Line, read_lines

MAX_RECORD_LINES = 100_000
MAX_RECORD_CHARACTERS = 2_000_000
LOOKED_AT = 1000
"""Records after which a data field that was asked for and never came is said to be unknown."""

_END = "M  END"
_FIELD = re.compile(r"^>.*?<([^>]*)>")


def read_sdf(path: Path, wanted: Wanted, notes: list[str]) -> Iterator[Entry]:
    """Each record of `path`, numbered by the line on which it begins.

    UnknownNameError where none of the first records has a data field that was asked for.
    """
    watch = _Watch(wanted, path.name)
    for begin, lines, problem in _records(read_lines(path, notes)):
        if problem:
            yield Entry(begin, refusal=problem)
            continue
        yield _entry(begin, lines, wanted, watch)
    watch.end()


def _records(lines: Iterator[Line]) -> Iterator[tuple[int, list[str], str]]:
    """First line, lines and problem of each record; blank lines after the last one are no record."""
    begin, held, characters, problem = 1, [], 0, ""  # type: int, list[str], int, str
    for line in lines:
        if line.text.startswith("$$$$"):
            yield begin, held, problem
            begin, held, characters, problem = line.number + 1, [], 0, ""
            continue
        characters += len(line.text)
        problem = problem or line.problem
        if len(held) >= MAX_RECORD_LINES or characters > MAX_RECORD_CHARACTERS:
            problem, held = problem or "the record is too long", []
        held.append(line.text)
    if problem or any(text.strip() for text in held):
        yield begin, held, problem


def _entry(begin: int, lines: list[str], wanted: Wanted, watch: _Watch) -> Entry:
    ends = [place for place, text in enumerate(lines) if text.startswith(_END)]
    title = lines[0].strip() if lines else ""
    if not ends:
        return Entry(begin, name=title, refusal="the record is broken: its structure does not end (M  END)")
    if len(ends) > 1:
        said = "the record is broken: it holds two structures, so the line $$$$ between them is missing"
        return Entry(begin, name=title, refusal=said)
    fields = _fields(lines[ends[0] + 1 :])
    watch.see(fields)
    activity, relation, unit = (
        fields.get(name, "") if name is not None else ""
        for name in (wanted.activity, wanted.relation, wanted.unit)
    )
    more = tuple(fields.get(name, "") for name in wanted.more)
    block = "\n".join(lines[: ends[0] + 1]) + "\n"
    return Entry(begin, block, _name(title, fields, wanted), activity, relation, unit, True, more=more)


def _name(title: str, fields: dict[str, str], wanted: Wanted) -> str:
    if wanted.identifier is not None:
        return fields.get(wanted.identifier, "")
    place = None if title else by_name(list(fields), IDENTIFIERS)
    return title if place is None else list(fields.values())[place]


def _fields(lines: list[str]) -> dict[str, str]:
    """The data fields of a record by name; of a field of several lines the lines joined."""
    fields: dict[str, str] = {}
    name: str | None = None
    for text in lines:
        found = _FIELD.match(text)
        if found:
            name = found[1].strip()
            fields[name] = ""
        elif not text.strip():
            name = None
        elif name is not None:
            fields[name] = f"{fields[name]} {text.strip()}".strip()
    return fields


class _Watch:
    """Notices when a data field that was asked for never comes."""

    def __init__(self, wanted: Wanted, source: str) -> None:
        self._missing = {name for name in (wanted.identifier, *wanted.measured()) if name is not None}
        self._known: dict[str, None] = {}
        self._source = source
        self._seen = 0

    def see(self, fields: dict[str, str]) -> None:
        if not self._missing:
            return
        self._missing -= fields.keys()
        self._seen += 1
        if len(self._known) < LOOKED_AT:
            self._known.update(dict.fromkeys(fields))
        if self._seen >= LOOKED_AT:
            self.end()

    def end(self) -> None:
        """Raise where a field is still missing and any record could have had it."""
        if self._missing and self._seen:
            raise unknown_name("data field", min(self._missing), self._known, where=self._source)
