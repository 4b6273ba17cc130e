"""Thresholds, subgroups, calibration, sample size, instability: the evidence beside the metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core import evidence as core_evidence
from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.decision import threshold_table
from iatros.core.instability import instability
from iatros.core.sample_size import riley_binary, riley_continuous
from iatros.core.splits import bootstrap_rows, task_seed
from iatros.core.subgroups import subgroup_metrics
from iatros.risk.fitting import FitTask, run_fits
from iatros.risk.recipe import Recipe
from iatros.risk.study import Study
from iatros.risk.validation import Judged, Validated

_INSTABILITY_PATIENTS = 500
_INSTABILITY_DRAWN = 150
_LARGE = 20_000


def thresholds(study: Study, judged: Judged) -> list[dict[str, Any]]:
    """What each threshold does on the judged patients; every part of a validation brings thresholds of its own."""
    y, groups = study.y[judged.rows], study.groups[judged.rows]
    table = []
    for name, cuts in judged.cuts.items():
        mean = float(cuts.mean())
        # Where parts differ, moving each part's risks by its own distance to the mean leaves every decision as it is.
        moved = judged.prediction - cuts + mean
        table += threshold_table(y, moved, [{"name": name, "threshold": mean}], groups=groups)
    return table


def subgroups(study: Study, judged: Judged, seed: int) -> dict[str, Any]:
    """Performance by level of each subgroup column."""
    if not study.subgroups:
        return {}
    labels = {name: values[judged.rows] for name, values in study.subgroups.items()}
    return subgroup_metrics(
        study.target,
        study.y[judged.rows],
        judged.prediction,
        labels,
        groups=study.groups[judged.rows],
        seed=seed,
    )


def calibration_change(study: Study, validated: Validated, judged: Judged, seed: int) -> dict[str, Any]:
    """Which calibrator was used, and the judged patients' metrics before and after it."""
    rows = judged.rows
    change = core_evidence.calibration_change(
        study.target,
        study.y[rows],
        judged.uncalibrated,
        judged.prediction,
        groups=study.groups[rows],
        seed=seed,
    )
    return {
        "kind": validated.final.model.calibrators[-1].kind,
        "cross_fitted": validated.final.cross_fitted,
        **change,
    }


def sample_size(
    study: Study, n_parameters: int, development: np.ndarray, metrics: dict[str, Any]
) -> dict[str, Any] | None:
    """Riley's check of whether the development side is large enough for the number of parameters offered."""
    n = len(np.unique(study.groups[development]))
    if study.target.task == "binary":
        auroc = metrics.get("auroc", {}).get("value")
        if auroc is None:
            return None
        events = int(study.y[development].sum())
        return riley_binary(
            n, round(events * n / len(development)), n_parameters, c_statistic=max(auroc, 0.51)
        )
    if study.target.task == "continuous":
        r2 = metrics.get("r2", {}).get("value")
        if r2 is None:
            return None
        y = study.y[development]
        return riley_continuous(
            n, n_parameters, r2=min(max(r2, 0.01), 0.99), mean=float(y.mean()), sd=float(y.std())
        )
    return None


def individual_instability(
    study: Study,
    validated: Validated,
    recipe: Recipe,
    n_resamples: int,
    context: Context,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """How far the prediction for one patient moves when the final model is refitted on resampled patients."""
    final, development = validated.final, validated.development
    resamples = min(n_resamples, 5) if len(development) > _LARGE else n_resamples
    rng = np.random.default_rng(task_seed(recipe.seed, "instability"))
    shown = np.sort(rng.choice(development, min(_INSTABILITY_PATIENTS, len(development)), replace=False))
    train = final.sides["train"]
    tasks = []
    for number in range(resamples):
        drawn, _ = bootstrap_rows(study.groups[train], seed=task_seed(recipe.seed, f"instability{number}"))
        params = final.params[final.selected]
        tasks.append(
            FitTask(f"instability{number}", final.selected, params, train[drawn], shown, recipe.seed)
        )
    answers = run_fits(study, tasks, context, checkpoint, label="instability of individual predictions")
    predictions = np.stack([final.model.finish(answer.prediction) for answer in answers])
    if study.target.task == "multiclass":
        predictions = predictions.max(axis=2)
    original = final.model.predict(study.features.take(shown).frame)
    if study.target.task == "multiclass":
        original = original.max(axis=1)
    document = {**instability(predictions, original=original), "n_resamples": resamples}
    if study.target.task != "multiclass":
        drawn = np.argsort(original, kind="stable")[:: max(len(original) // _INSTABILITY_DRAWN, 1)]
        low, high = np.quantile(predictions[:, drawn], [0.025, 0.975], axis=0)
        document["patients"] = {
            "prediction": original[drawn].tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
    return document
