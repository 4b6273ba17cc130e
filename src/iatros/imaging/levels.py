"""The same answers seen slice by slice and study by study, where slices are images of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.metrics import evaluate
from iatros.core.task import Target

_SHOWN = {
    "binary": ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier"),
    "multiclass": ("auroc", "accuracy", "balanced_accuracy", "log_loss", "brier"),
    "continuous": ("mae", "rmse", "r2", "bias"),
}


def slice_and_study(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    studies: np.ndarray,
    groups: np.ndarray,
    *,
    own: Mapping[Any, Any] | None = None,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Metrics over slices and over studies, in the same resamples of patients.

    `y`, `prediction` (as in `Target`), `studies` and `groups` have one entry per slice, (n,). A study's answer is
    what the network itself gave for it (`own`, by study), else the mean over its slices. Its truth is that of its
    slices; where they differ a study has the finding if any slice has it, and its answer is that of the slice that is
    surest of it. Gives `slice` and `study` (each `n`, `n_patients`, `metrics`), `how`, and `slices_per_study`
    (`least`, `median`, `most`). Raises InputError where slices of a study differ in class or value, or in patient.
    """
    rows = np.flatnonzero(np.isfinite(np.asarray(y, dtype=float)))
    y, prediction, studies, groups = (
        np.asarray(y)[rows],
        prediction[rows],
        np.asarray(studies)[rows],
        np.asarray(groups)[rows],
    )
    names, first, codes, counts = np.unique(
        studies, return_index=True, return_inverse=True, return_counts=True
    )
    codes = codes.reshape(-1)
    if (groups != groups[first][codes]).any():
        raise InputError("a study has slices of more than one patient", hint="see the study of each slice")
    truth, differs = _truth(target, y, codes, first)
    if own is not None:
        answer, how = np.array([own[name] for name in names.tolist()]), "the network's own"
    elif differs:
        answer, how = _highest(prediction, codes, len(names)), "the highest of its slices"
    else:
        answer, how = _mean(prediction, codes, counts), "the mean of its slices"
    sizes = {"least": int(counts.min()), "median": float(np.median(counts)), "most": int(counts.max())}
    return {
        "slice": _level(target, y, prediction, groups, confidence_level, seed),
        "study": _level(target, truth, answer, groups[first], confidence_level, seed),
        "how": how,
        "slices_per_study": sizes,
    }


def _truth(target: Target, y: np.ndarray, codes: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, bool]:
    """The truth of each study, and whether slices of one study differ in theirs."""
    differs = bool((y != y[first][codes]).any())
    if not differs:
        return y[first], False
    if target.task != "binary":
        raise InputError(
            f"slices of one study differ in {target.name}", hint="give each study one class or value"
        )
    truth = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(truth, codes, y.astype(np.int64))
    return truth, True


def _mean(prediction: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(counts), *prediction.shape[1:]))
    np.add.at(sums, codes, prediction)
    mean: np.ndarray = sums / counts.reshape(-1, *([1] * (prediction.ndim - 1)))
    return mean


def _highest(prediction: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    highest = np.zeros(n)
    np.maximum.at(highest, codes, prediction)
    return highest


def _level(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray,
    confidence_level: float,
    seed: int,
) -> dict[str, Any]:
    truth = y.astype(float) if target.task == "continuous" else y.astype(np.int64)
    found = evaluate(target, truth, prediction, groups=groups, confidence_level=confidence_level, seed=seed)
    return {
        "n": len(y),
        "n_patients": len(np.unique(groups)),
        "metrics": {name: found[name].document() for name in _SHOWN[target.task]},
    }
