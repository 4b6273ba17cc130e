"""The procedure around a model of responses: judged on pairs that it had not learned from, then fitted on all."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.errors import FitError
from iatros.core.splits import task_seed
from iatros.treatment.responses.estimator import ResponsePredictor
from iatros.treatment.responses.evaluation import Judged, with_base
from iatros.treatment.responses.schema import Ask, Responses, Subjects, Treatments
from iatros.treatment.responses.settings import BASELINE, Settings, make_estimator
from iatros.treatment.responses.splits import Sides, cut

MOST_UNKNOWN = 1_000_000
"""Pairs without an exposure that a validation ranks at most; of more, so many are drawn."""


def judge_all(responses: Responses, settings: Settings, context: Context) -> dict[str, Judged]:
    """Every candidate and the baseline on the same pairs, each answered by a model that had not learned from it."""
    sides = cut(
        responses,
        settings.newness,
        settings.n_folds,
        settings.seed,
        given=settings.given,
        later=settings.later,
    )
    asked = [_asked(responses, side, number, settings) for number, side in enumerate(sides)]
    found = {
        name: _judge(responses, sides, asked, name, params, settings, context)
        for name, params in settings.judged.items()
    }
    base = found[BASELINE].prediction
    return {name: with_base(one, base) for name, one in found.items()}


def _judge(
    responses: Responses,
    sides: list[Sides],
    asked: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    name: str,
    params: dict[str, Any],
    settings: Settings,
    context: Context,
) -> Judged:
    kept, key = Checkpoint(context.checkpoint), f"judged-{name}"
    subject, treatment, y = (np.concatenate([one[k] for one in asked]) for k in range(3))
    fold = np.repeat(np.arange(len(sides)), [len(one[0]) for one in asked])
    if (done := kept.get(key)) is not None:
        return Judged(subject, treatment, y, done["prediction"], np.zeros(len(y)), fold)
    tasks = [(side, one[0], one[1]) for side, one in zip(sides, asked, strict=True)]
    common = (responses, name, params, settings)
    found = context.engine.map(
        _predict_fold, tasks, common, progress=context.progress, label=f"{name}: folds"
    )
    prediction = np.concatenate(found)
    kept.put(key, {"prediction": prediction})
    return Judged(subject, treatment, y, prediction, np.zeros(len(y)), fold)


def _predict_fold(
    common: tuple[Responses, str, dict[str, Any], Settings], task: tuple[Sides, np.ndarray, np.ndarray]
) -> np.ndarray:
    responses, name, params, settings = common
    side, subject, treatment = task
    train = responses.take(side.train)
    estimator = make_estimator(name, params, responses.outcome)
    predictor, _ = estimator.fit(train, newness=settings.newness, seed=task_seed(settings.seed, name))
    return answers(predictor, ask_about(responses, side, subject, treatment), name)


def answers(predictor: ResponsePredictor, ask: Ask, name: str) -> np.ndarray:
    """The predictions (n,); FitError where one is not finite."""
    prediction = predictor.predict(ask)
    if not np.isfinite(prediction).all():
        raise FitError(
            f"{int((~np.isfinite(prediction)).sum())} predictions of {name} are not finite numbers"
        )
    return prediction


def ask_about(responses: Responses, side: Sides, subject: np.ndarray, treatment: np.ndarray) -> Ask:
    """The pairs at `subject` and `treatment`, of whose subjects the model is told what `side.given` says."""
    s, t = responses.shape
    treatments = Treatments(np.arange(t), responses.of_treatments)
    if len(side.given) == 0:
        subjects = Subjects(
            np.arange(s), np.zeros(s + 1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0),
            responses.of_subjects,
        )  # fmt: skip
        return Ask(subjects, treatments, subject, treatment)
    told = responses.take(side.given)
    order = np.argsort(told.subject, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(told.subject, minlength=s))]).astype(np.int64)
    known = np.where(np.diff(start) > 0, -1, np.arange(s))
    subjects = Subjects(known, start, told.treatment[order], told.y[order], responses.of_subjects)
    return Ask(subjects, treatments, subject, treatment)


def _asked(
    responses: Responses, side: Sides, number: int, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Subjects, treatments and outcomes of the pairs that a fold judges."""
    held = side.held_out
    subject, treatment, y = responses.subject[held], responses.treatment[held], responses.y[held]
    if responses.outcome != "implicit":
        return subject, treatment, y
    free = _unknown(responses, side, number, settings)
    s, t = np.concatenate([subject, free[0]]), np.concatenate([treatment, free[1]])
    return s, t, np.concatenate([np.ones(len(subject)), np.zeros(len(free[0]))])


def _unknown(
    responses: Responses, side: Sides, number: int, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs without an exposure among which a fold ranks its own: its share of all, or all of what it holds out."""
    s, t = responses.shape
    rng = np.random.default_rng([settings.seed, 0 if settings.newness in ("pairs", "time") else 1])
    seen = np.zeros((s, t), dtype=bool)
    seen[responses.subject, responses.treatment] = True
    rows, columns = np.nonzero(~seen)
    if settings.newness == "subjects":
        inside = np.isin(rows, np.unique(responses.subject[side.held_out]))
    elif settings.newness == "treatments":
        inside = np.isin(columns, np.unique(responses.treatment[side.held_out]))
    elif settings.newness == "time":
        inside = np.isin(rows, np.unique(responses.subject[side.held_out]))
    else:
        inside = rng.integers(settings.n_folds, size=len(rows)) == number
    free = np.flatnonzero(inside)
    most = MOST_UNKNOWN // max(settings.n_folds, 1)
    if len(free) > most:
        free = np.sort(rng.choice(free, most, replace=False))
    return rows[free], columns[free]


def fit_all(
    responses: Responses, name: str, params: dict[str, Any], settings: Settings
) -> tuple[ResponsePredictor, dict[str, Any]]:
    """The model that is kept, fitted on everything."""
    estimator = make_estimator(name, params, responses.outcome)
    return estimator.fit(responses, newness=settings.newness, seed=task_seed(settings.seed, name))
