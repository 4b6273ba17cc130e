"""The whole way from patients to a model of their dose, as one procedure that every validation can repeat.

Fit every candidate, weigh them on inner folds, set the conformal rule: all of it inside the patients that it is given.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.splits import folds, strata_of, task_seed
from iatros.learners.tabular.predictor import Predictor
from iatros.learners.tabular.ranges import observed_schema
from iatros.treatment.dosing.intervals import fit_banded
from iatros.treatment.dosing.model import BlendPredictor, DoseModel
from iatros.treatment.dosing.scale import backward, forward
from iatros.treatment.dosing.schema import Doses
from iatros.treatment.dosing.settings import DoseSettings, make_estimator

_STEP = 0.05
"""Steps of the weights: finer ones follow noise."""


@dataclass(frozen=True)
class Developed:
    """What the procedure made of its patients.

    `weights` are those of the candidates; `members` their predictors; `inner_error` each one's mean absolute error on
    the inner folds, in the unit of the dose, and `blend` the error of what was made of them.
    """

    model: DoseModel
    weights: dict[str, float]
    members: dict[str, Predictor]
    inner_error: dict[str, float]
    notes: dict[str, Any]
    seconds: dict[str, float]

    def member(self, name: str, doses: Doses) -> np.ndarray:
        """The doses (n,) that one candidate alone gives."""
        frame = doses.features.frame.select(self.model.schema.names)
        return backward(self.model.scale, self.members[name].predict(frame))


@dataclass(frozen=True)
class _Task:
    """One fit of one candidate on `fit` rows, with its answers for `ask` rows."""

    key: str
    name: str
    params: dict[str, Any]
    fit: np.ndarray
    ask: np.ndarray
    seed: int


def develop(doses: Doses, settings: DoseSettings, context: Context, key: str) -> Developed:
    """Run the procedure of `settings` on all of `doses`; `key` seeds it."""
    fold = folds(
        groups=doses.groups,
        strata=strata_of(doses.target, doses.y),
        n_folds=settings.inner_folds,
        seed=task_seed(settings.seed, f"{key}-inner"),
    )
    every, nobody = np.arange(len(doses)), np.arange(0)
    tasks = []
    for name, params in settings.models.items():
        sides = [(every, nobody)] + [
            (np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(settings.inner_folds)
        ]
        tasks += [
            _Task(f"{key}-{name}-{k}", name, params, fit, ask, settings.seed)
            for k, (fit, ask) in enumerate(sides)
        ]
    done = context.engine.map(
        _fit, tasks, (doses, settings), progress=context.progress, label=f"{key}: fitting"
    )
    unseen = {name: np.full(len(doses), np.nan) for name in settings.models}
    final = {}
    for task, answer in zip(tasks, done, strict=True):
        unseen[task.name][task.ask] = answer[1]
        if not len(task.ask):
            final[task.name] = answer
    return _combined(doses, settings, unseen, final)


def _fit(
    shared: tuple[Doses, DoseSettings], task: _Task
) -> tuple[Predictor, np.ndarray, dict[str, Any], float]:
    """The fitted predictor, its answers on the learning scale, its notes, and the seconds it took."""
    doses, settings = shared
    started = time.perf_counter()
    part = doses.take(task.fit)
    fitted = make_estimator(task.name, task.params).fit(
        part.features,
        forward(settings.scale, part.y),
        part.target,
        groups=part.groups,
        seed=task_seed(task.seed, task.key),
    )
    answers = np.empty(0)
    if len(task.ask):
        answers = fitted.predictor.predict(doses.features.take(task.ask).frame)
    return fitted.predictor, answers, fitted.notes, time.perf_counter() - started


def _combined(
    doses: Doses, settings: DoseSettings, unseen: dict[str, np.ndarray], final: dict[str, Any]
) -> Developed:
    names = list(unseen)
    stacked = np.stack([unseen[name] for name in names])
    weights = weigh(doses.y, stacked, settings)
    blended = weights @ stacked
    used = [k for k in range(len(names)) if weights[k] > 0]
    predictors = [final[names[k]][0] for k in used]
    predictor: Predictor = predictors[0]
    if len(used) > 1:
        predictor = BlendPredictor(tuple(names[k] for k in used), tuple(predictors), weights[used])
    rule = fit_banded(forward(settings.scale, doses.y), blended, settings.coverage, groups=doses.groups)
    errors = {name: _error(doses.y, unseen[name], settings) for name in names}
    return Developed(
        model=DoseModel(predictor, rule, settings.scale, observed_schema(doses.features)),
        weights={name: float(weight) for name, weight in zip(names, weights, strict=True)},
        members={name: final[name][0] for name in names},
        inner_error={**errors, "blend": _error(doses.y, blended, settings)},
        notes={name: final[name][2] for name in names},
        seconds={name: final[name][3] for name in names},
    )


def weigh(y: np.ndarray, unseen: np.ndarray, settings: DoseSettings) -> np.ndarray:
    """Weights (m,) of m candidates, none negative, that sum to one.

    From their answers (m, n) on the learning scale for patients that they had not learned from, and the doses `y` (n,).
    Blend: from equal weights, a twentieth at a time moves from one candidate to another as long as the mean absolute
    error falls, so that candidates between which the data do not decide stay alike. Best: the one with the least error.
    """
    n = len(unseen)
    if settings.combine == "best" or n == 1:
        errors = [_error(y, one, settings) for one in unseen]
        return np.eye(n)[int(np.argmin(errors))]
    weights = np.full(n, 1.0 / n)
    best = _error(y, weights @ unseen, settings)
    while True:
        moves = _moves(weights)
        errors = [_error(y, moved @ unseen, settings) for moved in moves]
        if not errors or min(errors) >= best - 1e-9 * max(best, 1e-12):
            return np.round(weights, 12)
        at = int(np.argmin(errors))
        weights, best = moves[at], errors[at]


def _moves(weights: np.ndarray) -> Sequence[np.ndarray]:
    moves = []
    for giver in range(len(weights)):
        size = min(_STEP, float(weights[giver]))
        for taker in range(len(weights)):
            if taker != giver and size > 1e-9:
                moved = weights.copy()
                moved[giver] -= size
                moved[taker] += size
                moves.append(np.where(moved < 1e-9, 0.0, moved))
    return moves


def _error(y: np.ndarray, value: np.ndarray, settings: DoseSettings) -> float:
    return float(np.mean(np.abs(backward(settings.scale, value) - y)))
