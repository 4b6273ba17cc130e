"""Networks beside each other on the same judged images: their metrics, and what each gains over the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from iatros.core.intervals import Metric, delong_paired, paired_bootstrap
from iatros.core.metrics import evaluate, macro_metrics, point_metrics
from iatros.core.task import Target

_RESAMPLES = 200


def compare(
    targets: Sequence[Target],
    y: Sequence[np.ndarray],
    answers: Mapping[str, Sequence[np.ndarray]],
    groups: np.ndarray,
    *,
    split: str,
    kept: str,
    baseline: str,
    tuning_scores: Mapping[str, float],
    seconds: Mapping[str, float] | None = None,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One entry of the result's `models` for each network in `answers`, the kept one first.

    `answers` holds the network's uncalibrated predictions, one array per target. Several targets are labels: their
    metrics are means over labels. `difference_to_baseline` is paired on the same images: DeLong's where no patient
    repeats, else a bootstrap over patients; of AUROC, or of the mean absolute error of a quantity.
    """
    order = sorted(answers, key=lambda name: (name != kept, name == baseline, name))
    known = _known(y)
    truth = [one[known] for one in y] if len(targets) == 1 else list(y)
    patients = groups[known] if len(targets) == 1 else groups

    def rows(name: str) -> list[np.ndarray]:
        return [one[known] for one in answers[name]] if len(targets) == 1 else list(answers[name])

    entries = []
    for name in order:
        entry: dict[str, Any] = {
            "name": name,
            "selected": name == kept,
            "candidate": name != baseline or name == kept,
            "tuning_score": {"metric": primary(targets), "value": float(tuning_scores[name])},
            "metrics": {split: _metrics(targets, truth, rows(name), patients, confidence_level, seed)},
            "difference_to_baseline": None,
        }
        if name != baseline and baseline in answers:
            difference = _difference(
                targets, truth, rows(name), rows(baseline), patients, confidence_level, seed
            )
            entry["difference_to_baseline"] = {
                "metric": primary(targets), "baseline": baseline, **difference.document(),
            }  # fmt: skip
        if seconds is not None and name in seconds:
            entry["seconds"] = round(float(seconds[name]), 1)
        entries.append(entry)
    return entries


def primary(targets: Sequence[Target]) -> str:
    """The metric that networks are compared by."""
    return "mae" if targets[0].task == "continuous" else "auroc"


def _known(y: Sequence[np.ndarray]) -> np.ndarray:
    return np.flatnonzero(np.isfinite(np.asarray(y[0], dtype=float)))


def _metrics(
    targets: Sequence[Target],
    y: Sequence[np.ndarray],
    prediction: Sequence[np.ndarray],
    groups: np.ndarray,
    confidence_level: float,
    seed: int,
) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "groups": groups, "confidence_level": confidence_level, "n_bootstrap": _RESAMPLES, "seed": seed,
    }  # fmt: skip
    if len(targets) > 1:
        found = macro_metrics(y, prediction, **arguments)
    else:
        found = evaluate(targets[0], y[0], prediction[0], **arguments)
    return {name: metric.document() for name, metric in found.items()}


def _difference(
    targets: Sequence[Target],
    y: Sequence[np.ndarray],
    ours: Sequence[np.ndarray],
    theirs: Sequence[np.ndarray],
    groups: np.ndarray,
    confidence_level: float,
    seed: int,
) -> Metric:
    target = targets[0]
    if len(targets) == 1 and target.task == "binary" and len(np.unique(groups)) == len(groups):
        value, low, high, _ = delong_paired(y[0], ours[0], theirs[0], confidence_level)
        return Metric(value, low, high, len(groups), int(y[0].sum()), "paired DeLong")
    return paired_bootstrap(
        _statistic(targets),
        np.column_stack(y) if len(targets) > 1 else y[0],
        np.column_stack(ours) if len(targets) > 1 else ours[0],
        np.column_stack(theirs) if len(targets) > 1 else theirs[0],
        groups=groups,
        n_bootstrap=_RESAMPLES,
        confidence_level=confidence_level,
        seed=seed,
    )


def _statistic(targets: Sequence[Target]) -> Callable[[np.ndarray, np.ndarray], float]:
    name = primary(targets)
    if len(targets) == 1 and targets[0].task != "binary":
        return lambda y, p: point_metrics(targets[0], y, p)[name]
    return lambda y, p: macro_metrics(_columns(y), _columns(p), n_bootstrap=0)[name].value


def _columns(values: np.ndarray) -> list[np.ndarray]:
    return [values] if values.ndim == 1 else list(values.T)
