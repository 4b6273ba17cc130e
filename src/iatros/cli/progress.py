"""Progress on stderr: bars on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from iatros.core.progress import SilentProgress, Step

if TYPE_CHECKING:
    import rich.progress

SHORT_S = 1.0
"""Steps shorter than this leave no line in a log."""


class QuietProgress(SilentProgress):
    """Shows nothing."""

    told: tuple[str, ...] = ()


class LineProgress:
    """One line when a step that took a while ends, and one for each note: for logs and pipes."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """A step that says how long it took."""
        started = time.monotonic()
        yield _Uncounted()
        seconds = time.monotonic() - started
        if seconds >= SHORT_S:
            print(f"{label}: {seconds:.1f} s", file=sys.stderr, flush=True)

    def note(self, message: str) -> None:
        """Print the note."""
        self.told.append(message)
        print(f"note: {message}", file=sys.stderr, flush=True)


class BarProgress:
    """A bar for each step that runs; a step that ended leaves no trace."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._bars: rich.progress.Progress | None = None

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """A bar while the step runs."""
        bars = self._open()
        task = bars.add_task(label, total=total)
        try:
            yield _Counted(bars, task)
        finally:
            bars.remove_task(task)

    def note(self, message: str) -> None:
        """Print the note above the bars."""
        self.told.append(message)
        if self._bars is not None:
            self._bars.console.print(f"note: {message}", markup=False, highlight=False)
        else:
            print(f"note: {message}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bars off the screen."""
        if self._bars is not None:
            self._bars.stop()

    def _open(self) -> rich.progress.Progress:
        if self._bars is None:
            from rich import progress
            from rich.console import Console

            self._bars = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}", markup=False),
                progress.BarColumn(bar_width=30),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
        return self._bars


@contextmanager
def open_progress(*, quiet: bool) -> Iterator[QuietProgress | LineProgress | BarProgress]:
    """The progress that suits stderr, closed when the block ends; `told` holds the notes that were shown."""
    if quiet:
        yield QuietProgress()
    elif sys.stderr.isatty():
        bars = BarProgress()
        try:
            yield bars
        finally:
            bars.close()
    else:
        yield LineProgress()


class _Uncounted:
    def advance(self, count: int = 1) -> None:
        return None


class _Counted:
    def __init__(self, bars: rich.progress.Progress, task: Any) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int = 1) -> None:
        self._bars.advance(self._task, count)
