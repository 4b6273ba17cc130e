"""The whole way from patients to a calibrated model, as one procedure that every validation can repeat.

Choose hyperparameters, choose between models, fit, calibrate, set the conformal rule and the thresholds:
all of it inside the rows that it is given, so that a validation which calls it on part of the patients
validates the procedure and not a lucky model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.calibration import Calibrator, choose_calibrator, fit_calibrator
from iatros.core.checkpoint import Checkpoint
from iatros.core.conformal import fit_conformal
from iatros.core.context import Context
from iatros.core.decision import choose_thresholds
from iatros.core.splits import folds, split_development, split_held_out, task_seed
from iatros.learners.tabular.ranges import observed_schema
from iatros.risk.fitting import FitAnswer, FitTask, run_fits
from iatros.risk.recipe import Recipe
from iatros.risk.scoring import RiskModel
from iatros.risk.study import Study
from iatros.risk.transform import backward
from iatros.risk.tuning import score, tune

CROSS_FIT_FOLDS = 5


@dataclass(frozen=True)
class Developed:
    """What the procedure made of the rows it was given."""

    selected: str
    models: dict[str, RiskModel]
    """Every trained model, calibrated; `models[selected]` also has the conformal rule."""
    params: dict[str, Any]
    selection: dict[str, float | None]
    """Score on tuning patients by model, higher is better; None where there was nothing to choose."""
    unseen_rows: np.ndarray
    """Rows whose patients the selected model had not been fitted on when it predicted them."""
    unseen_raw: np.ndarray
    cross_fitted: bool
    sides: dict[str, np.ndarray]
    notes: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    @property
    def model(self) -> RiskModel:
        """The selected model."""
        return self.models[self.selected]

    @property
    def unseen_prediction(self) -> np.ndarray:
        """Calibrated predictions of `unseen_rows`: what thresholds may be chosen on."""
        return self.model.finish(self.unseen_raw)

    def thresholds(self, study: Study) -> list[dict[str, Any]]:
        """Thresholds of a binary outcome, chosen on predictions for patients that the model had not seen."""
        if study.target.task != "binary":
            return []
        return choose_thresholds(study.y[self.unseen_rows], self.unseen_prediction)


def develop(
    study: Study, rows: np.ndarray, recipe: Recipe, context: Context, checkpoint: Checkpoint, key: str
) -> Developed:
    """Run the procedure of `recipe` on `rows` of `study`."""
    sides = split(study, rows, recipe, key)
    params = {
        name: tune(
            study,
            sides["train"],
            sides["tuning"],
            name,
            given,
            recipe.budget,
            context,
            checkpoint,
            f"{key}-{name}",
        )
        if name in recipe.candidates
        else given
        for name, given in recipe.trained.items()
    }
    kept, unseen = _fit_all(study, sides, params, recipe, context, checkpoint, key)
    selection = {name: _selection_score(study, sides, unseen[name]) for name in recipe.trained}
    scores = {name: -np.inf if value is None else value for name, value in selection.items()}
    selected = max(recipe.candidates, key=scores.__getitem__)
    models = {
        name: _calibrated(
            study, name, kept[name], unseen[name], sides, recipe, key, conformal=name == selected
        )
        for name in recipe.trained
    }
    unseen_rows = sides["calibration"] if len(sides["calibration"]) else sides["train"]
    return Developed(
        selected=selected,
        models=models,
        params=params,
        selection=selection,
        unseen_rows=unseen_rows,
        unseen_raw=unseen[selected][unseen_rows],
        cross_fitted=len(sides["calibration"]) == 0,
        sides=sides,
        notes={name: answer.notes for name, answer in kept.items()},
        seconds={name: answer.seconds for name, answer in kept.items()},
    )


def split(study: Study, rows: np.ndarray, recipe: Recipe, key: str) -> dict[str, np.ndarray]:
    """Train, tuning and calibration rows out of `rows`; a tuning side only where something is chosen on it."""
    sides = split_development(
        len(rows),
        groups=study.groups[rows],
        strata=study.strata(rows),
        tuning=len(recipe.trained) > 1 or recipe.budget.active,
        seed=task_seed(recipe.seed, f"{key}-sides"),
    )
    return {name: rows[index] for name, index in sides.named().items()}


def _fit_all(
    study: Study,
    sides: dict[str, np.ndarray],
    params: dict[str, Any],
    recipe: Recipe,
    context: Context,
    checkpoint: Checkpoint,
    key: str,
) -> tuple[dict[str, FitAnswer], dict[str, np.ndarray]]:
    """The final fit of each model, and its raw predictions for patients that it has not seen.

    The second part has one entry per row of the study, NaN where no such prediction exists.
    """
    train = sides["train"]
    away = np.concatenate([sides["tuning"], sides["calibration"]])
    tasks = [
        FitTask(f"{key}-{name}-final", name, given, train, away, recipe.seed, keep=True)
        for name, given in params.items()
    ]
    if not len(sides["calibration"]):
        fold = folds(
            groups=study.groups[train],
            strata=study.strata(train),
            n_folds=CROSS_FIT_FOLDS,
            seed=task_seed(recipe.seed, f"{key}-folds"),
        )
        tasks += [
            FitTask(f"{key}-{name}-fold{k}", name, given, train[fold != k], train[fold == k], recipe.seed)
            for name, given in params.items()
            for k in range(CROSS_FIT_FOLDS)
        ]
    answers = run_fits(study, tasks, context, checkpoint, label="fitting " + ", ".join(params))
    by_key = dict(zip((task.key for task in tasks), answers, strict=True))
    unseen = {}
    for name in params:
        mine = [task for task in tasks if task.model == name and len(task.predict_rows)]
        unseen[name] = _scatter(study.n, [(task.predict_rows, by_key[task.key].prediction) for task in mine])
    return {name: by_key[f"{key}-{name}-final"] for name in params}, unseen


def _scatter(n: int, parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    whole = np.full((n, *parts[0][1].shape[1:]), np.nan)
    for rows, prediction in parts:
        whole[rows] = prediction
    return whole


def _selection_score(study: Study, sides: dict[str, np.ndarray], unseen: np.ndarray) -> float | None:
    rows = sides["tuning"] if len(sides["tuning"]) else sides["train"]
    if np.isnan(unseen[rows]).any():
        return None
    prediction = unseen[rows]
    if study.target.task == "continuous":
        prediction = backward(study.transform, prediction)
    return score(study.target, study.y[rows], prediction)


def _calibrated(
    study: Study,
    name: str,
    answer: FitAnswer,
    unseen: np.ndarray,
    sides: dict[str, np.ndarray],
    recipe: Recipe,
    key: str,
    *,
    conformal: bool,
) -> RiskModel:
    """Calibrator from one half of the unseen patients, conformal rule from the other half."""
    rows = sides["calibration"] if len(sides["calibration"]) else sides["train"]
    first, second = _halves(study, rows, task_seed(recipe.seed, f"{key}-halves"))
    calibrator = _calibrator(study, recipe.calibration, first, unseen, recipe.seed)
    rule = None
    if conformal:
        rule = fit_conformal(
            study.target,
            study.learned[second],
            calibrator.apply(unseen[second]),
            recipe.coverage,
            groups=study.groups[second],
        )
    return RiskModel(
        name=name,
        target=study.target,
        transform=study.transform,
        schema=observed_schema(study.features.take(sides["train"])),
        predictor=answer.predictor(),
        calibrators=(calibrator,),
        conformal=rule,
    )


def _halves(study: Study, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = split_held_out(
        len(rows), groups=study.groups[rows], strata=study.strata(rows), fraction=0.5, seed=seed
    )
    return rows[first], rows[second]


def _calibrator(study: Study, kind: str, rows: np.ndarray, unseen: np.ndarray, seed: int) -> Calibrator:
    if kind == "auto":
        return choose_calibrator(
            study.target, study.learned[rows], unseen[rows], groups=study.groups[rows], seed=seed
        )
    return fit_calibrator(kind, study.target, study.learned[rows], unseen[rows])
