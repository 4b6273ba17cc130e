"""ROC, precision-recall, calibration and decision curves of one set of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.calibration_curves import reliability, smooth_curve
from iatros.core.decision import decision_curve
from iatros.core.rocs import precision_recall_curve, roc_curve
from iatros.core.task import Target

_BARS = 40


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


def _histogram(target: Target, y: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Counts of predictions, by class where there are two."""
    if target.task == "continuous":
        counts, edges = np.histogram(prediction, _BARS)
        return {"edges": edges.tolist(), "counts": counts.tolist()}
    edges = np.linspace(0.0, 1.0, _BARS + 1)
    events, others = (np.histogram(prediction[y == label], edges)[0].tolist() for label in (1, 0))
    return {"edges": edges.tolist(), "events": events, "non_events": others}
