"""Compounds to develop on and compounds to be judged on, by every way of keeping the two apart.

| name | what never stands on both sides | source |
|---|---|---|
| `random` | a compound | |
| `scaffold` | a Bemis-Murcko scaffold; scaffolds are dealt at random, so that sides have the asked size | |
| `scaffold-deterministic` | a scaffold; common ones are learned from, the rarest judged on | DeepChem, Wu et al. 2018 |
| `cluster` | a Butina cluster | Butina 1999 |
| `time` | a compound; those first seen last are judged on | Sheridan 2013 |
| `given` | what the file's own column keeps apart | |

The two scaffold splits are different experiments, and their results do not belong in one table: the deterministic one
judges on compounds that are singular by construction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from iatros.core.errors import SplitError, unknown_name
from iatros.core.splits import check_disjoint, split_held_out, strata_of, time_split
from iatros.core.splits import folds as deal_folds
from iatros.molecules.cohort import Cohort
from iatros.molecules.splitting.given import given_parts
from iatros.molecules.splitting.scaffolds import CLUSTER_SIMILARITY, groups_of, scaffold

SPLITS = ("random", "scaffold", "scaffold-deterministic", "cluster", "time", "given")
FRACTION = 0.2
DEEPCHEM_FRACTION = 0.1


class Part(NamedTuple):
    """Rows to develop on and rows to be judged on, both sorted int64."""

    name: str
    development: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Splits:
    """The parts of a validation, in order.

    `groups` (n,) int64 is what inner folds of the development side must keep together. `valid` are the rows of the
    development side that the protocol sets aside for tuning; empty where it names none.
    """

    how: str
    parts: tuple[Part, ...]
    groups: np.ndarray
    valid: np.ndarray = field(default_factory=lambda: np.arange(0))
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def split(
    cohort: Cohort,
    how: str,
    *,
    fraction: float | None = None,
    seed: int = 0,
    folds: int | None = None,
    similarity: float = CLUSTER_SIMILARITY,
) -> Splits:
    """The parts of `cohort` by the split `how`: one where `folds` is None, else one for each fold.

    About `fraction` of the compounds is held out: a fifth where it is not given, and of scaffold-deterministic a tenth,
    which is DeepChem's. `similarity` is that of a cluster to its centre. SplitError where a side would be empty or lack
    a class, where `folds` has no meaning, or where times or sides are missing.
    """
    if how not in SPLITS:
        raise unknown_name("split of compounds", how, SPLITS)
    if fraction is not None and not 0.0 < fraction < 1.0:
        raise SplitError(f"the share held out must lie between 0 and 1, got {fraction}")
    if folds is not None and how in ("scaffold-deterministic", "time"):
        raise SplitError(f"the split {how} holds one side out, so it has no folds", hint="leave out folds")
    if how == "scaffold-deterministic":
        return _deterministic(cohort, DEEPCHEM_FRACTION if fraction is None else fraction)
    if how == "time":
        return _by_time(cohort, FRACTION if fraction is None else fraction)
    if how == "given":
        return _given(cohort, folds)
    groups = groups_of(cohort.compounds, how, similarity=similarity)
    if folds is not None:
        return Splits(how, grouped_folds(groups, folds, seed=seed, strata=_strata(cohort)), groups)
    development, test = scaffold_balanced(
        groups, fraction=FRACTION if fraction is None else fraction, seed=seed, strata=_strata(cohort)
    )
    return Splits(how, (Part("held out", development, test),), groups)


def scaffold_balanced(
    groups: np.ndarray, *, fraction: float = FRACTION, seed: int = 0, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to develop on and rows held out, whole groups dealt at random so that `fraction` of the rows is held out.

    The largest groups are placed first. SplitError where a side would be empty or lack one of the `strata`.

    >>> scaffold_balanced(np.array([0, 0, 0, 0, 1]))[1].tolist()
    [4]
    """
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise SplitError(
            f"{len(groups)} compounds in {n_groups} group cannot be divided", hint="choose another validation"
        )
    try:
        sides = split_held_out(len(groups), groups=groups, strata=strata, fraction=fraction, seed=seed)
    except SplitError as error:
        raise _of_compounds(error) from None
    check_disjoint(groups, {"development": sides[0], "test": sides[1]})
    return sides


def grouped_folds(
    groups: np.ndarray, n_folds: int, *, seed: int = 0, strata: np.ndarray | None = None
) -> tuple[Part, ...]:
    """Each of `n_folds` parts of the rows held out in turn; no group is cut."""
    try:
        fold = deal_folds(groups=groups, strata=strata, n_folds=n_folds, seed=seed)
    except SplitError as error:
        raise _of_compounds(error) from None
    return tuple(
        Part(f"fold {k + 1}", np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)
    )


def scaffold_deterministic(
    smiles: Sequence[str], fraction: float = DEEPCHEM_FRACTION
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to train, to tune and to test on, as DeepChem's ScaffoldSplitter has them with `fraction` to tune and test.

    Sets of one scaffold, compounds without a ring being one set, are taken by falling size, of two as large the one
    whose first compound comes later. Each goes to training where it still fits there, else to tuning where it fits
    beside both, else to the test. Nothing is drawn, so there is one answer.

    >>> [rows.tolist() for rows in scaffold_deterministic(["C1CC1", "c1ccccc1", "CC1CC1", "C1CCC1", "CC1CCC1"], 0.2)]
    [[1, 3, 4], [0, 2], []]
    """
    members: dict[str, list[int]] = {}
    for row, one in enumerate(smiles):
        members.setdefault(scaffold(one), []).append(row)
    ranked = sorted(members.values(), key=lambda rows: (len(rows), rows[0]), reverse=True)
    n = len(smiles)
    train_cutoff, valid_cutoff = (1.0 - 2.0 * fraction) * n, ((1.0 - 2.0 * fraction) + fraction) * n
    train, valid, test = [], [], []  # type: list[int], list[int], list[int]
    for rows in ranked:
        if len(train) + len(rows) <= train_cutoff:
            train += rows
        elif len(train) + len(valid) + len(rows) <= valid_cutoff:
            valid += rows
        else:
            test += rows
    sides = (np.sort(np.array(rows, dtype=np.int64)) for rows in (train, valid, test))
    return next(sides), next(sides), next(sides)


def _deterministic(cohort: Cohort, fraction: float) -> Splits:
    if fraction >= 0.5:
        raise SplitError(
            f"scaffold-deterministic takes the share twice, to tune and to test, so {fraction} is too much",
            hint=f"the published share is {DEEPCHEM_FRACTION}",
        )
    train, valid, test = scaffold_deterministic(cohort.compounds.smiles, fraction)
    development = np.sort(np.concatenate([train, valid]))
    _check_sides(development, test)
    note = (
        f"scaffold-deterministic: {len(train):,} to train, {len(valid):,} to tune and {len(test):,} to test, as "
        "DeepChem fills them; those to train and to tune are developed on together"
    )
    part = Part("held out", development, test)
    groups = groups_of(cohort.compounds, "scaffold")
    return Splits("scaffold-deterministic", (part,), groups, valid=valid, notes=(note,))


def _by_time(cohort: Cohort, fraction: float) -> Splits:
    if cohort.times is None:
        raise SplitError("the split by time needs a time for each compound", hint="name its column with time")
    try:
        development, test = time_split(cohort.times, fraction=fraction)
    except SplitError as error:
        raise _of_compounds(error) from None
    _check_sides(development, test)
    cut = cohort.times[test].min()
    note = f"time: compounds first seen from {cut if cohort.times.dtype.kind == 'M' else f'{cut:g}'} on are held out"
    return Splits(
        "time", (Part("held out", development, test),), groups_of(cohort.compounds, "random"), notes=(note,)
    )


def _given(cohort: Cohort, folds: int | None) -> Splits:
    if cohort.split is None:
        raise SplitError(
            "the file's own split needs a side for each compound", hint="name its column with split"
        )
    found = given_parts(cohort.split, folds)
    for _, development, test in found.parts:
        _check_sides(development, test)
    scaffolds = groups_of(cohort.compounds, "scaffold")
    apart = not any(
        np.isin(scaffolds[test], scaffolds[development]).any() for _, development, test in found.parts
    )
    return Splits(
        "given",
        tuple(Part(*one) for one in found.parts),
        scaffolds if apart else groups_of(cohort.compounds, "random"),
        valid=found.valid,
        notes=(*found.notes, "the file's sides share no scaffold, so inner folds share none either")
        if apart
        else found.notes,
    )


def _strata(cohort: Cohort) -> np.ndarray | None:
    """What both sides must have: each class of a single endpoint of classes."""
    if len(cohort.endpoints) > 1 or cohort.endpoints[0].task != "binary":
        return None
    return strata_of(cohort.endpoints[0], cohort.y[:, 0])


def _check_sides(development: np.ndarray, test: np.ndarray) -> None:
    for rows, name in ((development, "development"), (test, "test")):
        if not len(rows):
            raise SplitError(f"the {name} side is empty", hint="use more compounds or another share")


def _of_compounds(error: SplitError) -> SplitError:
    """The same error, in which core speaks of patients where here there are groups of compounds."""
    said, hint = (
        None
        if text is None
        else text.replace("patients", "groups of compounds").replace("patient", "group of compounds")
        for text in (error.message, error.hint)
    )
    return SplitError(said or "", hint=hint, where=error.where)
