"""The sides or folds that a file names itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import SplitError

_TRAIN = frozenset(("train", "training", "development", "dev", "trn", "tr"))
_VALID = frozenset(("valid", "validation", "val", "tuning", "tune", "calibration", "crossval"))
_TEST = frozenset(("test", "testing", "held_out", "held-out", "held out", "holdout", "hold-out", "external"))
_KNOWN = "train, valid and test, or the number of a fold"


@dataclass(frozen=True)
class Given:
    """Name, development rows and test rows of each part, and the rows to tune on."""

    parts: tuple[tuple[str, np.ndarray, np.ndarray], ...]
    valid: np.ndarray
    notes: tuple[str, ...]


def given_parts(labels: np.ndarray, folds: int | None = None) -> Given:
    """The parts that `labels` (n,) name: one where they are sides, one for each fold where they are whole numbers.

    Rows to tune on are developed on. SplitError for other labels, for an empty one, for one side only, and where
    `folds` is not how many there are.

    >>> [part[2].tolist() for part in given_parts(np.array(["1", "2", "1"], dtype=object)).parts]
    [[0, 2], [1]]
    """
    spelt = np.array([str(label).strip().casefold() for label in labels], dtype=object)
    empty = int((spelt == "").sum())
    if empty:
        raise SplitError(
            f"{empty} of {len(spelt)} compounds have no side, the others have one",
            hint="fill the split column, or leave those lines out",
        )
    names = sorted(set(spelt.tolist()))
    if all(name.isdecimal() for name in names):
        return _folds(spelt, sorted(names, key=int), folds)
    if folds is not None:
        raise SplitError(
            "the split column names sides, not folds, so folds has no meaning", hint="leave out folds"
        )
    unknown = [name for name in names if name not in _TRAIN | _VALID | _TEST]
    if unknown:
        raise SplitError(f"the split column has the side {unknown[0]!r}; known are {_KNOWN}")
    train, valid, test = (np.flatnonzero([s in side for s in spelt]) for side in (_TRAIN, _VALID, _TEST))
    if not len(test) or not len(train):
        raise SplitError(
            f"no compound is on the {'train' if len(test) else 'test'} side", hint=f"sides are {_KNOWN}"
        )
    notes = (f"given: {len(valid):,} compounds to tune on are developed on",) if len(valid) else ()
    part = ("held out", np.sort(np.concatenate([train, valid])), test)
    return Given((part,), valid, notes)


def _folds(spelt: np.ndarray, names: list[str], folds: int | None) -> Given:
    if len(names) < 2 or (folds is not None and folds != len(names)):
        raise SplitError(
            f"the split column names {len(names)} fold{'' if len(names) == 1 else 's'}"
            + (f", {folds} were asked for" if folds is not None else ", at least 2 are needed")
        )
    parts = tuple(
        (f"fold {name}", np.flatnonzero(spelt != name), np.flatnonzero(spelt == name)) for name in names
    )
    return Given(parts, np.arange(0), ())
