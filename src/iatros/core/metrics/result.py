"""One number with its interval; which way is better; the scale on which an interval is even."""

from __future__ import annotations

import math

from iatros.core.intervals import NAN, Metric, finite

__all__ = [
    "IDEAL",
    "LOWER_IS_BETTER",
    "NAN",
    "Metric",
    "finite",
    "from_scale",
    "loss",
    "scale_of",
    "to_scale",
]

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece", "ici", "mae", "rmse", "medae"})
IDEAL = {"calibration_slope": 1.0, "calibration_intercept": 0.0, "oe_ratio": 1.0, "bias": 0.0}
"""Metrics whose best value lies in the middle."""

_SCALES = {
    "logit": (
        "auroc", "auprc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1",
        "within_20_percent", "within_one_grade", "concordance_index", "bedroc",
    ),
    "log": ("brier", "log_loss", "oe_ratio", "mae", "rmse", "medae"),
    "atanh": ("pearson", "spearman", "mcc", "quadratic_kappa"),
}  # fmt: skip


def loss(name: str, value: float) -> float:
    """`value` of the metric `name` turned so that less is better; nan counts as the worst.

    >>> loss("auroc", 0.8) < loss("auroc", 0.7), loss("oe_ratio", 0.9) < loss("oe_ratio", 1.2)
    (True, True)
    """
    if not math.isfinite(value):
        return math.inf
    if name in IDEAL:
        return abs(value - IDEAL[name])
    return value if name in LOWER_IS_BETTER else -value


def scale_of(name: str) -> str:
    """The scale on which the metric's sampling distribution is nearest to even: logit, log, atanh or identity."""
    return next((scale for scale, names in _SCALES.items() if name in names), "identity")


def to_scale(scale: str, value: float) -> tuple[float, float]:
    """`value` on the scale, and the slope of the map there; nan at or beyond the ends of its range."""
    if scale == "identity":
        return value, 1.0
    if scale == "log":
        return (math.log(value), 1 / value) if value > 0 else (NAN, NAN)
    low = 0.0 if scale == "logit" else -1.0
    if not low < value < 1:
        return NAN, NAN
    if scale == "logit":
        return math.log(value / (1 - value)), 1 / (value * (1 - value))
    return math.atanh(value), 1 / (1 - value**2)


def from_scale(scale: str, value: float) -> float:
    """The reverse of `to_scale`."""
    if math.isnan(value):
        return NAN
    if scale == "logit":
        return 1 / (1 + math.exp(-min(max(value, -700.0), 700.0)))
    if scale == "log":
        return math.exp(min(value, 700.0))
    return math.tanh(value) if scale == "atanh" else value
