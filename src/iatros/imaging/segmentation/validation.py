"""Judging the procedure on patients it has not seen: one part held out, folds, or hospitals in turn."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import RequestError
from iatros.core.splits import check_disjoint, folds, site_folds, split_held_out, task_seed
from iatros.imaging.models.unet import UNetParams
from iatros.imaging.requests import TrainRequest
from iatros.imaging.segmentation.development import Developed, develop
from iatros.imaging.segmentation.evaluation import Judged, judge_case
from iatros.imaging.segmentation.scoring import SegmentationModel
from iatros.imaging.segmentation.study import Study
from iatros.imaging.sides import Part, Plan


@dataclass(frozen=True)
class JudgedPart:
    """One run of the procedure: what was developed, how it agrees with the truth, and the seconds that took."""

    name: str
    developed: Developed
    judged: Judged
    seconds: float


@dataclass(frozen=True)
class Validated:
    """Every part judged by the model developed without it, and the final model."""

    plan: Plan
    parts: tuple[JudgedPart, ...]
    labels: dict[int, np.ndarray]
    """Predicted label map of each judged row."""
    final: Developed

    @property
    def judged(self) -> Judged:
        """All judged cases together, in the order of their rows."""
        rows = np.concatenate([part.judged.rows for part in self.parts])
        agreements = [case for part in self.parts for case in part.judged.agreements]
        order = np.argsort(rows, kind="stable")
        return Judged(rows[order], tuple(agreements[k] for k in order))


def validate(study: Study, request: TrainRequest, params: UNetParams, context: Context) -> Validated:
    """Carry out the validation that the request asks for, and develop the final model."""
    plan = parts(study, request)
    found: list[JudgedPart] = []
    labels: dict[int, np.ndarray] = {}
    for part in plan.parts:
        started = time.perf_counter()
        developed = develop(study, part.development, request, params, context, label=part.name)
        judged, predicted = judge(developed.model, study, part.test, context, label=f"judging {part.name}")
        found.append(JudgedPart(part.name, developed, judged, time.perf_counter() - started))
        labels |= predicted
    final = found[0].developed
    if not plan.final_is_judged:
        final = develop(study, plan.final, request, params, context, label="final")
    return Validated(plan, tuple(found), labels, final)


def judge(
    model: SegmentationModel, study: Study, rows: np.ndarray, context: Context, *, label: str
) -> tuple[Judged, dict[int, np.ndarray]]:
    """Agreement of the model's label maps with the true ones on `rows`, and the maps by row."""
    agreements, labels = [], {}
    with context.progress.step(label, total=len(rows)) as step:
        for row in rows.tolist():
            case = study.cases[row]
            labels[row] = model.segment(study.pixels(case.record), case.record).labels
            agreements.append(judge_case(labels[row], case, len(study.structures)))
            step.advance()
    return Judged(rows, tuple(agreements)), labels


def parts(study: Study, request: TrainRequest) -> Plan:
    """The parts of the validation; `auto` takes the source's own split where it names a held-out side."""
    given = study.split is not None and "held_out" in study.split
    if request.validation == "cross-validation":
        return _cross_validation(study, request)
    if request.validation == "site":
        return _sites(study)
    notes: tuple[str, ...] = ()
    if given and request.validation == "auto":
        assert study.split is not None
        held_out = study.split == "held_out"
        development, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        check_disjoint(study.groups, {"development": development, "held_out": test})
        notes = ("the source's own split is kept",)
    else:
        development, test = split_held_out(
            study.n,
            groups=study.groups,
            fraction=request.held_out_fraction,
            seed=task_seed(request.seed, "held-out"),
        )
    return Plan("held_out", (Part("network", development, test),), development, notes)


def _cross_validation(study: Study, request: TrainRequest) -> Plan:
    every = np.arange(study.n)
    fold = folds(n=study.n, groups=study.groups, n_folds=request.folds, seed=task_seed(request.seed, "folds"))
    found = tuple(
        Part(f"fold {k + 1} of {request.folds}", every[fold != k], every[fold == k])
        for k in range(request.folds)
    )
    return Plan("cross_validation", found, every)


def _sites(study: Study) -> Plan:
    sites = study.sites
    if sites is None:
        raise RequestError(
            "validation site needs the hospital of each image", hint="name the column with site"
        )
    found = tuple(Part(f"site {one.site}", one.train, one.test) for one in site_folds(sites, study.groups))
    return Plan("site", found, np.arange(study.n))
