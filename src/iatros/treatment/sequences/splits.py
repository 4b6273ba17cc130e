"""Which visits a model learns from and is judged on: subjects stay whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from iatros.core.errors import RequestError, SplitError
from iatros.core.splits import check_disjoint, folds, split_development, split_held_out, time_split
from iatros.treatment.sequences.schema import Histories

Validation = Literal["held-out", "cross-validation", "time"]
"""Subjects held out once, every subject held out once, or the subjects that were first seen last."""

_SMALLEST = 10
"""Subjects that the tuning side and the calibration side need."""
_SHARE = 0.15


@dataclass(frozen=True)
class Sides:
    """Visits, sorted, of four sides that share no subject."""

    train: np.ndarray
    tuning: np.ndarray
    calibration: np.ndarray
    held_out: np.ndarray

    def named(self) -> dict[str, np.ndarray]:
        """All four by name."""
        return {
            "train": self.train,
            "tuning": self.tuning,
            "calibration": self.calibration,
            "held_out": self.held_out,
        }


def asked(histories: Histories, *, min_history: int = 0) -> np.ndarray:
    """The visits whose medications are asked for: those with one, after at least `min_history` earlier visits."""
    return np.flatnonzero((histories.prescribed > 0) & (histories.place >= min_history))


def cut(
    histories: Histories,
    rows: np.ndarray,
    validation: Validation,
    *,
    fraction: float = 0.2,
    n_folds: int = 5,
    seed: int = 0,
) -> tuple[list[Sides], Sides]:
    """The sides of each judgement, and the sides of the model that is kept.

    SplitError where a side would be too small, or, for `time`, where visits have no time.
    """
    groups = histories.owner[rows]
    every = np.arange(len(rows))
    if validation == "cross-validation":
        fold = folds(groups=groups, n_folds=n_folds, seed=seed)
        judged = [
            _developed(rows, groups, np.flatnonzero(fold != k), np.flatnonzero(fold == k), seed + k)
            for k in range(n_folds)
        ]
        return judged, _developed(rows, groups, every, every[:0], seed)
    if validation == "held-out":
        early, late = split_held_out(len(rows), groups=groups, fraction=fraction, seed=seed)
    elif validation == "time":
        early, late = time_split(histories.time[rows], groups=groups, fraction=fraction)
    else:
        raise RequestError(f"validation must be one of {', '.join(get_args(Validation))}, got {validation!r}")
    sides = _developed(rows, groups, early, late, seed)
    return [sides], sides


def _developed(
    rows: np.ndarray, groups: np.ndarray, inside: np.ndarray, held_out: np.ndarray, seed: int
) -> Sides:
    """The rows `inside` as train, tuning and calibration."""
    n = len(np.unique(groups[inside]))
    share = max(_SHARE, (_SMALLEST + 0.5) / max(n, 1))
    if share > 0.3:
        raise SplitError(
            f"{n} subjects are too few to learn, tune and calibrate on: at least {int(_SMALLEST / 0.3) + 2} are needed",
            hint="give more subjects, or hold out fewer",
        )
    own = split_development(len(inside), groups=groups[inside], fraction=share, at_least=1, seed=seed)
    train, tuning, calibration = (rows[inside[side]] for side in (own.train, own.tuning, own.calibration))
    sides = Sides(train, tuning, calibration, rows[held_out])
    if not all(len(side) for side in (sides.train, sides.tuning, sides.calibration)):
        raise SplitError("the tuning or the calibration side is empty", hint="give more subjects")
    place = np.empty(int(rows.max()) + 1 if len(rows) else 0, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    check_disjoint(groups, {name: place[side] for name, side in sides.named().items()})
    return sides
