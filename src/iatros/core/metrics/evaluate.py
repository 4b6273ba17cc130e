"""The metrics of an outcome's type, each with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iatros.core.errors import FitError, InputError
from iatros.core.intervals import (
    NAN,
    Metric,
    delong,
    group_codes,
    group_weights,
    newcombe_auroc,
    proportion,
)
from iatros.core.metrics import binary, continuous, multiclass
from iatros.core.metrics.bootstrap import bootstrap_interval
from iatros.core.task import Target

MetricFunction = Callable[[np.ndarray], dict[str, np.ndarray]]

MAX_POINTS = 1000
"""Points of the calibration regressions in a resample."""


def evaluate(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    threshold: float = 0.5,
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """Every metric of the outcome's type with its interval; `y` and `prediction` as in `Target`.

    AUROC of a binary outcome has DeLong's interval where no group repeats; proportions have Wilson's; all
    else a bootstrap over groups, all metrics in the same resamples, even on the metric's own scale (see
    `bootstrap.even_interval`). The intervals of ECE and ICI allow for what noise alone adds to them. A
    probability counts as positive from `threshold` on.

    >>> target = Target("death", "binary", ("no", "yes"))
    >>> metrics = evaluate(target, np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), n_bootstrap=20)
    >>> metrics["auroc"].value
    0.75
    """
    y, prediction = checked(target, y, prediction)
    points = point_metrics(target, y, prediction, threshold=threshold)
    replicates = bootstrap_metrics(
        target, y, prediction, groups=groups, threshold=threshold, n_bootstrap=n_bootstrap, seed=seed
    )
    n_events = int(y.sum()) if target.task == "binary" else None
    direct = _direct(target, y, prediction, groups, threshold, confidence_level, n_events)
    n_smaller = _groups_of_rarest_class(target, y, groups)
    answer = {}
    for name, value in points.items():
        if name in direct:
            answer[name] = direct[name]
        elif not np.isfinite(value):
            answer[name] = Metric(NAN, NAN, NAN, len(y), n_events, _why_undefined(target, name, y))
        else:
            low, high, label = bootstrap_interval(
                name, value, replicates,
                groups=groups, n=len(y), n_smaller=n_smaller, confidence_level=confidence_level,
            )  # fmt: skip
            answer[name] = Metric(value, low, high, len(y), n_events, label)
    return answer


def point_metrics(
    target: Target, y: np.ndarray, prediction: np.ndarray, *, threshold: float = 0.5
) -> dict[str, float]:
    """The values alone, without intervals: what a loop over resamples or trials needs."""
    y, prediction = checked(target, y, prediction)
    values = metric_function(target, y, prediction, threshold=threshold)(np.ones((1, len(y))))
    return {name: float(values[name][0]) for name in metric_names(target) if name in values}


def bootstrap_metrics(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    groups: np.ndarray | None,
    threshold: float = 0.5,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Each metric in `n_bootstrap` joint resamples of whole groups, (n_bootstrap,); with `ece_noise`, `ici_noise`."""
    function = metric_function(target, y, prediction, threshold=threshold, max_points=MAX_POINTS)
    blocks = [function(weights) for weights in group_weights(groups, n_bootstrap, seed, n=len(y))]
    return {name: np.concatenate([block[name] for block in blocks]) for name in (blocks[0] if blocks else ())}


def metric_function(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    *,
    threshold: float = 0.5,
    max_points: int | None = None,
) -> MetricFunction:
    """The metrics as a function of row weights (b, n)."""
    if target.task == "binary":
        return binary.BinaryMetrics(y, prediction, threshold=threshold, max_points=max_points)
    if target.task == "multiclass":
        return multiclass.MulticlassMetrics(y, prediction)
    return continuous.ContinuousMetrics(y, prediction)


def metric_names(target: Target) -> tuple[str, ...]:
    """The metrics of the outcome's type, in the order in which they are given."""
    return {"binary": binary, "multiclass": multiclass, "continuous": continuous}[target.task].NAMES


def checked(target: Target, y: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`y` and `prediction` as arrays of the shapes and ranges that `Target` promises, or an error."""
    y, prediction = np.asarray(y), np.asarray(prediction, dtype=float)
    n = len(y)
    if n == 0:
        raise InputError("there are no rows to evaluate", hint="give at least one")
    expected = (n, len(target.classes)) if target.task == "multiclass" else (n,)
    if y.shape != (n,) or prediction.shape != expected:
        raise InputError(
            f"predictions have shape {prediction.shape} and outcomes {y.shape}, expected {expected}"
        )
    if not np.isfinite(prediction).all():
        raise FitError(f"{int((~np.isfinite(prediction)).sum())} predictions are not finite numbers")
    if target.task == "continuous":
        if not np.isfinite(y.astype(float)).all():
            raise InputError("outcomes must be finite numbers")
        return y.astype(float), prediction
    n_classes = 2 if target.task == "binary" else len(target.classes)
    if not np.isin(y, np.arange(n_classes)).all():
        raise InputError(f"outcomes must be class indices from 0 to {n_classes - 1}")
    if prediction.min() < -1e-6 or prediction.max() > 1 + 1e-6:
        raise FitError("predicted probabilities lie outside 0 to 1")
    return y.astype(int), np.clip(prediction, 0.0, 1.0)


def _direct(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray | None,
    threshold: float,
    confidence_level: float,
    n_events: int | None,
) -> dict[str, Metric]:
    """Metrics whose interval has a formula."""

    def share(hits: np.ndarray, rows: np.ndarray) -> Metric:
        within = None if groups is None else np.asarray(groups)[rows]
        return proportion(hits[rows], groups=within, confidence_level=confidence_level, n_events=n_events)

    everyone = np.ones(len(y), dtype=bool)
    if target.task == "continuous":
        close = np.abs(prediction - y) <= 0.2 * y
        return {"within_20_percent": share(close, everyone)} if (y > 0).all() else {}
    if target.task == "multiclass":
        return {"accuracy": share(prediction.argmax(axis=1) == y, everyone)}
    event, said = y == 1, prediction >= threshold
    answer = {
        "accuracy": share(said == event, everyone),
        "sensitivity": share(said, event),
        "specificity": share(~said, ~event),
        "ppv": share(event, said),
        "npv": share(~event, ~said),
    }
    if 0 < event.sum() < len(y):
        answer |= _auroc(y, prediction, groups, confidence_level)
    return answer


def _auroc(
    y: np.ndarray, prediction: np.ndarray, groups: np.ndarray | None, confidence_level: float
) -> dict[str, Metric]:
    """DeLong's interval where no group repeats, Newcombe's where the classes are separated, else nothing."""
    codes, n_groups = group_codes(groups, len(y))
    value, low, high = delong(y, prediction, confidence_level)
    if n_groups == len(y):
        label = "DeLong" if 0 < value < 1 else "Newcombe (perfect separation)"
        return {"auroc": Metric(value, low, high, len(y), int(y.sum()), label)}
    if 0 < value < 1:
        return {}
    counts = [len(np.unique(codes[y == label])) for label in (1, 0)]
    low, high = newcombe_auroc(value, counts[0], counts[1], confidence_level)
    label = "Newcombe over patients (perfect separation)"
    return {"auroc": Metric(value, low, high, len(y), int(y.sum()), label)}


def _groups_of_rarest_class(target: Target, y: np.ndarray, groups: np.ndarray | None) -> int:
    codes, n_groups = group_codes(groups, len(y))
    if target.task == "continuous":
        return n_groups
    return min(len(np.unique(codes[y == label])) for label in np.unique(y))


def _why_undefined(target: Target, name: str, y: np.ndarray) -> str:
    if target.task != "continuous" and len(np.unique(y)) < 2:
        return "not defined: one class"
    if name in ("calibration_slope", "ici", "calibration_intercept"):
        return "not defined: predictions do not vary, or separate the outcome perfectly"
    return "not defined: no variation"
