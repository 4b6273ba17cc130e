"""What an optimiser is: something that asks a ledger for scores until the budget is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from iatros.core.checkpoint import Checkpoint
from iatros.core.progress import Progress, SilentProgress
from iatros.molecules.generators.generator import Generator
from iatros.molecules.models.estimator import CompoundParams
from iatros.molecules.optimisers.ledger import Ledger


class OptimiserParams(CompoundParams):
    """The base of every optimiser's parameters."""


@dataclass(frozen=True)
class Means:
    """What a search has besides its start: the seed of everything random, and a generator where one was given."""

    seed: int = 0
    prior: Generator | None = None
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(None))
    progress: Progress = field(default_factory=SilentProgress)


class Optimiser(Protocol):
    """A search; with the same seed, start and budget in calls it asks the same."""

    name: ClassVar[str]
    Params: ClassVar[type[OptimiserParams]]

    def run(self, ledger: Ledger, start: Sequence[str], means: Means) -> None:
        """Ask `ledger` until it is over; `start` are compounds that are known beforehand, canonical SMILES."""
        ...
