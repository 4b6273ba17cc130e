"""How far a training has come, for losses that change on the way, and what it records beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from iatros.core.progress import Progress, Step


@cache
def log_class() -> Any:
    """The class that holds it, made when torch is wanted for the first time."""
    import torch
    from torch import nn

    class TrainingLog(nn.Module):
        """Seconds spent, and the numbers called `names` up to `rows` times.

        They are buffers, so they are kept and come back with the weights of the network that this is part of.
        """

        spent: torch.Tensor
        n_recorded: torch.Tensor
        recorded: torch.Tensor

        def __init__(self, names: Sequence[str], rows: int) -> None:
            super().__init__()
            self.names = tuple(names)
            self.register_buffer("spent", torch.zeros((), dtype=torch.float64))
            self.register_buffer("n_recorded", torch.zeros((), dtype=torch.int64))
            self.register_buffer("recorded", torch.zeros((rows, len(names)), dtype=torch.float64))

        def record(self, numbers: dict[str, float]) -> None:
            """Keep the numbers."""
            values = [numbers[name] for name in self.names]
            self.recorded[int(self.n_recorded)] = torch.tensor(values, dtype=torch.float64)
            self.n_recorded += 1

        def history(self) -> list[dict[str, float]]:
            """All that was kept so far."""
            kept = self.recorded[: int(self.n_recorded)].tolist()
            return [dict(zip(self.names, row, strict=True)) for row in kept]

    return TrainingLog


class Watched:
    """A progress that notes how much of `total` steps, or of `seconds`, lies behind; `log` keeps the seconds.

    `learn` tells its steps to the progress that it was given, those made before a kill too.
    """

    def __init__(self, progress: Progress, log: Any, total: int, seconds: float | None) -> None:
        self.progress, self.log, self.total, self.seconds = progress, log, total, seconds
        self.steps = 0
        self.looked: float | None = None

    def share(self) -> float:
        """Of the way, 0 to 1; it does not change within a step."""
        of_time = 0.0 if self.seconds is None else float(self.log.spent) / self.seconds
        return min(1.0, max(self.steps / self.total, of_time))

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """The step of the progress underneath."""
        self.looked = time.monotonic()
        with self.progress.step(label, total) as shown:
            yield _Counted(self, shown)

    def note(self, message: str) -> None:
        """One line for the progress underneath."""
        self.progress.note(message)

    def count(self, steps: int) -> None:
        """`steps` more have been made."""
        now = time.monotonic()
        self.steps += steps
        self.log.spent += now - (self.looked or now)
        self.looked = now


class _Counted:
    def __init__(self, watched: Watched, shown: Step) -> None:
        self.watched, self.shown = watched, shown

    def advance(self, count: int = 1) -> None:
        """Count `count` more units as done."""
        self.watched.count(count)
        self.shown.advance(count)
