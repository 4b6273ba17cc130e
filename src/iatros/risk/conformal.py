"""The conformal rule of a model: fitted, asked, and held to its promise."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.conformal import ConformalInterval, ConformalSet, fit_conformal_interval, fit_conformal_set
from iatros.core.intervals import proportion
from iatros.core.task import Target
from iatros.risk.scoring import RiskModel


def fit_conformal(
    target: Target, y: np.ndarray, prediction: np.ndarray, coverage: float, *, groups: np.ndarray
) -> ConformalSet | ConformalInterval:
    """From calibrated predictions of patients that neither model nor calibrator has seen, on the learning scale."""
    if target.task == "continuous":
        return fit_conformal_interval(y, prediction, coverage, groups=groups)
    return fit_conformal_set(target, y, prediction, coverage, groups=groups)


def conformal_answer(
    model: RiskModel, y: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the set or interval of each patient holds `y`, and how large it is."""
    if isinstance(model.conformal, ConformalSet):
        sets = model.sets(prediction)
        return sets[np.arange(len(y)), y.astype(int)], sets.sum(axis=1).astype(float)
    assert isinstance(model.conformal, ConformalInterval)
    low, high = model.interval(prediction)
    return (low <= y) & (y <= high), high - low


def reached(
    target: Target, promised: float, covered: np.ndarray, extent: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    """Coverage that was promised and reached, and how large the sets or intervals had to be."""
    continuous, finite = target.task == "continuous", extent[np.isfinite(extent)]
    return {
        "kind": "prediction interval" if continuous else "prediction set",
        "confidence_level": promised,
        "coverage": proportion(covered, groups=groups).document(),
        "mean_extent": float(finite.mean()) if len(finite) else None,
        "extent_unit": "outcome unit" if continuous else "classes",
    }
