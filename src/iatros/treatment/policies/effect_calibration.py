"""Whether predicted effects are as large as those found: by fifths of the prediction, and as a slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import NAN, Metric
from iatros.treatment.policies.uplift import ranks_within
from iatros.treatment.policies.values import Ratio, interval


@dataclass(frozen=True)
class Fifth:
    """Patients of neighbouring rank: the mean of their predicted effects, and the effect found in them."""

    predicted: float
    found: Metric


@dataclass(frozen=True)
class EffectCalibration:
    """`slope` 1: effects differ between patients as much as predicted; 0: the prediction tells no difference.

    `excess` is the mean effect found less the mean predicted.
    """

    fifths: tuple[Fifth, ...]
    slope: Metric
    excess: Metric


def calibration_of_effects(
    predicted: np.ndarray,
    pseudo: np.ndarray,
    fold: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_groups: int = 5,
    confidence_level: float = 0.95,
) -> EffectCalibration:
    """Predicted effects (n,) against doubly robust scores of the effect (n,), both not learned from their row.

    Patients are grouped by rank within their fold. The slope is that of the least squares line of the scores on the
    prediction, each less its mean over the fold (best linear predictor, Chernozhukov, Demirer, Duflo and
    Fernandez-Val 2018), its interval that of its influence function over whole groups.
    """
    rank = ranks_within(predicted, fold)
    place = np.minimum((rank * n_groups).astype(np.int64), n_groups - 1)
    fifths = []
    for number in np.unique(place):
        inside = (place == number).astype(float)
        found = interval(Ratio(pseudo * inside, inside, groups), confidence_level)
        fifths.append(Fifth(float(predicted[inside > 0].mean()), _counted(found, int(inside.sum()))))
    x, score = _centred(predicted, fold), _centred(pseudo, fold)
    ones = np.ones(len(x))
    excess = interval(Ratio(pseudo - predicted, ones, groups), confidence_level)
    return EffectCalibration(tuple(fifths), _slope(x, score, groups, confidence_level), excess)


def _slope(x: np.ndarray, score: np.ndarray, groups: np.ndarray | None, confidence_level: float) -> Metric:
    if float(x @ x) <= 1e-12 * max(float(score @ score), 1e-300):
        return Metric(NAN, NAN, NAN, len(x), None, "not defined: the same effect is predicted for all")
    return interval(Ratio(x * score, x * x, groups), confidence_level)


def _centred(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    centred = np.array(values, dtype=float)
    for number in np.unique(fold):
        centred[fold == number] -= values[fold == number].mean()
    return centred


def _counted(metric: Metric, n: int) -> Metric:
    return Metric(metric.value, metric.low, metric.high, n, metric.n_events, metric.interval)
