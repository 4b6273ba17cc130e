"""The whole procedure on some images: train every candidate, keep the best, calibrate it, set its thresholds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.calibration import Calibrator, choose_calibrator, fit_calibrator
from iatros.core.conformal import ConformalInterval, ConformalSet, fit_conformal_interval, fit_conformal_set
from iatros.core.context import Context
from iatros.core.decision import choose_thresholds
from iatros.core.errors import SplitError
from iatros.core.splits import split_held_out, task_seed
from iatros.core.task import Target
from iatros.imaging.choosing import Candidate
from iatros.imaging.cohort import Cohort
from iatros.imaging.fitting import Fitted, Settings, TrainingData, fit, network_outputs
from iatros.imaging.fusion_table import TableEncoder, fit_table_encoder
from iatros.imaging.heads import n_outputs, predictions
from iatros.imaging.patients import patient_columns, patient_frame
from iatros.imaging.prepared import Prepared
from iatros.imaging.requests import AUGMENTATIONS, TrainRequest
from iatros.imaging.sides import DevelopmentSides, development_sides, member_sides

Conformal = ConformalSet | ConformalInterval | None

_HALVED_FROM = 40
"""Calibration patients from which one half calibrates and the other sets the conformal rule."""

_SLOPE_FROM = 50
"""Calibration images of each class from which the slope is refitted beside the intercept."""


@dataclass(frozen=True)
class Trained:
    """One candidate with its networks: one, or an ensemble from several seeds."""

    candidate: Candidate
    prepared: Prepared
    members: tuple[Fitted, ...]
    encoder: TableEncoder | None
    table: np.ndarray | None
    test_time: bool

    @property
    def score(self) -> float:
        """Mean tuning score of the members; higher is better."""
        return float(np.mean([member.tuning_score for member in self.members]))

    def outputs(self, records: np.ndarray) -> dict[str, Any]:
        """Logits of the arrays of `records`, averaged over the members; features and slice weights of the first."""
        positions = self.prepared.rows_of(records)
        inputs = self.prepared.take(positions)
        table = None if self.table is None else self.table[self.prepared.owner[positions]]
        found = [
            network_outputs(member.network, inputs, table=table, test_time=self.test_time)
            for member in self.members
        ]
        answer = dict(found[0])
        answer["logits"] = np.mean([one["logits"] for one in found], axis=0)
        return answer

    def logits(self, records: np.ndarray) -> np.ndarray:
        """Logits of each record: those of its array, or the mean over its slices."""
        return self.prepared.mean_over_records(self.outputs(records)["logits"], records)

    def features(self, records: np.ndarray) -> np.ndarray:
        """The penultimate layer of the first member for each record."""
        return self.prepared.mean_over_records(self.outputs(records)["features"], records)


@dataclass(frozen=True)
class Head:
    """What makes an answer of one target's raw prediction."""

    target: Target
    calibrator: Calibrator
    conformal: Conformal
    thresholds: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Developed:
    """The outcome of the procedure: every candidate, the one that was kept, and its heads."""

    trained: tuple[Trained, ...]
    chosen: Trained
    heads: tuple[Head, ...]
    sides: DevelopmentSides


def develop(
    cohort: Cohort,
    rows: np.ndarray,
    wanted: list[tuple[Candidate, Prepared]],
    request: TrainRequest,
    context: Context,
    key: str,
    *,
    given: bool,
) -> Developed:
    """Train every candidate on `rows`, keep the best on their tuning side, and calibrate it on another side."""
    seed = task_seed(request.seed, f"{key}-sides")
    sides = development_sides(cohort, rows, seed, given=given)
    named = given and cohort.split is not None
    members = [member_sides(cohort, sides, k, seed, given=named) for k in range(request.ensemble)]
    trained = tuple(
        _train(cohort, members, candidate, prepared, request, context, key) for candidate, prepared in wanted
    )
    chosen = max(trained, key=lambda one: one.score)
    raw = predictions(cohort.objective, cohort.targets, chosen.logits(sides.calibration))
    heads = tuple(
        _head(cohort, place, target, sides.calibration, raw[place], request, key)
        for place, target in enumerate(cohort.targets)
    )
    return Developed(trained, chosen, heads, sides)


def settings(cohort: Cohort, request: TrainRequest, seed: int) -> Settings:
    """What the training loop is told."""
    augment = tuple(name for name in AUGMENTATIONS if name in request.augment)
    return Settings(
        objective=cohort.objective,
        epochs=request.epochs,
        patience=request.patience,
        batch_size=request.batch_size,
        learning_rate=request.learning_rate,
        weight_decay=request.weight_decay,
        class_balanced=request.class_balanced,
        label_smoothing=request.label_smoothing,
        augment=augment,
        ema=request.ema,
        seed=seed,
        test_time=request.test_time and "flip" in augment,
    )


def _train(
    cohort: Cohort,
    sides: list[tuple[np.ndarray, np.ndarray]],
    candidate: Candidate,
    prepared: Prepared,
    request: TrainRequest,
    context: Context,
    key: str,
) -> Trained:
    """The networks of one candidate; `sides` are the training and tuning rows of each."""
    encoder, table = _table(
        cohort, np.unique(np.concatenate([train for train, _ in sides])), candidate, request
    )
    labels = cohort.training_labels()
    members = []
    for number, (train, tuning) in enumerate(sides):
        data = TrainingData(
            inputs=prepared.arrays,
            y=labels[prepared.owner],
            train=prepared.rows_of(train),
            tuning=prepared.rows_of(tuning),
            table=None if table is None else table[prepared.owner],
        )
        asked = settings(cohort, request, task_seed(request.seed, f"{key}-{candidate.name}-{number}"))
        said = (
            candidate.name
            + ("" if key == "final" else f", {key}")
            + (f", network {number + 1}" if number else "")
        )
        members.append(
            fit(
                candidate.name,
                candidate.params,
                candidate.spec,
                n_outputs(cohort.objective, cohort.targets),
                data,
                asked,
                weights=request.weights,
                checkpoint=_folder(context.checkpoint, f"{key}-{candidate.name}-{number}"),
                progress=context.progress,
                label=f"training {said}",
            )
        )
    flips = request.test_time and "flip" in request.augment
    return Trained(candidate, prepared, tuple(members), encoder, table, flips)


def _folder(checkpoint: Path | None, name: str) -> Path | None:
    return None if checkpoint is None else checkpoint / re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _table(
    cohort: Cohort, train: np.ndarray, candidate: Candidate, request: TrainRequest
) -> tuple[TableEncoder | None, np.ndarray | None]:
    """The patient table of a fusion network, encoded by what the training rows hold."""
    if candidate.name != "fusion":
        return None, None
    labels = tuple(target.name for target in cohort.targets)
    columns = patient_columns(cohort.records, request.features, (*labels, *request.subgroup))
    frame = patient_frame(cohort.records, columns)
    encoder = fit_table_encoder(frame, train)
    return encoder, encoder.apply(frame)


def _head(
    cohort: Cohort,
    place: int,
    target: Target,
    rows: np.ndarray,
    raw: np.ndarray,
    request: TrainRequest,
    key: str,
) -> Head:
    """Calibrator and thresholds from one half of the calibration patients, the conformal rule from the other half."""
    y = np.asarray(cohort.y[place], dtype=float)[rows]
    known = np.flatnonzero(np.isfinite(y))
    y = y[known] if target.task == "continuous" else y[known].astype(np.int64)
    raw, groups = raw[known], cohort.groups[rows][known]
    first, second = _halves(target, y, groups, task_seed(request.seed, f"{key}-{target.name}-halves"))
    calibrator = _calibrator(target, y[first], raw[first], groups[first], request)
    calibrated = calibrator.apply(raw)
    if target.task == "continuous":
        rule: Conformal = fit_conformal_interval(
            y[second], calibrated[second], request.coverage, groups=groups[second]
        )
        return Head(target, calibrator, rule)
    rule = fit_conformal_set(target, y[second], calibrated[second], request.coverage, groups=groups[second])
    thresholds = choose_thresholds(y, calibrated) if target.task == "binary" else []
    return Head(target, calibrator, rule, thresholds)


def _halves(target: Target, y: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    every = np.arange(len(y))
    if len(np.unique(groups)) < _HALVED_FROM:
        return every, every
    strata = None if target.task == "continuous" else y
    try:
        return split_held_out(len(y), groups=groups, strata=strata, fraction=0.5, seed=seed)
    except SplitError:
        return every, every


def _calibrator(
    target: Target, y: np.ndarray, raw: np.ndarray, groups: np.ndarray, request: TrainRequest
) -> Calibrator:
    """As asked; auto always refits the intercept of classes, because class balancing moves it on purpose.

    The slope is refitted as well where each class has `_SLOPE_FROM` images: on few that a good network separates
    almost without error, the likeliest slope is far too steep. Where a class is missing on the calibration side
    nothing can be fitted, and auto leaves the answers as they are.
    """
    if request.calibration != "auto":
        return fit_calibrator(request.calibration, target, y, raw)
    if target.task == "continuous":
        return choose_calibrator(target, y, raw, groups=groups, seed=request.seed)
    rarest = np.bincount(y, minlength=len(target.classes)).min()
    kind = "none" if rarest == 0 else "slope" if rarest >= _SLOPE_FROM else "intercept"
    return fit_calibrator(kind, target, y, raw)
