"""Which images a network learns from, is stopped by, is calibrated on, and is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import RequestError, SplitError
from iatros.core.splits import check_disjoint, folds, site_folds, split_development, split_held_out, task_seed
from iatros.imaging.cohort import Cohort
from iatros.imaging.requests import TrainRequest

_FRACTION = 0.15
_AT_LEAST = 30
"""Patients on a side of its own. Far fewer than for tables: training anew for each fold would cost too much here."""


@dataclass(frozen=True)
class Part:
    """One run of the procedure: develop on some rows, be judged on others."""

    name: str
    development: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Plan:
    """The parts of a validation, and the rows that the final model is developed on."""

    split: str
    parts: tuple[Part, ...]
    final: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def final_is_judged(self) -> bool:
        """Whether the final model is the one that is judged, which holds for one part only."""
        return len(self.parts) == 1


@dataclass(frozen=True)
class DevelopmentSides:
    """Rows by side; `note` says where tuning and calibration had to share theirs."""

    train: np.ndarray
    tuning: np.ndarray
    calibration: np.ndarray
    note: str = ""

    def named(self) -> dict[str, np.ndarray]:
        """All three by name."""
        return {"train": self.train, "tuning": self.tuning, "calibration": self.calibration}


def plan(cohort: Cohort, request: TrainRequest) -> Plan:
    """Carry out the choice of validation; `auto` takes the source's own split where it names a held-out side."""
    way = request.validation
    given = cohort.split is not None and "held_out" in cohort.split
    if way == "auto":
        way = "held-out"
    if way == "cross-validation":
        return _cross_validation(cohort, request)
    if way == "site":
        return _sites(cohort)
    if given and request.validation == "auto":
        assert cohort.split is not None
        held_out = cohort.split == "held_out"
        development, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        check_disjoint(cohort.groups, {"development": development, "held_out": test})
        return Plan(
            "held_out", (Part("final", development, test),), development, ("the source's own split is kept",)
        )
    development, test = split_held_out(
        cohort.n,
        groups=cohort.groups,
        strata=cohort.strata(np.arange(cohort.n)),
        fraction=request.held_out_fraction,
        seed=task_seed(request.seed, "held-out"),
    )
    return Plan("held_out", (Part("final", development, test),), development)


def _cross_validation(cohort: Cohort, request: TrainRequest) -> Plan:
    every = np.arange(cohort.n)
    fold = folds(
        groups=cohort.groups,
        strata=cohort.strata(every),
        n_folds=request.folds,
        seed=task_seed(request.seed, "folds"),
    )
    parts = tuple(Part(f"fold{k}", every[fold != k], every[fold == k]) for k in range(request.folds))
    return Plan("cross_validation", parts, every)


def _sites(cohort: Cohort) -> Plan:
    sites = cohort.sites
    if sites is None:
        raise RequestError(
            "validation site needs the hospital of each image", hint="name the column with site"
        )
    parts, notes = [], []
    for one in site_folds(sites, cohort.groups):
        parts.append(Part(one.site, one.train, one.test))
        lost = cohort.n - len(one.train) - len(one.test)
        if lost:
            notes.append(
                f"{lost} images elsewhere of patients also seen at {one.site} do not train the model judged there"
            )
    return Plan("site", tuple(parts), np.arange(cohort.n), tuple(notes))


def development_sides(cohort: Cohort, rows: np.ndarray, seed: int, *, given: bool) -> DevelopmentSides:
    """Train, tuning and calibration sides among `rows`; with `given`, those that the source names."""
    if given and cohort.split is not None and "tuning" in cohort.split[rows]:
        return _given(cohort, rows, seed)
    return _drawn(cohort, rows, seed)


def member_sides(
    cohort: Cohort, sides: DevelopmentSides, number: int, seed: int, *, given: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that member `number` of an ensemble learns from, and rows that choose its epoch.

    Members after the first draw their tuning patients anew, so that together they learn from nearly all; not where
    the source names the sides, nor where the tuning patients calibrate as well.
    """
    if number == 0 or given or np.array_equal(sides.tuning, sides.calibration):
        return sides.train, sides.tuning
    pool = np.sort(np.concatenate([sides.train, sides.tuning]))
    train, tuning = split_held_out(
        len(pool),
        groups=cohort.groups[pool],
        strata=cohort.strata(pool),
        fraction=len(sides.tuning) / len(pool),
        seed=task_seed(seed, f"member-{number}"),
    )
    return pool[train], pool[tuning]


def _given(cohort: Cohort, rows: np.ndarray, seed: int) -> DevelopmentSides:
    assert cohort.split is not None
    side = cohort.split[rows]
    train, tuning, calibration = (rows[side == name] for name in ("train", "tuning", "calibration"))
    sides = DevelopmentSides(train, tuning, calibration)
    if not len(calibration):
        sides = _halved(cohort, train, tuning, seed)
    distinct = {"train": train, "tuning": tuning} | ({"calibration": calibration} if len(calibration) else {})
    check_disjoint(cohort.groups, distinct)
    return sides


def _halved(cohort: Cohort, train: np.ndarray, tuning: np.ndarray, seed: int) -> DevelopmentSides:
    """The source names no calibration side: half of the tuning patients are kept for it."""
    try:
        first, second = split_held_out(
            len(tuning),
            groups=cohort.groups[tuning],
            strata=cohort.strata(tuning),
            fraction=0.5,
            seed=task_seed(seed, "halves"),
        )
    except SplitError:
        return DevelopmentSides(train, tuning, tuning, _SHARED)
    note = (
        "the source names no calibration side: half of the tuning patients calibrate, half choose the epoch"
    )
    return DevelopmentSides(train, tuning[first], tuning[second], note)


_SHARED = (
    "too few patients for two sides: the same ones choose the epoch and calibrate, "
    "so their calibration looks a little too good"
)


def _drawn(cohort: Cohort, rows: np.ndarray, seed: int) -> DevelopmentSides:
    groups, strata = cohort.groups[rows], cohort.strata(rows)
    own = task_seed(seed, "sides")
    sides = split_development(
        len(rows), groups=groups, strata=strata, fraction=_FRACTION, at_least=_AT_LEAST, seed=own
    )
    if len(sides.tuning):
        return DevelopmentSides(rows[sides.train], rows[sides.tuning], rows[sides.calibration])
    train, unseen = split_held_out(len(rows), groups=groups, strata=strata, fraction=0.25, seed=own)
    return DevelopmentSides(rows[train], rows[unseen], rows[unseen], _SHARED)
