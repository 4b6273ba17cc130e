"""How much a patient's prediction would change had the model been developed on other patients."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import finite

SOURCE = "Riley and Collins, Biometrical Journal 2023;65:2200302"


def instability(
    predictions: np.ndarray,
    *,
    original: np.ndarray | None = None,
    threshold: float | None = None,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """Instability of individual predictions (n_resamples, n), each row from a model refitted on a resample.

    `mape` is each individual's mean absolute difference from the `original` model's prediction (n,), or
    from the mean over resamples where that is not given; `interval_width` is the width of each individual's
    range over resamples. `changed_percent` is the share of resamples that put an individual on the other
    side of `threshold`. nan marks predictions that were not made; all in the prediction's unit.
    """
    predictions = np.asarray(predictions, dtype=float)
    if predictions.ndim != 2 or len(predictions) < 2:
        raise InputError(
            f"instability needs (n_resamples, n) with at least two resamples, got {predictions.shape}"
        )
    known = predictions[:, np.isfinite(predictions).sum(axis=0) > 1]
    reference = np.nanmean(known, axis=0)
    if original is not None:
        reference = np.asarray(original, dtype=float)[np.isfinite(predictions).sum(axis=0) > 1]
    if known.shape[1] == 0:
        raise InputError("no individual has two predictions")
    error = np.nanmean(np.abs(known - reference), axis=0)
    tail = (1 - confidence_level) / 2
    low, high = np.nanquantile(known, [tail, 1 - tail], axis=0)
    document: dict[str, Any] = {
        "mape": _summary(error),
        "interval_width": _summary(high - low),
        "low": _summary(low),
        "high": _summary(high),
        "confidence_level": confidence_level,
        "n_resamples": len(predictions),
        "n": int(known.shape[1]),
        "source": SOURCE,
    }
    if threshold is not None:
        crossed = np.where(np.isfinite(known), (known >= threshold) != (reference >= threshold), np.nan)
        document["changed_percent"] = _summary(100 * np.nanmean(crossed, axis=0))
    return document


def _summary(values: np.ndarray) -> dict[str, float | None]:
    """Mean, median and 95th percentile over individuals."""
    return {
        "mean": finite(float(values.mean())),
        "median": finite(float(np.median(values))),
        "p95": finite(float(np.quantile(values, 0.95))),
    }
