"""What the developed networks answer for images that they have not seen, part by part of a validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.conformal import ConformalSet
from iatros.imaging.cohort import Cohort
from iatros.imaging.development import Developed, Head
from iatros.imaging.heads import predictions


@dataclass(frozen=True)
class Answered:
    """The answers for one target; every array has one entry per judged row."""

    prediction: np.ndarray
    """Calibrated, in the shapes of core/task.py."""
    uncalibrated: np.ndarray
    covered: np.ndarray
    """Whether the conformal set or interval holds the truth; NaN where the truth is not known."""
    extent: np.ndarray
    """Number of classes in the set, or width of the interval."""
    cuts: dict[str, np.ndarray]
    """Thresholds by name: those chosen where the row's network was developed."""


@dataclass(frozen=True)
class SliceAnswers:
    """Uncalibrated answers for each slice, where slices are images of their own."""

    rows: np.ndarray
    """The record of each slice."""
    predictions: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Judged:
    """All answers for `rows`, by target; and, uncalibrated, those of every candidate by its name."""

    name: str
    rows: np.ndarray
    answers: tuple[Answered, ...]
    candidates: dict[str, tuple[np.ndarray, ...]]
    chosen: str
    slices: SliceAnswers | None = None


def judge(cohort: Cohort, developed: Developed, rows: np.ndarray, name: str) -> Judged:
    """Ask every candidate about `rows`, and the kept one with all that goes with an answer."""
    by_name = {}
    for one in developed.trained:
        by_name[one.candidate.name] = tuple(predictions(cohort.objective, cohort.targets, one.logits(rows)))
    chosen = developed.chosen.candidate.name
    answers = tuple(
        _answered(head, raw, np.asarray(cohort.y[place], dtype=float)[rows])
        for place, (head, raw) in enumerate(zip(developed.heads, by_name[chosen], strict=True))
    )
    return Judged(name, rows, answers, by_name, chosen, _slices(cohort, developed, rows))


def _answered(head: Head, raw: np.ndarray, y: np.ndarray) -> Answered:
    calibrated = head.calibrator.apply(raw)
    covered, extent = conformal_answer(head, y, calibrated)
    cuts = {cut["name"]: np.full(len(y), float(cut["threshold"])) for cut in head.thresholds}
    return Answered(calibrated, raw, covered, extent, cuts)


def conformal_answer(head: Head, y: np.ndarray, calibrated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the set or interval of each row holds `y` (NaN: not known), and how large it is."""
    known = np.isfinite(y)
    covered = np.full(len(y), np.nan)
    if isinstance(head.conformal, ConformalSet):
        sets = head.conformal.sets(calibrated)
        covered[known] = sets[np.flatnonzero(known), y[known].astype(int)]
        return covered, sets.sum(axis=1).astype(float)
    assert head.conformal is not None
    low, high = head.conformal.apply(calibrated)
    covered[known] = ((low <= y) & (y <= high))[known]
    return covered, high - low


def _slices(cohort: Cohort, developed: Developed, rows: np.ndarray) -> SliceAnswers | None:
    prepared = developed.chosen.prepared
    if prepared.one_each:
        return None
    logits = developed.chosen.outputs(rows)["logits"]
    owner = prepared.owner[prepared.rows_of(rows)]
    return SliceAnswers(owner, tuple(predictions(cohort.objective, cohort.targets, logits)))


def join(name: str, parts: tuple[Judged, ...]) -> Judged:
    """Several judgements of different rows as one; what was kept may differ from part to part."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].candidates
    kept = sorted({part.chosen for part in parts})
    slices = [part.slices for part in parts if part.slices is not None]
    return Judged(
        name,
        np.concatenate([part.rows for part in parts]),
        tuple(_joined([part.answers[place] for part in parts]) for place in range(len(parts[0].answers))),
        {one: _columns([part.candidates[one] for part in parts]) for one in names},
        kept[0] if len(kept) == 1 else "selected",
        SliceAnswers(
            np.concatenate([one.rows for one in slices]), _columns([one.predictions for one in slices])
        )
        if slices
        else None,
    )


def _joined(answers: list[Answered]) -> Answered:
    return Answered(
        np.concatenate([one.prediction for one in answers]),
        np.concatenate([one.uncalibrated for one in answers]),
        np.concatenate([one.covered for one in answers]),
        np.concatenate([one.extent for one in answers]),
        {name: np.concatenate([one.cuts[name] for one in answers]) for name in answers[0].cuts},
    )


def _columns(parts: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))
