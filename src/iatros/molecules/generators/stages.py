"""A training in stages: what each of them keeps for itself, and how the time that is given is dealt out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.errors import FitError
from iatros.molecules.generators.generator import Training

if TYPE_CHECKING:
    import torch

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


def state_of(
    networks: Mapping[str, torch.nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, np.ndarray]:
    """The weights of several networks and the moments of their optimisers as named arrays."""
    arrays: dict[str, np.ndarray] = {}
    for owner, network in networks.items():
        arrays |= {f"network/{owner}/{name}": value for name, value in arrays_of(network).items()}
    for owner, optimiser in optimisers.items():
        for place, held in optimiser.state_dict()["state"].items():
            for name, value in held.items():
                arrays[f"optimiser/{owner}/{place}/{name}"] = np.array(value.cpu().numpy())
    return arrays


def restore(
    arrays: Mapping[str, np.ndarray],
    networks: Mapping[str, torch.nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Put back what `state_of` gave."""
    import torch

    for owner, network in networks.items():
        start = f"network/{owner}/"
        put_into(network, {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)})
    for owner, optimiser in optimisers.items():
        moments: dict[int, dict[str, Any]] = {}
        start = f"optimiser/{owner}/"
        for key, value in arrays.items():
            if key.startswith(start):
                place, name = key.removeprefix(start).split("/")
                moments.setdefault(int(place), {})[name] = torch.from_numpy(np.array(value))
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def arrays_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Copies of a network's weights and buffers by name."""
    return {name: np.array(value.detach().cpu().numpy()) for name, value in network.state_dict().items()}


def put_into(network: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the named weights into `network`; those that `arrays` does not name stay as they are."""
    import torch

    named = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    network.load_state_dict({**network.state_dict(), **named})


def finite(value: torch.Tensor, what: str) -> torch.Tensor:
    """`value`, a scalar; FitError where it is not finite."""
    if not bool(value.isfinite()):
        raise FitError(
            f"{what} is {float(value.detach())}: the training has run off",
            hint="set a smaller learning rate",
        )
    return value


def as_columns(rows: Sequence[dict[str, float]], names: Sequence[str]) -> np.ndarray:
    """Rows of numbers as float64 (rows, names), to be kept in a checkpoint."""
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64).reshape(-1, len(names))
