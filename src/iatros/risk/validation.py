"""How performance is estimated: five ways of keeping patients away from the procedure that is judged on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.core.splits import (
    bootstrap_rows,
    check_disjoint,
    folds,
    site_folds,
    split_held_out,
    task_seed,
    time_split,
)
from iatros.learners.background import summarise_background
from iatros.risk.conformal import conformal_answer
from iatros.risk.development import Developed, develop
from iatros.risk.recipe import Recipe
from iatros.risk.requests import TrainRequest
from iatros.risk.study import Study


@dataclass(frozen=True)
class Part:
    """One run of the procedure: develop on some rows, be judged on others."""

    name: str
    development: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Judged:
    """Predictions for `rows`, made by models developed without their patients."""

    name: str
    rows: np.ndarray
    selected: str
    predictions: dict[str, np.ndarray]
    """Calibrated predictions by model name."""
    uncalibrated: np.ndarray
    """The selected model's predictions before calibration, on the outcome's scale."""
    covered: np.ndarray
    """Whether the conformal answer holds the truth."""
    extent: np.ndarray
    """Number of classes in the conformal set, or width of the interval."""
    cuts: dict[str, np.ndarray]
    """Thresholds by name, one per row: those chosen on the patients that the row's model was developed on."""

    @property
    def prediction(self) -> np.ndarray:
        """Of the selected model."""
        return self.predictions[self.selected]


@dataclass(frozen=True)
class Validated:
    """What a validation yields: the final model, and the judgements of the procedure behind it."""

    split: str
    final: Developed
    development: np.ndarray
    """Rows that the final model was developed on."""
    judged: tuple[Judged, ...]
    apparent: Judged | None = None
    """Optimism only: the final model judged on its own patients."""
    resampled: tuple[tuple[Judged, Judged, np.ndarray], ...] = ()
    """Optimism only: each resample's model judged on its own rows and on all rows, and the out-of-bag rows."""
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> Judged:
        """The judgement that curves are drawn of: of all sites together, of the first repeat, or the apparent one."""
        if self.apparent is not None:
            return self.apparent
        return join("sites", self.judged) if self.split == "site" else self.judged[0]

    def background(self, study: Study, seed: int) -> pl.DataFrame:
        """Representative rows of the development patients, none of whom can be read off them."""
        return summarise_background(
            study.features.take(self.development), study.learned[self.development], seed
        )


def validate(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    """Carry out the validation that `request` asks for."""
    ways = {
        "held-out": _held_out,
        "cross-validation": _cross_validation,
        "optimism": _optimism,
        "time": _time,
        "site": _site,
    }
    return ways[request.validation](study, request, recipe, context, checkpoint)


def outer_sides(study: Study, request: TrainRequest) -> dict[str, np.ndarray]:
    """Rows of the sides that the validation keeps apart; none where every patient is on each side in turn."""
    if request.validation == "held-out":
        development, test = _hold_out(study, request)
        return {"development": development, "held_out": test}
    if request.validation == "time":
        early, late = _cut_in_time(study, request)
        return {"development": early, "time": late}
    if request.validation == "site" and study.sites is not None:
        return {str(site): np.flatnonzero(study.sites == site) for site in np.unique(study.sites)}
    return {}


def _hold_out(study: Study, request: TrainRequest) -> tuple[np.ndarray, np.ndarray]:
    return split_held_out(
        study.n,
        groups=study.groups,
        strata=study.strata(np.arange(study.n)),
        fraction=request.held_out_fraction,
        seed=task_seed(request.seed, "held-out"),
    )


def _cut_in_time(study: Study, request: TrainRequest) -> tuple[np.ndarray, np.ndarray]:
    assert study.times is not None
    return time_split(study.times, groups=study.groups, fraction=request.held_out_fraction)


def _held_out(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    development, test = _hold_out(study, request)
    return _one_cut(study, "held_out", development, test, recipe, context, checkpoint, ())


def _time(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    assert study.times is not None
    early, late = _cut_in_time(study, request)
    notes = [
        f"developed on patients first seen before {study.times[late].min()}, judged on those first seen from then on"
    ]
    n_removed = study.n - len(early) - len(late)
    if n_removed:
        notes.append(f"{n_removed} later rows of patients first seen before the cut are on neither side")
    return _one_cut(study, "time", early, late, recipe, context, checkpoint, tuple(notes))


def _one_cut(
    study: Study,
    split: str,
    development: np.ndarray,
    test: np.ndarray,
    recipe: Recipe,
    context: Context,
    checkpoint: Checkpoint,
    notes: tuple[str, ...],
) -> Validated:
    check_disjoint(study.groups, {"development": development, split: test})
    final = develop(study, development, recipe, context, checkpoint, "final")
    return Validated(split, final, development, (judge(study, final, test, split),), notes=notes)


def _cross_validation(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    every = np.arange(study.n)
    parts = []
    for repeat in range(request.repeats):
        fold = folds(
            groups=study.groups,
            strata=study.strata(every),
            n_folds=request.folds,
            seed=task_seed(request.seed, f"repeat{repeat}"),
        )
        parts += [
            Part(f"repeat{repeat}-fold{k}", every[fold != k], every[fold == k]) for k in range(request.folds)
        ]
    pieces = _judge_parts(study, parts, recipe, context, checkpoint, f"{request.folds}-fold cross-validation")
    judged = tuple(
        _join(f"repeat{repeat}", pieces[repeat * request.folds : (repeat + 1) * request.folds])
        for repeat in range(request.repeats)
    )
    final = develop(study, every, recipe, context, checkpoint, "final")
    return Validated("cross_validation", final, every, judged)


def _site(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    assert study.sites is not None
    parts = []
    notes = []
    for fold in site_folds(study.sites, study.groups):
        parts.append(Part(fold.site, fold.train, fold.test))
        n_removed = study.n - len(fold.train) - len(fold.test)
        if n_removed:
            notes.append(
                f"{n_removed} rows elsewhere of patients also seen at {fold.site} do not train the model judged there"
            )
    judged = _judge_parts(study, parts, recipe, context, checkpoint, "leave one site out")
    every = np.arange(study.n)
    final = develop(study, every, recipe, context, checkpoint, "final")
    return Validated("site", final, every, tuple(judged), notes=tuple(notes))


def _optimism(
    study: Study, request: TrainRequest, recipe: Recipe, context: Context, checkpoint: Checkpoint
) -> Validated:
    every = np.arange(study.n)
    final = develop(study, every, recipe, context, checkpoint, "final")
    parts, left_out = [], []
    for number in range(request.bootstraps):
        drawn, out_of_bag = bootstrap_rows(study.groups, seed=task_seed(request.seed, f"bootstrap{number}"))
        parts.append(Part(f"bootstrap{number}", drawn, every))
        left_out.append(out_of_bag)
    on_all = _judge_parts(study, parts, recipe, context, checkpoint, "bootstrap resamples")
    resampled = tuple(
        (_pick(judged, part.development), judged, out_of_bag)
        for part, judged, out_of_bag in zip(parts, on_all, left_out, strict=True)
    )
    return Validated(
        "optimism", final, every, (), apparent=judge(study, final, every, "apparent"), resampled=resampled
    )


def judge(study: Study, developed: Developed, rows: np.ndarray, name: str) -> Judged:
    """What every model of `developed` predicts for `rows`, and whether the conformal answer holds the truth."""
    frame = study.features.take(rows).frame
    predictions = {}
    uncalibrated = np.empty(0)
    for model_name, model in developed.models.items():
        raw = model.raw(frame)
        predictions[model_name] = model.finish(raw)
        if model_name == developed.selected:
            uncalibrated = model.finish_uncalibrated(raw)
    covered, extent = conformal_answer(developed.model, study.y[rows], predictions[developed.selected])
    cuts = {cut["name"]: np.full(len(rows), cut["threshold"]) for cut in developed.thresholds(study)}
    return Judged(name, rows, developed.selected, predictions, uncalibrated, covered, extent, cuts)


def _judge_parts(
    study: Study, parts: list[Part], recipe: Recipe, context: Context, checkpoint: Checkpoint, label: str
) -> list[Judged]:
    return context.engine.map(
        _develop_and_judge, parts, (study, recipe, checkpoint), progress=context.progress, label=label
    )


def _develop_and_judge(shared: tuple[Study, Recipe, Checkpoint], part: Part) -> Judged:
    study, recipe, checkpoint = shared
    stored = checkpoint.get(f"judged-{part.name}")
    if stored is not None:
        return _unpack(part, stored)
    # The parts are spread over the engine's workers already, so inside one of them the loop is plain.
    developed = develop(
        study, part.development, recipe, Context(engine=SerialEngine()), checkpoint, part.name
    )
    judged = judge(study, developed, part.test, part.name)
    checkpoint.put(f"judged-{part.name}", _pack(judged))
    return judged


def _join(name: str, pieces: list[Judged]) -> Judged:
    """The parts of one cross-validation as one judgement; the selected model may differ from part to part."""
    models = pieces[0].predictions
    predictions = {model: np.concatenate([piece.predictions[model] for piece in pieces]) for model in models}
    winners = sorted({piece.selected for piece in pieces})
    selected = winners[0] if len(winners) == 1 else "selected"
    predictions[selected] = np.concatenate([piece.prediction for piece in pieces])
    return Judged(
        name,
        np.concatenate([piece.rows for piece in pieces]),
        selected,
        predictions,
        np.concatenate([piece.uncalibrated for piece in pieces]),
        np.concatenate([piece.covered for piece in pieces]),
        np.concatenate([piece.extent for piece in pieces]),
        {name: np.concatenate([piece.cuts[name] for piece in pieces]) for name in pieces[0].cuts},
    )


def join(name: str, pieces: tuple[Judged, ...]) -> Judged:
    """Several judgements of different rows as one."""
    return pieces[0] if len(pieces) == 1 else _join(name, list(pieces))


def _pick(judged: Judged, rows: np.ndarray) -> Judged:
    """The judgement of `rows` (with repeats) out of one of all rows in order."""
    return replace(
        judged,
        rows=rows,
        predictions={name: values[rows] for name, values in judged.predictions.items()},
        uncalibrated=judged.uncalibrated[rows],
        covered=judged.covered[rows],
        extent=judged.extent[rows],
        cuts={name: values[rows] for name, values in judged.cuts.items()},
    )


def _pack(judged: Judged) -> dict[str, np.ndarray]:
    arrays: dict[str, Any] = {f"prediction:{name}": values for name, values in judged.predictions.items()}
    arrays |= {f"cut:{name}": values for name, values in judged.cuts.items()}
    arrays["selected"] = np.frombuffer(judged.selected.encode(), dtype=np.uint8)
    return arrays | {"uncalibrated": judged.uncalibrated, "covered": judged.covered, "extent": judged.extent}


def _unpack(part: Part, arrays: dict[str, np.ndarray]) -> Judged:
    predictions, cuts = (
        {key.removeprefix(kind): value for key, value in arrays.items() if key.startswith(kind)}
        for kind in ("prediction:", "cut:")
    )
    return Judged(
        part.name,
        part.test,
        arrays["selected"].tobytes().decode(),
        predictions,
        arrays["uncalibrated"],
        arrays["covered"],
        arrays["extent"],
        cuts,
    )
