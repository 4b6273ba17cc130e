"""What a model is worth for deciding: net benefit, and what happens at chosen thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import Metric, bootstrap_label, finite, group_weights, proportion

THRESHOLDS = tuple(float(value) for value in np.round(np.linspace(0.01, 0.99, 99), 2))


def decision_curve(
    y: np.ndarray,
    p: np.ndarray,
    *,
    thresholds: Sequence[float] | np.ndarray = THRESHOLDS,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """Net benefit of treating who has `p` of the threshold or more, of treating all and of treating none.

    Net benefit at threshold t is TP / n - FP / n * t / (1 - t) (Vickers and Elkin 2006): events caught,
    less the false alarms at the rate of exchange that choosing t implies. Pointwise percentile band from
    resamples of groups. Lists, one entry per threshold.
    """
    cuts = np.asarray(thresholds, dtype=float)
    if len(y) == 0 or len(y) != len(p):
        raise InputError(f"one probability per outcome, at least one: got {len(p)} for {len(y)}")
    if ((cuts < 0) | (cuts >= 1)).any():
        raise InputError("decision thresholds lie from 0 to below 1")
    order = np.argsort(p, kind="stable")
    ordered_y = np.asarray(y, dtype=float)[order]
    first = np.searchsorted(np.asarray(p)[order], cuts, side="left")
    odds = cuts / (1 - cuts)

    def benefit(weights: np.ndarray) -> np.ndarray:
        weights = weights[:, order]
        events = _from_end(weights * ordered_y)[:, first]
        flagged = _from_end(weights)[:, first]
        return (events - (flagged - events) * odds) / weights.sum(axis=1, keepdims=True)

    value = benefit(np.ones((1, len(ordered_y))))[0]
    blocks = [benefit(weights) for weights in group_weights(groups, n_bootstrap, seed, n=len(ordered_y))]
    tail = (1 - confidence_level) / 2
    band = (
        np.quantile(np.concatenate(blocks), [tail, 1 - tail], axis=0)
        if blocks
        else np.full((2, len(cuts)), np.nan)
    )
    prevalence = float(ordered_y.mean())
    return {
        "thresholds": [float(cut) for cut in cuts],
        "model": [float(number) for number in value],
        "model_low": [finite(number) for number in band[0]],
        "model_high": [finite(number) for number in band[1]],
        "treat_all": [float(number) for number in prevalence - (1 - prevalence) * odds],
        "treat_none": [0.0] * len(cuts),
        "interval": bootstrap_label(groups, len(ordered_y)),
    }


def _from_end(weights: np.ndarray) -> np.ndarray:
    """Sums of each row from a column to the end, with a last column of 0."""
    sums = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([sums, np.zeros((len(weights), 1))], axis=1)


def choose_thresholds(
    y: np.ndarray, p: np.ndarray, *, sensitivities: Sequence[float] = (0.95, 0.90)
) -> list[dict[str, Any]]:
    """Thresholds by name: the highest that still reaches each sensitivity, and Youden's.

    To be called on patients that are not those on which the thresholds are judged. A threshold lies
    half-way between neighbouring probabilities, so that no patient stands on it. Empty where `y` has one
    class.
    """
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    if len(np.unique(y)) < 2:
        return []
    values, codes = np.unique(p, return_inverse=True)
    events = np.bincount(codes.reshape(-1), weights=(y == 1).astype(float))
    others = np.bincount(codes.reshape(-1), weights=(y != 1).astype(float))
    sensitivity = np.cumsum(events[::-1])[::-1] / events.sum()
    specificity = 1 - np.cumsum(others[::-1])[::-1] / others.sum()
    cuts = (np.r_[0.0, values[:-1]] + values) / 2
    chosen = [
        {
            "name": f"sensitivity {wanted:.2f}",
            "threshold": float(cuts[np.flatnonzero(sensitivity >= wanted - 1e-12)[-1]]),
        }
        for wanted in sensitivities
    ]
    best = int(np.argmax(np.round(sensitivity + specificity, 12)))
    return [*chosen, {"name": "youden", "threshold": float(cuts[best])}]


def threshold_table(
    y: np.ndarray,
    p: np.ndarray,
    thresholds: Sequence[dict[str, Any]],
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
) -> list[dict[str, Any]]:
    """For each `{"name", "threshold"}`: the confusion table, its shares with intervals, and the alerts."""
    return [
        _threshold_row(np.asarray(y) == 1, np.asarray(p, dtype=float), dict(row), groups, confidence_level)
        for row in thresholds
    ]


def _threshold_row(
    event: np.ndarray,
    p: np.ndarray,
    row: dict[str, Any],
    groups: np.ndarray | None,
    confidence_level: float,
) -> dict[str, Any]:
    cut = float(row["threshold"])
    said, n, n_events = p >= cut, len(p), int(event.sum())

    def share(hits: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        within = None if groups is None else np.asarray(groups)[rows]
        metric: Metric = proportion(
            hits[rows], groups=within, confidence_level=confidence_level, n_events=n_events
        )
        return metric.document()

    tp, fp = int((said & event).sum()), int((said & ~event).sum())
    net_benefit = tp / n - fp / n * cut / (1 - cut) if n and cut < 1 else float("nan")
    return {
        "name": row["name"],
        "threshold": cut,
        "tp": tp,
        "fp": fp,
        "tn": n - n_events - fp,
        "fn": n_events - tp,
        "sensitivity": share(said, event),
        "specificity": share(~said, ~event),
        "ppv": share(event, said),
        "npv": share(~event, ~said),
        "alerts_per_100": finite(100 * (tp + fp) / n) if n else None,
        "net_benefit": finite(net_benefit),
    }
