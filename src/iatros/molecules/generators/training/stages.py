"""A training in stages: what each of them keeps for itself, and how the time that is given is dealt out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.molecules.generators.generator import Training

BETWEEN_CHECKPOINTS = 120.0
"""Seconds after which a stage keeps its state again."""


class Stage(Checkpoint):
    """The part of a checkpoint that belongs to one stage: no other stage sees what it keeps."""

    def __init__(self, whole: Checkpoint, name: str) -> None:
        super().__init__(whole.folder)
        self.name = name

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """What this stage kept under `key`, or None."""
        return super().get(f"{self.name}.{key}")

    def put(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep `arrays` for this stage under `key`."""
        super().put(f"{self.name}.{key}", arrays)


def in_two(training: Training, share: float, first: str, second: str) -> tuple[Training, Training]:
    """The means of two stages: each has its own part of the checkpoint, the second has `share` (0 to 1) of the time."""

    def one(name: str, share: float) -> Training:
        seconds = None if training.seconds is None else training.seconds * share
        return replace(training, checkpoint=Stage(training.checkpoint, name), seconds=seconds)

    return one(first, 1.0 - share), one(second, share)


class Clock:
    """The time spent in a stage, that of runs that were killed included."""

    def __init__(self, seconds: float | None, before: float = 0.0) -> None:
        self.seconds, self.before = seconds, before
        self.begun = self.kept = time.monotonic()

    def spent(self) -> float:
        """Seconds since the stage began."""
        return self.before + time.monotonic() - self.begun

    def share(self) -> float:
        """Of the time given; 0 where none was."""
        return 0.0 if self.seconds is None else self.spent() / self.seconds

    def is_time_to_keep(self) -> bool:
        """Whether the state was last kept long ago; asked again, it is not."""
        now = time.monotonic()
        if now - self.kept <= BETWEEN_CHECKPOINTS:
            return False
        self.kept = now
        return True


def as_columns(rows: Sequence[dict[str, float]], names: Sequence[str]) -> np.ndarray:
    """Rows of numbers as float64 (rows, names), to be kept in a checkpoint."""
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64).reshape(-1, len(names))
