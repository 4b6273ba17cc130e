"""Conformal sets of classes and intervals of quantities: coverage that needs no trust in the model.

Split conformal prediction on patients that neither the model nor the calibrator has seen. Where
patients repeat, each patient's rows share its weight, so the guarantee is for a row of a new patient
(Lee, Barber and Willett 2023). With too few patients the set is full and the interval infinite.
Applying needs only numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import Metric, finite, group_codes, proportion
from iatros.core.task import Target

_SLACK = 1e-6
"""Added on the safe side: what a stored model may differ by from the fitted one."""


@dataclass(frozen=True)
class ConformalSet:
    """Sets of classes that hold the true one with `confidence_level`, in each class by itself.

    A class k is in the set where its probability is at least 1 - `thresholds[k]` (k,) (inf: always).
    """

    confidence_level: float
    thresholds: np.ndarray
    kind: str = "class-conditional"

    def sets(self, prediction: np.ndarray) -> np.ndarray:
        """Which classes each row's set holds, bool (n, k); `prediction` as in `Target`."""
        inside: np.ndarray = 1 - _by_class(prediction) <= self.thresholds + _SLACK
        return inside

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {"confidence_level": np.array([self.confidence_level]), "thresholds": self.thresholds}

    @staticmethod
    def load(arrays: dict[str, np.ndarray]) -> ConformalSet:
        """The reverse of `arrays`."""
        return ConformalSet(
            float(arrays["confidence_level"][0]), np.asarray(arrays["thresholds"], dtype=float)
        )

    def document(self) -> dict[str, Any]:
        """Plain values; a threshold of None takes its class into every set."""
        return {
            "kind": self.kind,
            "confidence_level": self.confidence_level,
            "thresholds": [finite(value) for value in self.thresholds],
        }


@dataclass(frozen=True)
class ConformalInterval:
    """Intervals that hold the true value with `confidence_level`, its misses shared by both sides.

    `quantiles` (2,) are added to the prediction; infinite where there were too few patients.
    """

    confidence_level: float
    quantiles: np.ndarray
    kind: str = "split, two-sided"

    def apply(self, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high (n,), in the outcome's unit."""
        return prediction + self.quantiles[0], prediction + self.quantiles[1]

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {"confidence_level": np.array([self.confidence_level]), "quantiles": self.quantiles}

    @staticmethod
    def load(arrays: dict[str, np.ndarray]) -> ConformalInterval:
        """The reverse of `arrays`."""
        return ConformalInterval(
            float(arrays["confidence_level"][0]), np.asarray(arrays["quantiles"], dtype=float)
        )

    def document(self) -> dict[str, Any]:
        """Plain values; None stands for infinity."""
        return {
            "kind": self.kind,
            "confidence_level": self.confidence_level,
            "quantiles": [finite(value) for value in self.quantiles],
        }


def fit_conformal(
    target: Target, y: np.ndarray, prediction: np.ndarray, coverage: float, *, groups: np.ndarray
) -> ConformalSet | ConformalInterval:
    """From calibrated predictions of patients that neither model nor calibrator has seen, on the learning scale."""
    if target.task == "continuous":
        return fit_conformal_interval(y, prediction, coverage, groups=groups)
    return fit_conformal_set(target, y, prediction, coverage, groups=groups)


def fit_conformal_set(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    confidence_level: float = 0.9,
    *,
    groups: np.ndarray | None = None,
) -> ConformalSet:
    """Class-conditional conformal sets (Vovk 2012) from probabilities and labels as in `Target`."""
    _check(y, prediction, confidence_level)
    probabilities, y = _by_class(np.asarray(prediction, dtype=float)), np.asarray(y).astype(int)
    if target.task == "continuous" or probabilities.shape[1] != max(2, len(target.classes)):
        raise InputError(f"conformal sets need one probability per class, got shape {np.shape(prediction)}")
    codes, _ = group_codes(groups, len(y))
    thresholds = []
    for label in range(probabilities.shape[1]):
        rows = y == label
        thresholds.append(_upper_quantile(1 - probabilities[rows, label], codes[rows], confidence_level))
    return ConformalSet(confidence_level, np.array(thresholds))


def fit_conformal_interval(
    y: np.ndarray,
    prediction: np.ndarray,
    confidence_level: float = 0.9,
    *,
    groups: np.ndarray | None = None,
) -> ConformalInterval:
    """Two-sided split conformal interval from outcomes and predictions (n,)."""
    _check(y, prediction, confidence_level)
    residual = np.asarray(y, dtype=float) - np.asarray(prediction, dtype=float)
    codes, _ = group_codes(groups, len(residual))
    side = (1 + confidence_level) / 2
    low, high = -_upper_quantile(-residual, codes, side), _upper_quantile(residual, codes, side)
    slack = _SLACK * float(np.max(np.abs(residual), initial=0.0))
    return ConformalInterval(confidence_level, np.array([low - slack, high + slack]))


def _upper_quantile(scores: np.ndarray, codes: np.ndarray, level: float) -> float:
    """The least score with weight `level` below or at it, a new patient's counted as infinite.

    Each patient weighs 1 / (patients + 1), shared by its rows; without repeats it is the
    ceil((n + 1) level)-th smallest score.
    """
    if len(scores) == 0:
        return float("inf")
    _, members, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    weight = np.cumsum(1 / counts[members.reshape(-1)[order]]) / (len(counts) + 1)
    reached = np.flatnonzero(weight >= level - 1e-12)
    return float(scores[order[reached[0]]]) if len(reached) else float("inf")


def _by_class(prediction: np.ndarray) -> np.ndarray:
    return prediction if prediction.ndim == 2 else np.column_stack([1 - prediction, prediction])


def _check(y: np.ndarray, prediction: np.ndarray, confidence_level: float) -> None:
    if len(y) != len(prediction):
        raise InputError(f"one prediction per outcome: got {len(prediction)} for {len(y)}")
    if not 0 < confidence_level < 1:
        raise InputError(f"confidence_level lies between 0 and 1, got {confidence_level}")


def coverage(
    conformal: ConformalSet | ConformalInterval,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
) -> Metric:
    """The share of rows whose set or interval holds the truth; `confidence_level` is of Wilson's interval."""
    return proportion(_hits(conformal, y, prediction), groups=groups, confidence_level=confidence_level)


def describe_coverage(
    conformal: ConformalSet | ConformalInterval,
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """What was promised, what was reached (overall and by class), and at what width, as plain values."""
    document = conformal.document()
    hits = _hits(conformal, y, prediction)
    document["coverage"] = proportion(hits, groups=groups, confidence_level=confidence_level).document()
    if isinstance(conformal, ConformalInterval):
        document["mean_width"] = finite(float(conformal.quantiles[1] - conformal.quantiles[0]))
        return document
    sizes = conformal.sets(prediction).sum(axis=1)
    document["mean_size"] = float(sizes.mean()) if len(sizes) else None
    document["single_percent"] = float(100 * (sizes == 1).mean()) if len(sizes) else None
    document["empty_percent"] = float(100 * (sizes == 0).mean()) if len(sizes) else None
    document["by_class"] = {}
    for label, name in enumerate(target.classes):
        rows = np.asarray(y) == label
        within = None if groups is None else groups[rows]
        part = proportion(hits[rows], groups=within, confidence_level=confidence_level)
        document["by_class"][name] = part.document()
    return document


def _hits(conformal: ConformalSet | ConformalInterval, y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    prediction = np.asarray(prediction, dtype=float)
    if isinstance(conformal, ConformalInterval):
        low, high = conformal.apply(prediction)
        return np.asarray((low <= y) & (y <= high))
    return conformal.sets(prediction)[np.arange(len(y)), np.asarray(y).astype(int)]


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
