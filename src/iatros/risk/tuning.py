"""Hyperparameters by Optuna, inside the rows that a model may learn from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.splits import folds, task_seed
from iatros.core.task import Target
from iatros.risk.fitting import FitTask, run_fits
from iatros.risk.models import MODELS
from iatros.risk.study import Study
from iatros.risk.transform import backward

_TUNING_FOLDS = 4


@dataclass(frozen=True)
class Budget:
    """How much tuning each model gets: a number of trials, seconds, or the first of both to run out."""

    trials: int
    seconds: float | None
    seed: int

    @property
    def active(self) -> bool:
        """Whether anything is tuned at all."""
        return self.trials > 0 or self.seconds is not None


def score(target: Target, y: np.ndarray, prediction: np.ndarray) -> float:
    """What decides between models, higher is better: AUROC (macro one-vs-rest), or minus the mean absolute error."""
    from sklearn.metrics import mean_absolute_error, roc_auc_score

    if target.task == "continuous":
        return -float(mean_absolute_error(y, prediction))
    if target.task == "binary":
        return float(roc_auc_score(y, prediction)) if len(np.unique(y)) == 2 else 0.5
    present = np.unique(y)
    if len(present) < 2:
        return 0.5
    return float(np.mean([roc_auc_score(y == k, prediction[:, k]) for k in present]))


def tune(
    study: Study,
    train: np.ndarray,
    tuning: np.ndarray,
    name: str,
    base: Any,
    budget: Budget,
    context: Context,
    checkpoint: Checkpoint,
    key: str,
) -> Any:
    """The best parameters found for the model `name`; `base` is the first trial, so tuning never does worse there.

    Judged on the tuning rows, or by grouped folds of the training rows where there are none. Each trial's
    sampler is seeded by its number, so a resumed search continues as if it had never stopped.
    """
    if not budget.active:
        return base
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    estimator = MODELS.load(name)
    if len(tuning):
        parts = [(train, tuning)]
    else:
        fold = folds(
            groups=study.groups[train],
            strata=study.strata(train),
            n_folds=_TUNING_FOLDS,
            seed=task_seed(budget.seed, f"{key}-tuning-folds"),
        )
        parts = [(train[fold != k], train[fold == k]) for k in range(_TUNING_FOLDS)]
    search = optuna.create_study(direction="maximize")
    best, best_value = base, -np.inf
    limit = budget.trials or 10_000
    deadline = time.monotonic() + budget.seconds if budget.seconds is not None else np.inf
    for number in range(limit):
        search.sampler = optuna.samplers.TPESampler(
            seed=task_seed(budget.seed, f"{key}-trial{number}"), multivariate=False
        )
        trial = search.ask()
        params = base if number == 0 else estimator.search_space(trial, base)
        tasks = [
            FitTask(f"{key}-trial{number}-part{k}", name, params, fit_rows, predict_rows, budget.seed)
            for k, (fit_rows, predict_rows) in enumerate(parts)
        ]
        answers = run_fits(
            study, tasks, context, checkpoint, label=f"tuning {name}, trial {number + 1} of {limit}"
        )
        value = _value(study, parts, [answer.prediction for answer in answers])
        search.tell(trial, value)
        if value > best_value:
            best, best_value = params, value
        if time.monotonic() > deadline:
            break
    return best


def _value(study: Study, parts: list[tuple[np.ndarray, np.ndarray]], raw: list[np.ndarray]) -> float:
    rows = np.concatenate([predict_rows for _, predict_rows in parts])
    prediction = np.concatenate(raw)
    if study.target.task == "continuous":
        prediction = backward(study.transform, prediction)
    return score(study.target, study.y[rows], prediction)
