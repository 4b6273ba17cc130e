"""What one measured pair is, and a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from iatros.core.errors import InputError


@dataclass(frozen=True)
class Pairs:
    """n pairs of a drug and a target, and what was measured of each.

    `drugs` and `targets` name the distinct ones; `smiles` and `sequences` (clean, see `learners.proteins`) belong to
    them one for one. `drug` and `target` (n,) int64 are places in them. `y` (n,) float64 is the affinity, more is
    stronger; nan where it is asked for. `bound` (n,) int8 is 0 for a value, 1 where the truth lies above `y`, -1 where
    it lies below.
    """

    drugs: tuple[str, ...]
    smiles: tuple[str, ...]
    targets: tuple[str, ...]
    sequences: tuple[str, ...]
    drug: np.ndarray
    target: np.ndarray
    y: np.ndarray
    bound: np.ndarray

    def __post_init__(self) -> None:
        if len(self.drugs) != len(self.smiles) or len(self.targets) != len(self.sequences):
            raise InputError("each drug needs one structure and each target one sequence")
        if len(set(self.drugs)) < len(self.drugs) or len(set(self.targets)) < len(self.targets):
            raise InputError("a drug or a target is named twice")
        if not len(self.drug) == len(self.target) == len(self.y) == len(self.bound):
            raise InputError("each pair needs a drug, a target, a value and what is known of it")
        if len(self) and not (self.drug.max() < len(self.drugs) and self.target.max() < len(self.targets)):
            raise InputError("a pair names a drug or a target that is not there")

    def __len__(self) -> int:
        return len(self.drug)

    def take(self, rows: Sequence[int] | np.ndarray) -> Pairs:
        """The pairs at `rows`, with the drugs and the targets that these have and no others."""
        rows = np.asarray(rows, dtype=np.int64)
        drugs, drug = np.unique(self.drug[rows], return_inverse=True)
        targets, target = np.unique(self.target[rows], return_inverse=True)
        return replace(
            self,
            drugs=tuple(self.drugs[k] for k in drugs),
            smiles=tuple(self.smiles[k] for k in drugs),
            targets=tuple(self.targets[k] for k in targets),
            sequences=tuple(self.sequences[k] for k in targets),
            drug=drug.reshape(-1).astype(np.int64),
            target=target.reshape(-1).astype(np.int64),
            y=self.y[rows],
            bound=self.bound[rows],
        )

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """`y` as a table (drugs, targets) with 0 where nothing was measured, and where something was, 1.0 or 0.0.

        InputError where a pair stands twice: the reader merges them.
        """
        values, known = np.zeros((2, len(self.drugs), len(self.targets)))
        np.add.at(known, (self.drug, self.target), 1.0)
        if known.max(initial=0.0) > 1.0:
            raise InputError("a pair stands twice", hint="merge the measurements of a pair first")
        values[self.drug, self.target] = self.y
        return values, known


def places(names: Sequence[str], content: Sequence[str], known: dict[tuple[str, str], int]) -> np.ndarray:
    """For each (name, content) its place among the known ones, -1 where it is new, int64 (n,)."""
    return np.array([known.get(key, -1) for key in zip(names, content, strict=True)], dtype=np.int64)
