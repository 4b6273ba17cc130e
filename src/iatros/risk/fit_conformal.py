"""The conformal rule that goes with a task."""

from __future__ import annotations

import numpy as np

from iatros.core.conformal import ConformalInterval, ConformalSet, fit_conformal_interval, fit_conformal_set
from iatros.core.task import Target


def fit_conformal(
    target: Target, y: np.ndarray, prediction: np.ndarray, coverage: float, *, groups: np.ndarray
) -> ConformalSet | ConformalInterval:
    """From calibrated predictions of patients that neither model nor calibrator has seen, on the learning scale."""
    if target.task == "continuous":
        return fit_conformal_interval(y, prediction, coverage, groups=groups)
    return fit_conformal_set(target, y, prediction, coverage, groups=groups)
