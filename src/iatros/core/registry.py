"""A table of names to `"module:Class"` strings: nothing is imported until it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

from iatros.core.errors import MissingExtraError, RequestError, unknown_name


@dataclass(frozen=True)
class Entry:
    """One registered class: where it lives, what it is in a line, which extra it needs."""

    name: str
    target: str
    summary: str
    extra: str | None = None


class Registry:
    """Named entries of one kind ("model", "source"); other packages add theirs by entry point.

    >>> models = Registry("model", group="example.models")
    >>> models.add("fractions", "fractions:Fraction", "exact ratios")
    >>> models.load("fractions").__name__
    'Fraction'
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._entries: dict[str, Entry] = {}
        self._discovered = False

    def add(self, name: str, target: str, summary: str, *, extra: str | None = None) -> None:
        """Register `target` under `name`; a name twice is refused."""
        if name in self._entries:
            raise RequestError(
                f"the {self.kind} name {name!r} is taken by {self._entries[name].target}",
                hint="choose another name",
            )
        self._entries[name] = Entry(name, target, summary, extra)

    def names(self) -> list[str]:
        """All known names, in the order of registration."""
        self._discover()
        return list(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        self._discover()
        return iter(list(self._entries.values()))

    def entry(self, name: str) -> Entry:
        """The entry of `name`; an unknown name raises with the nearest known ones."""
        self._discover()
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        return self._entries[name]

    def load(self, name: str) -> Any:
        """Import and return what `name` stands for."""
        entry = self.entry(name)
        module, _, attribute = entry.target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if entry.extra is None or (error.name or "").partition(".")[0] == "iatros":
                raise
            raise MissingExtraError(
                f"the {self.kind} {name!r} needs the package {error.name}",
                hint=f"pip install 'iatros[{entry.extra}]'",
            ) from error

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        for point in metadata.entry_points(group=self.group):
            self.add(point.name, point.value, f"from the package {point.dist.name if point.dist else '?'}")
