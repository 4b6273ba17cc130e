"""A small library of real compounds, and a training that can be killed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdkit import Chem

from iatros.core.checkpoint import Checkpoint
from iatros.core.progress import SilentProgress, Step
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.library import Library


def small_library(shared_data: Path, n: int = 240) -> Library:
    """The first compounds of ZINC250k with at most 20 heavy atoms, without their stereochemistry."""
    found: dict[str, None] = {}
    path = shared_data / "zinc250k" / "250k_rndm_zinc_drugs_clean.smi.gz"
    with gzip.open(path, "rt") as lines:
        for line in lines:
            molecule = Chem.MolFromSmiles(line.split()[0])
            if molecule.GetNumHeavyAtoms() <= 20:
                found[Chem.MolToSmiles(molecule, isomericSmiles=False)] = None
            if len(found) == n:
                break
    return Library(tuple(found), "zinc.smi")


class KilledError(Exception):
    """What ends a training that is killed."""


class Killing(SilentProgress):
    """Kills when the step called `label` has been advanced `after` times."""

    def __init__(self, label: str, after: int) -> None:
        self.label, self.left = label, after

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Step]:
        """A step that may end early."""
        yield _Dying(self) if label == self.label else _Living()


class _Living:
    def advance(self, count: int = 1) -> None:
        """Count nothing."""


class _Dying:
    def __init__(self, killing: Killing) -> None:
        self.killing = killing

    def advance(self, count: int = 1) -> None:
        """Die at the last one."""
        self.killing.left -= count
        if self.killing.left <= 0:
            raise KilledError


def training(folder: Path | None = None, kill: Killing | None = None) -> Training:
    """The means of a training; what it keeps lies in `folder`."""
    return Training(Checkpoint(folder), kill or SilentProgress())
