"""How long work tells its progress: steps that are entered, advanced and noted, and doors that show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Step(Protocol):
    """One running step."""

    def advance(self, count: int = 1) -> None:
        """Count `count` more units as done."""
        ...


class Progress(Protocol):
    """Where progress goes; a door passes the one that suits it."""

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """A step that lasts as long as the with-block; `total` is None where it is not known."""
        ...

    def note(self, message: str) -> None:
        """One line that a person should see; never patient data."""
        ...


class _Silent:
    def advance(self, count: int = 1) -> None:
        """Count nothing."""
        return None


class SilentProgress:
    """Shows nothing; keeps nothing."""

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """A step that nobody sees."""
        yield _Silent()

    def note(self, message: str) -> None:
        """Say nothing."""
        return None
