"""Splits of interaction data: pairs of a drug and a target, by what is new in the pairs that are judged on.

| name | the held-out pairs have | left out on both sides |
|---|---|---|
| `random` | nothing new but the pair | |
| `leave-drug` | drugs that no development pair has | |
| `leave-target` | targets, or groups of alike targets, that no development pair has | |
| `leave-both` | both | pairs with one held-out member only |

These are settings 1 to 4 of Pahikkala et al., Brief Bioinform 16:325 (2015).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iatros.core.errors import SplitError, unknown_name
from iatros.core.splits import folds as deal_folds
from iatros.core.splits import split_held_out

PAIR_SPLITS = ("random", "leave-drug", "leave-target", "leave-both")


class PairPart(NamedTuple):
    """Rows of pairs to develop on, to be judged on, and on neither side; each sorted int64."""

    name: str
    development: np.ndarray
    test: np.ndarray
    left_out: np.ndarray


def split_pairs(
    drugs: np.ndarray,
    targets: np.ndarray,
    how: str,
    *,
    fraction: float = 0.2,
    folds: int | None = None,
    seed: int = 0,
    drug_groups: np.ndarray | None = None,
    target_groups: np.ndarray | None = None,
) -> tuple[PairPart, ...]:
    """The parts of a table of pairs (n,) with the ids `drugs` and `targets`: one, or one for each fold.

    `drug_groups` and `target_groups` (n,) name of each pair the group of alike drugs or targets that must not be cut,
    such as a scaffold or proteins of similar sequence; without them each id is a group. `fraction` is the share of
    pairs that is held out; leave-both holds out its square root of the drugs and of the targets.
    Of leave-both, `folds` cuts drugs and targets into that many parts each and every part of drugs is held out with
    every part of targets, so there are folds x folds. SplitError where a side would be empty, where there are fewer
    groups than folds, or where an id stands in two groups.

    >>> drugs, targets = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    >>> [(len(p.development), len(p.test), len(p.left_out)) for p in split_pairs(drugs, targets, "leave-both")]
    [(4, 2, 6)]
    """
    if how not in PAIR_SPLITS:
        raise unknown_name("split of pairs", how, PAIR_SPLITS)
    if not 0.0 < fraction < 1.0:
        raise SplitError(f"the share held out must lie between 0 and 1, got {fraction}")
    drugs, targets = np.asarray(drugs), np.asarray(targets)
    if drugs.shape != targets.shape or drugs.ndim != 1:
        raise SplitError(
            f"a drug and a target are needed for each pair, got {drugs.shape} and {targets.shape}"
        )
    by_drug = _grouped(drugs, drug_groups, "drug")
    by_target = _grouped(targets, target_groups, "target")
    share = float(np.sqrt(fraction)) if how == "leave-both" else fraction
    sides = [
        _dealt(groups, noun, share, folds, seed + offset)
        for groups, noun, offset in _sides(how, by_drug, by_target)
    ]
    parts = []
    for chosen in _combinations([len(side) for side in sides]):
        held = [side[k] for side, k in zip(sides, chosen, strict=True)]
        name = "held out" if folds is None else "fold " + " x ".join(str(k + 1) for k in chosen)
        parts.append(_part(name, held))
    return tuple(parts)


def _sides(how: str, by_drug: np.ndarray, by_target: np.ndarray) -> list[tuple[np.ndarray, str, int]]:
    """What is dealt to parts: groups (n,), what they are called, and what is added to the seed."""
    drug, target = (by_drug, "drugs", 0), (by_target, "targets", 1)
    return {
        "random": [(np.arange(len(by_drug)), "pairs", 0)],
        "leave-drug": [drug],
        "leave-target": [target],
        "leave-both": [drug, target],
    }[how]


def _dealt(groups: np.ndarray, noun: str, fraction: float, folds: int | None, seed: int) -> list[np.ndarray]:
    """Which rows are held out, bool (n,): once, or in each fold."""
    n_groups = len(np.unique(groups))
    needed = folds if folds is not None else 2
    if needed < 2:
        raise SplitError(f"{needed} fold leaves nothing to learn from", hint="use 2 folds or more")
    if n_groups < needed:
        raise SplitError(f"{n_groups} groups of {noun} cannot fill {needed} parts", hint="use fewer folds")
    if folds is not None:
        fold = deal_folds(groups=groups, n_folds=folds, seed=seed)
        return [fold == k for k in range(folds)]
    _, test = split_held_out(len(groups), groups=groups, fraction=fraction, seed=seed)
    held = np.zeros(len(groups), dtype=bool)
    held[test] = True
    return [held]


def _combinations(sizes: list[int]) -> list[tuple[int, ...]]:
    return [tuple(place) for place in np.ndindex(*sizes)]


def _part(name: str, held: list[np.ndarray]) -> PairPart:
    every, some = np.all(held, axis=0), np.any(held, axis=0)
    part = PairPart(name, np.flatnonzero(~some), np.flatnonzero(every), np.flatnonzero(some & ~every))
    for rows, side in ((part.development, "development"), (part.test, "test")):
        if not len(rows):
            raise SplitError(f"{name}: the {side} side is empty", hint="use more pairs or another share")
    return part


def _grouped(ids: np.ndarray, groups: np.ndarray | None, noun: str) -> np.ndarray:
    """The group of each pair as a number."""
    _, codes = np.unique(ids, return_inverse=True)
    if groups is None:
        return np.asarray(codes, dtype=np.int64)
    groups = np.asarray(groups)
    if groups.shape != ids.shape:
        raise SplitError(f"a group is needed for each pair, got {groups.shape} for {ids.shape}")
    _, grouped = np.unique(groups, return_inverse=True)
    together = np.unique(np.column_stack([codes, grouped]), axis=0)
    if len(together) > len(np.unique(codes)):
        raise SplitError(f"a {noun} stands in two groups, so its pairs could stand on two sides")
    return np.asarray(grouped, dtype=np.int64)
