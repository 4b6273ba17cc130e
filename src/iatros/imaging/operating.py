"""What is decided at stated operating points, and how each class fares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from iatros.core.decision import threshold_table
from iatros.core.intervals import proportion
from iatros.core.metrics import evaluate
from iatros.core.task import Target

_OWN = "the network's own answer"
_CALIBRATED = "calibrated"


def operating_points(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    uncalibrated: np.ndarray,
    cuts: Mapping[str, np.ndarray],
    *,
    groups: np.ndarray,
    confidence_level: float = 0.95,
) -> list[dict[str, Any]]:
    """Accuracy, and for two classes sensitivity, specificity, PPV and NPV, each at an operating point that is named.

    Rows: the network's own answer (0.5 of its raw output, or its likeliest class), the calibrated one, and for two
    classes Youden's threshold where `cuts` (name to (n,)) has it. Each row holds `name`, `on` (raw or calibrated),
    `threshold`, `accuracy`, and for two classes the keys of `core.decision.threshold_table`. Empty for a quantity.
    """
    if target.task == "continuous":
        return []
    if target.task == "multiclass":
        return [
            {
                "name": f"{name}: the likeliest class",
                "on": on,
                "threshold": None,
                "accuracy": _accuracy(said.argmax(axis=1) == y, groups, confidence_level),
            }
            for name, on, said in ((_OWN, "raw", uncalibrated), (_CALIBRATED, "calibrated", prediction))
        ]
    points = [
        _point(
            f"{_OWN}: 0.5 of the raw output",
            "raw",
            y,
            uncalibrated,
            np.full(len(y), 0.5),
            groups,
            confidence_level,
        ),
        _point(
            f"{_CALIBRATED} 0.5", "calibrated", y, prediction, np.full(len(y), 0.5), groups, confidence_level
        ),
    ]
    if "youden" in cuts:
        points.append(
            _point(
                "Youden's threshold", "calibrated", y, prediction, cuts["youden"], groups, confidence_level
            )
        )
    return points


def _point(
    name: str,
    on: str,
    y: np.ndarray,
    p: np.ndarray,
    cut: np.ndarray,
    groups: np.ndarray,
    confidence_level: float,
) -> dict[str, Any]:
    mean = float(np.mean(cut))
    moved = p if np.ptp(cut) == 0 else p - cut + mean
    (row,) = threshold_table(
        y, moved, [{"name": name, "threshold": mean}], groups=groups, confidence_level=confidence_level
    )
    return {**row, "on": on, "accuracy": _accuracy((moved >= mean) == (y == 1), groups, confidence_level)}


def _accuracy(right: np.ndarray, groups: np.ndarray, confidence_level: float) -> dict[str, Any]:
    return proportion(right, groups=groups, confidence_level=confidence_level).document()


def classes_in_turn(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    groups: np.ndarray,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Each class against all others: AUROC and AUPRC of its probability; sensitivity and PPV of the likeliest class."""
    said = prediction.argmax(axis=1)

    def share(hits: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        return proportion(hits[rows], groups=groups[rows], confidence_level=confidence_level).document()

    answer: dict[str, Any] = {}
    for k, name in enumerate(target.classes):
        truth = y == k
        against = Target(name, "binary", ("other", name))
        ranked: dict[str, Any] = {}
        if truth.any() and not truth.all():
            found = evaluate(
                against,
                truth.astype(int),
                prediction[:, k],
                groups=groups,
                confidence_level=confidence_level,
                n_bootstrap=200,
                seed=seed,
            )
            ranked = {metric: found[metric].document() for metric in ("auroc", "auprc")}
        answer[name] = {
            "n": int(truth.sum()),
            **ranked,
            "sensitivity": share(said == k, truth),
            "ppv": share(truth, said == k),
        }
    return answer


def confusion(target: Target, y: np.ndarray, prediction: np.ndarray) -> list[list[int]]:
    """How often each true class (rows) was answered with each class (columns), by the likeliest class."""
    k = len(target.classes)
    counts = np.bincount(y.astype(int) * k + prediction.argmax(axis=1), minlength=k * k)
    return [[int(count) for count in row] for row in counts.reshape(k, k)]
