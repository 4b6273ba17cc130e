"""Calibration as it is drawn: the reliability table, and a smooth curve with its band."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from iatros.core.curves import expit, fit_linear, fit_logistic, join_points, logit, spline_basis, spline_knots
from iatros.core.intervals import bootstrap_label, finite, group_weights, normal_quantile, wilson
from iatros.core.task import Task

_MAX_POINTS = 2000


def reliability(
    y: np.ndarray, p: np.ndarray, n_bins: int = 10, *, task: Task = "binary", confidence_level: float = 0.95
) -> list[dict[str, Any]]:
    """Observed against mean predicted in bins of equal size, with Wilson's interval (normal for a quantity).

    Equal predictions stay in one bin, so there can be fewer than `n_bins`.
    """
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    cuts = np.unique(np.quantile(p, np.arange(1, n_bins) / n_bins)) if len(p) else np.empty(0)
    bins = np.searchsorted(cuts, p, side="right")
    table = []
    for label in np.unique(bins):
        rows = bins == label
        observed, n = float(y[rows].mean()), int(rows.sum())
        if task == "binary":
            low, high = wilson(float(y[rows].sum()), n, confidence_level)
        else:
            spread = float(y[rows].std(ddof=1)) / np.sqrt(n) if n > 1 else float("nan")
            half = normal_quantile(confidence_level) * spread
            low, high = observed - half, observed + half
        table.append(
            {
                "mean_predicted": float(p[rows].mean()),
                "observed": observed,
                "low": finite(low),
                "high": finite(high),
                "n": n,
            }
        )
    return table


def smooth_curve(
    y: np.ndarray,
    p: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
    n_bootstrap: int = 100,
    grid: int = 50,
    task: Task = "binary",
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """The expected outcome as a smooth function of the prediction, with a band from resamples of groups.

    A restricted cubic spline with four knots, in the logit of the probability by logistic regression, or
    in the predicted value by least squares (Harrell 2015, chapter 10; Austin and Steyerberg 2014). `grid`
    holds predictions from the 1st to the 99th percentile, evenly spaced. All lists are empty where
    predictions do not vary or `y` has one class.
    """
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    label = bootstrap_label(groups, len(y))
    empty: dict[str, Any] = {"grid": [], "observed": [], "low": [], "high": [], "interval": label}
    if len(y) < 2 or np.ptp(p) < 1e-12 or (task == "binary" and len(np.unique(y)) < 2):
        return empty
    points = np.linspace(float(np.quantile(p, 0.01)), float(np.quantile(p, 0.99)), grid)
    fit = _fitter(y, p, points, task)
    observed = fit(np.ones((1, len(y))))[0]
    blocks = [fit(weights) for weights in group_weights(groups, n_bootstrap, seed, n=len(y))]
    band = np.full((2, grid), np.nan)
    if blocks:
        tail = (1 - confidence_level) / 2
        drawn = np.concatenate(blocks)
        drawn = drawn[np.isfinite(drawn).all(axis=1)]
        if len(drawn) > 1:
            band = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return {
        "grid": [float(value) for value in points],
        "observed": [finite(value) for value in observed],
        "low": [finite(value) for value in band[0]],
        "high": [finite(value) for value in band[1]],
        "interval": label,
    }


def _fitter(
    y: np.ndarray, p: np.ndarray, points: np.ndarray, task: Task
) -> Callable[[np.ndarray], np.ndarray]:
    """The curve at `points` as a function of row weights (b, n)."""
    x, at = (logit(p), logit(points)) if task == "binary" else (p, points)
    knots = spline_knots(x)
    order = np.argsort(x, kind="stable")
    starts, joined = join_points(x[order], _MAX_POINTS if task == "binary" else None)
    design, shown = spline_basis(joined, knots), spline_basis(at, knots)
    scale = np.maximum(np.abs(design).max(axis=0), 1e-12)
    design, shown = design / scale, shown / scale
    ordered = y[order]

    def curve(weights: np.ndarray) -> np.ndarray:
        weights = weights[:, order]
        if task != "binary":
            return fit_linear(design, ordered, weights) @ shown.T
        events = np.add.reduceat(weights * ordered, starts, axis=1)
        others = np.add.reduceat(weights * (1 - ordered), starts, axis=1)
        # The small ridge keeps the curve defined where the tails are separated.
        return expit(fit_logistic(design, events, others, ridge=1e-3) @ shown.T)

    return curve
