"""Performance within subgroups of patients, and the gap between the best and the worst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from iatros.core.intervals import finite, group_codes, group_weights, percentile_interval
from iatros.core.metrics.evaluate import MAX_POINTS, checked, evaluate, metric_function
from iatros.core.metrics.result import loss
from iatros.core.task import Target

MAIN_METRICS = {
    "binary": (
        "auroc", "auprc", "brier", "oe_ratio", "calibration_intercept", "calibration_slope",
        "sensitivity", "specificity", "ppv",
    ),
    "multiclass": ("auroc", "log_loss", "brier", "accuracy"),
    "continuous": ("mae", "rmse", "r2", "bias", "calibration_slope"),
}  # fmt: skip

MISSING = "missing"


def subgroup_metrics(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    subgroups: Mapping[str, np.ndarray],
    *,
    groups: np.ndarray | None = None,
    min_size: int = 20,
    seed: int = 0,
    threshold: float = 0.5,
    confidence_level: float = 0.95,
    n_bootstrap: int = 200,
) -> dict[str, Any]:
    """For each named subgrouping (labels (n,), None or empty for missing) the main metrics of each level.

    A level with fewer than `min_size` patients is suppressed: neither its size nor its metrics are given.
    `gap` compares, for each metric, the levels that did best and worst; its interval is of that difference in
    joint resamples of patients, and takes no account of the two having been picked as extremes.
    """
    y, prediction = checked(target, y, prediction)
    answer = {}
    for name, labels in subgroups.items():
        clean = np.array([MISSING if _is_missing(label) else str(label) for label in labels], dtype=object)
        levels = _levels(
            target, y, prediction, clean, groups,
            min_size=min_size, seed=seed, threshold=threshold, level=confidence_level,
            n_bootstrap=n_bootstrap,
        )  # fmt: skip
        gap = _gaps(
            target, y, prediction, clean, groups, levels,
            seed=seed, threshold=threshold, level=confidence_level, n_bootstrap=n_bootstrap,
        )  # fmt: skip
        answer[name] = {"levels": levels, "gap": gap}
    return answer


def _is_missing(label: object) -> bool:
    return label is None or label == "" or (isinstance(label, float) and math.isnan(label))


def _levels(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    min_size: int,
    seed: int,
    threshold: float,
    level: float,
    n_bootstrap: int,
) -> dict[str, Any]:
    levels: dict[str, Any] = {}
    for name in sorted(set(labels)):
        rows = labels == name
        within = None if groups is None else np.asarray(groups)[rows]
        if group_codes(within, int(rows.sum()))[1] < min_size:
            levels[name] = {"n": None, "n_events": None, "metrics": {}, "suppressed": True}
            continue
        metrics = evaluate(
            target, y[rows], prediction[rows],
            groups=within, threshold=threshold, confidence_level=level, n_bootstrap=n_bootstrap, seed=seed,
        )  # fmt: skip
        levels[name] = {
            "n": int(rows.sum()),
            "n_events": int(y[rows].sum()) if target.task == "binary" else None,
            "metrics": {key: metrics[key].document() for key in MAIN_METRICS[target.task]},
        }
    return levels


def _gaps(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    levels: dict[str, Any],
    *,
    seed: int,
    threshold: float,
    level: float,
    n_bootstrap: int,
) -> dict[str, Any]:
    shown = [name for name, entry in levels.items() if "suppressed" not in entry and name != MISSING]
    if len(shown) < 2:
        return {}
    pairs = {}
    for metric in MAIN_METRICS[target.task]:
        values = {name: levels[name]["metrics"][metric]["value"] for name in shown}
        known = sorted((loss(metric, value), name) for name, value in values.items() if value is not None)
        if len(known) > 1:
            pairs[metric] = (known[0][1], known[-1][1])
    drawn = _resampled(target, y, prediction, labels, groups, sorted({n for p in pairs.values() for n in p}),
                       seed=seed, threshold=threshold, n_bootstrap=n_bootstrap)  # fmt: skip
    gaps = {}
    for metric, (best, worst) in pairs.items():
        difference = levels[best]["metrics"][metric]["value"] - levels[worst]["metrics"][metric]["value"]
        sign = -1.0 if difference < 0 else 1.0
        drawn_gaps = sign * (drawn[best][metric] - drawn[worst][metric])
        low, high, label = percentile_interval(drawn_gaps, level, label="joint bootstrap over patients")
        if np.isfinite(low):
            low, high = abs(difference) - (high - low) / 2, abs(difference) + (high - low) / 2
        gaps[metric] = {
            "value": abs(difference), "low": finite(low), "high": finite(high),
            "best": best, "worst": worst, "interval": label,
        }  # fmt: skip
    return gaps


def _resampled(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    names: list[str],
    *,
    seed: int,
    threshold: float,
    n_bootstrap: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Each metric of each level in the same resamples of all patients."""
    rows = {name: np.flatnonzero(labels == name) for name in names}
    functions = {
        name: metric_function(target, y[index], prediction[index], threshold=threshold, max_points=MAX_POINTS)
        for name, index in rows.items()
    }
    blocks: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in names}
    for weights in group_weights(groups, n_bootstrap, seed, n=len(y)):
        for name in names:
            blocks[name].append(functions[name](weights[:, rows[name]]))
    return {
        name: {metric: np.concatenate([block[metric] for block in parts]) for metric in parts[0]}
        for name, parts in blocks.items()
    }


def age_band(ages: np.ndarray) -> np.ndarray:
    """Ten-year bands of ages in years (n,): "<40", "40-49" ... "70-79", ">=80"; None where missing.

    >>> age_band(np.array([39.9, 40.0, 85.0])).tolist()
    ['<40', '40-49', '>=80']
    """
    ages = np.asarray(ages, dtype=float)
    names = np.array(["<40", "40-49", "50-59", "60-69", "70-79", ">=80"], dtype=object)
    bands = names[np.searchsorted([40, 50, 60, 70, 80], np.nan_to_num(ages), side="right")]
    bands[~np.isfinite(ages)] = None
    return np.asarray(bands, dtype=object)
