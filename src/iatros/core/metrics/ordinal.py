"""Metrics of ordered grades, beside those that treat them as classes without order."""

from __future__ import annotations

import numpy as np

from iatros.core.intervals import Metric, group_codes, group_weights, proportion
from iatros.core.metrics.bootstrap import bootstrap_interval


def ordinal_metrics(
    y: np.ndarray,
    grade: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """Quadratic-weighted kappa, and the share within one grade, of predicted for true grades (n,), whole numbers.

    Kappa (Cohen 1968) is 1 less the mean squared distance over the one expected of a chance pairing of the same
    two distributions: 1 is perfect, 0 chance. Its interval is a bootstrap over groups.

    >>> found = ordinal_metrics(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), n_bootstrap=20)
    >>> round(found["quadratic_kappa"].value, 3)
    0.8
    """
    y, grade = np.asarray(y, dtype=float), np.asarray(grade, dtype=float)
    value = float(_kappa(y, grade, np.ones((1, len(y))))[0])
    near = proportion(np.abs(y - grade) <= 1, groups=groups, confidence_level=confidence_level)
    name = "quadratic_kappa"
    if not np.isfinite(value):
        nan = float("nan")
        return {name: Metric(nan, nan, nan, len(y), None, "not defined: one grade"), "within_one_grade": near}
    drawn = [_kappa(y, grade, weights) for weights in group_weights(groups, n_bootstrap, seed, n=len(y))]
    low, high, label = bootstrap_interval(
        name,
        value,
        {name: np.concatenate(drawn)} if drawn else {},
        groups=groups,
        n=len(y),
        n_smaller=_rarest(y, groups),
        confidence_level=confidence_level,
    )
    return {name: Metric(value, low, high, len(y), None, label), "within_one_grade": near}


def _kappa(y: np.ndarray, grade: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kappa (b,) under row weights (b, n); the mean squared distance of independent draws needs two moments only."""
    n = weights.sum(axis=1)
    found = weights @ (y - grade) ** 2 / n
    mean_y, mean_grade = weights @ y / n, weights @ grade / n
    chance = weights @ (y**2 + grade**2) / n - 2 * mean_y * mean_grade
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(chance > 1e-12, 1 - found / chance, np.nan))


def _rarest(y: np.ndarray, groups: np.ndarray | None) -> int:
    codes, _ = group_codes(groups, len(y))
    return min(len(np.unique(codes[y == one])) for one in np.unique(y))
