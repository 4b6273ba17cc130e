"""The evidence beside the metrics of one set of predictions: curves, and what calibration changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.calibration_curves import reliability, smooth_curve
from iatros.core.decision import decision_curve
from iatros.core.metrics import evaluate
from iatros.core.rocs import precision_recall_curve, roc_curve
from iatros.core.task import Target

_BARS = 40
_MOVED_BY_CALIBRATION = {
    "binary": ("brier", "log_loss", "calibration_slope", "calibration_intercept", "ece"),
    "multiclass": ("brier", "log_loss", "ece"),
    "continuous": ("mae", "bias", "calibration_slope"),
}


def curves(
    target: Target, y: np.ndarray, prediction: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, Any]:
    """The curves that the task has, as plain lists; with one class in `y`, calibration alone."""
    if target.task == "multiclass":
        return {"roc": {name: roc_curve(y == k, prediction[:, k]) for k, name in enumerate(target.classes)}}
    calibration = {
        "smooth": smooth_curve(y, prediction, groups=groups, seed=seed, task=target.task),
        "reliability": reliability(y, prediction, task=target.task),
        "histogram": _histogram(target, y, prediction),
    }
    if target.task == "continuous" or y.min() == y.max():
        return {"calibration": calibration}
    return {
        "roc": roc_curve(y, prediction),
        "pr": precision_recall_curve(y, prediction),
        "calibration": calibration,
        "decision": decision_curve(y, prediction, groups=groups, n_bootstrap=200, seed=seed),
    }


def calibration_change(
    target: Target,
    y: np.ndarray,
    uncalibrated: np.ndarray,
    calibrated: np.ndarray,
    *,
    groups: np.ndarray | None,
    confidence_level: float = 0.95,
    seed: int,
) -> dict[str, Any]:
    """The metrics that calibration moves, `before` and `after` it, on the same judged patients."""
    sides = {}
    for side, prediction in (("before", uncalibrated), ("after", calibrated)):
        found = evaluate(
            target,
            y,
            prediction,
            groups=groups,
            confidence_level=confidence_level,
            n_bootstrap=200,
            seed=seed,
        )
        sides[side] = {
            name: found[name].document() for name in _MOVED_BY_CALIBRATION[target.task] if name in found
        }
    return sides


def _histogram(target: Target, y: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Counts of predictions, by class where there are two."""
    if target.task == "continuous":
        counts, edges = np.histogram(prediction, _BARS)
        return {"edges": edges.tolist(), "counts": counts.tolist()}
    edges = np.linspace(0.0, 1.0, _BARS + 1)
    events, others = (np.histogram(prediction[y == label], edges)[0].tolist() for label in (1, 0))
    return {"edges": edges.tolist(), "events": events, "non_events": others}
