"""Progress that nobody watches, and the serial engine that tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.core.progress import SilentProgress


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    with progress.step("fitting", total=3) as step, progress.step("inner") as inner:
        step.advance()
        inner.advance(2)
        progress.note("a line")
    assert capfd.readouterr() == ("", "")


def test_silence_lets_errors_through() -> None:
    with pytest.raises(ValueError, match="inside"), SilentProgress().step("fitting"):
        raise ValueError("inside")


def test_a_step_ends_when_the_work_fails() -> None:
    class Told(SilentProgress):
        said: list[str]

        def __init__(self) -> None:
            self.said = []

        def advance(self, count: int = 1) -> None:
            self.said.append(f"+{count}")

        @contextmanager
        def step(self, label: str, total: int | None = None) -> Iterator[Any]:
            self.said.append(f"{label} of {total}")
            try:
                yield self
            finally:
                self.said.append("end")

    def divide(shared: int, item: int) -> float:
        return shared / item

    told = Told()
    with pytest.raises(ZeroDivisionError):
        SerialEngine().map(divide, [2, 4, 0, 8], 8, progress=told, label="dividing")
    assert told.said == ["dividing of 4", "+1", "+1", "end"]


def test_a_context_is_serial_and_silent_unless_told() -> None:
    context = Context()
    assert context.engine.name == "serial"
    assert isinstance(context.progress, SilentProgress)
    assert context.checkpoint is None
