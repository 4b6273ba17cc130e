"""Cutting measured pairs: what those that a model is judged on have in common with those that it learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import SplitError
from iatros.learners.proteins.alignment import clusters, similarities
from iatros.molecules.affinity.estimator import Newness
from iatros.molecules.affinity.schema import Pairs

SAME_GROUP = 0.6
"""Targets of which the normalised Smith-Waterman score is above this stand on one side of every cut."""


@dataclass(frozen=True)
class Sides:
    """Rows to learn from and rows to be judged on, both (n,); under leave-both other rows are in neither."""

    train: np.ndarray
    held_out: np.ndarray


def target_groups(pairs: Pairs, threshold: float = SAME_GROUP) -> np.ndarray:
    """A number for each target, int64 (targets,), equal for what a chain of pairs above `threshold` connects."""
    return clusters(similarities(pairs.sequences), threshold)


def cut(pairs: Pairs, newness: Newness, groups: np.ndarray, n_folds: int, seed: int) -> list[Sides]:
    """Sides in which every pair is judged exactly once.

    Under `pairs` rows are dealt at random; under leave-drug a drug's pairs (and those of drugs with the same
    structure), under leave-target the pairs of a group of targets are judged together, and nothing of them is learned
    from. Under leave-both drugs and groups are dealt into `n_folds` each, and each of their `n_folds` squared blocks
    is judged by what learned from pairs that share neither its drugs nor its groups.

    SplitError where there are fewer drugs, groups or pairs than folds, or a side would be empty.
    """
    if n_folds < 2:
        raise SplitError(f"at least two folds are needed, got {n_folds}")
    rng = np.random.default_rng(seed)
    if newness == "pairs":
        of_row = _dealt(np.ones(len(pairs)), n_folds, rng, "pairs")
        return _checked(
            [Sides(np.flatnonzero(of_row != k), np.flatnonzero(of_row == k)) for k in range(n_folds)]
        )
    structure = np.unique(np.array(pairs.smiles), return_inverse=True)[1].reshape(-1)
    of_drug, of_target = structure[pairs.drug], groups[pairs.target]
    blocks = {"leave-drug": [of_drug], "leave-target": [of_target], "leave-both": [of_drug, of_target]}[
        newness
    ]
    words = {"leave-drug": ["drugs"], "leave-target": ["groups of targets"]}.get(
        newness, ["drugs", "groups of targets"]
    )
    folds = []
    for block, word in zip(blocks, words, strict=True):
        codes = np.unique(block, return_inverse=True)[1].reshape(-1)
        folds.append(_dealt(np.bincount(codes).astype(float), n_folds, rng, word)[codes])
    if len(folds) == 1:
        return _checked(
            [Sides(np.flatnonzero(folds[0] != k), np.flatnonzero(folds[0] == k)) for k in range(n_folds)]
        )
    drugs, targets = folds
    return _checked(
        [
            Sides(
                np.flatnonzero((drugs != a) & (targets != b)), np.flatnonzero((drugs == a) & (targets == b))
            )
            for a in range(n_folds)
            for b in range(n_folds)
        ]
    )


def _dealt(sizes: np.ndarray, n_folds: int, rng: np.random.Generator, words: str) -> np.ndarray:
    """The fold of each block (n,): in random order, the largest first, each to the fold that has the least."""
    if len(sizes) < n_folds:
        raise SplitError(
            f"{len(sizes)} {words} cannot be cut into {n_folds} folds",
            hint="use fewer folds, or another validation",
        )
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, held = np.empty(len(sizes), dtype=np.int64), np.zeros(n_folds)
    for block in order:
        chosen = int(held.argmin())
        fold[block] = chosen
        held[chosen] += sizes[block]
    return fold


def _checked(sides: list[Sides]) -> list[Sides]:
    kept = [side for side in sides if len(side.held_out)]
    if not kept or any(len(side.train) == 0 for side in kept):
        raise SplitError(
            "a side of the validation has no pairs", hint="use fewer folds, or another validation"
        )
    return kept
