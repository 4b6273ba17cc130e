"""How good predicted doses are: error, share within 20 %, by band of dose and by group, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from iatros.core.intervals import Metric, group_weights, percentile_interval, proportion
from iatros.core.metrics import evaluate
from iatros.treatment.dosing.schema import Doses
from iatros.treatment.dosing.settings import DoseSettings

NAMES = ("mae", "rmse", "r2", "within_20_percent", "bias", "medae", "pearson", "calibration_slope")
BANDS = ("low", "middle", "high")
LEAST_IN_GROUP = 20
"""Groups with fewer patients are not judged by themselves: their numbers would be noise, and could name a patient."""


def judge_doses(
    doses: Doses, dose: np.ndarray, *, confidence_level: float = 0.95, n_bootstrap: int = 500, seed: int = 0
) -> dict[str, Metric]:
    """Every metric of the predicted doses (n,), intervals over patients."""
    found = evaluate(
        doses.target,
        doses.y,
        dose,
        groups=doses.groups,
        confidence_level=confidence_level,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return {name: found[name] for name in NAMES if name in found}


def documents(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics by name as JSON-ready documents."""
    return {name: metric.document() for name, metric in metrics.items()}


def bands_of(doses: Doses, dose: np.ndarray, by: np.ndarray, settings: DoseSettings) -> dict[str, Any]:
    """The errors of low, middle and high doses: `by` (n,) is the dose that was needed, or the one that was predicted.

    Low is up to the first bound of `settings.bands`, high from the second on.
    """
    first, second = settings.bands
    place = np.where(by <= first, 0, np.where(by < second, 1, 2))
    answer: dict[str, Any] = {}
    for k, name in enumerate(BANDS):
        rows = np.flatnonzero(place == k)
        answer[name] = group_document(doses, dose, rows, settings)
    return answer


def group_document(
    doses: Doses, dose: np.ndarray, rows: np.ndarray, settings: DoseSettings
) -> dict[str, Any]:
    """n and the metrics of the patients at `rows`; without metrics where they are too few."""
    part = doses.take(rows)
    if len(np.unique(part.groups)) < LEAST_IN_GROUP:
        return {"n": None, "metrics": {}, "suppressed": True}
    found = judge_doses(
        part,
        dose[rows],
        confidence_level=settings.confidence_level,
        n_bootstrap=min(settings.n_bootstrap, 200),
        seed=settings.seed,
    )
    return {"n": len(rows), "metrics": documents(found)}


def by_group(
    doses: Doses, dose: np.ndarray, covered: np.ndarray, settings: DoseSettings
) -> dict[str, dict[str, Any]]:
    """For each subgroup column and level n, the metrics, and the share of patients whose interval held the truth."""
    answer: dict[str, dict[str, Any]] = {}
    for column, labels in doses.subgroups.items():
        levels: dict[str, Any] = {}
        for level in sorted(set(labels.astype(str))):
            rows = np.flatnonzero(labels == level)
            levels[level] = group_document(doses, dose, rows, settings)
            if not levels[level].get("suppressed"):
                levels[level]["coverage"] = coverage_of(doses, covered, rows, settings)
        answer[column] = {"levels": levels}
    return answer


def coverage_of(
    doses: Doses, covered: np.ndarray, rows: np.ndarray, settings: DoseSettings
) -> dict[str, Any]:
    """The share of the patients at `rows` whose interval held the dose they needed, with Wilson's interval."""
    found = proportion(covered[rows], groups=doses.groups[rows], confidence_level=settings.confidence_level)
    return found.document()


def beside(
    doses: Doses, one: np.ndarray, other: np.ndarray, settings: DoseSettings
) -> dict[str, dict[str, Any]]:
    """Mean absolute error and share within 20 % of `one` less those of `other`, on the same patients.

    Intervals are percentiles of a bootstrap over patients, both in the same resamples.
    """
    error, base = np.abs(one - doses.y), np.abs(other - doses.y)
    differences = {
        "mae": error - base,
        "within_20_percent": (error <= 0.2 * doses.y).astype(float) - (base <= 0.2 * doses.y),
    }
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in differences}
    for weights in group_weights(doses.groups, settings.n_bootstrap, settings.seed):
        for name, values in differences.items():
            drawn[name].append(weights @ values / weights.sum(axis=1))
    answer = {}
    for name, values in differences.items():
        replicates = np.concatenate(drawn[name]) if drawn[name] else np.empty(0)
        low, high, label = percentile_interval(
            replicates, settings.confidence_level, label="paired bootstrap over patients"
        )
        answer[name] = Metric(float(values.mean()), low, high, len(values), None, label).document()
    return answer
