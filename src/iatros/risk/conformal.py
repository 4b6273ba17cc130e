"""What the conformal rule of a risk model says of each patient."""

from __future__ import annotations

import numpy as np

from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.risk.scoring import RiskModel


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
