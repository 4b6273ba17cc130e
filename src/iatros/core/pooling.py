"""Summaries of one metric over several sites: random effects, and the plain mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from iatros.core.intervals import (
    NAN,
    Metric,
    RandomEffects,
    delong_paired,
    normal_quantile,
    random_effects,
)
from iatros.core.metrics.result import from_scale, scale_of, to_scale


def pool(name: str, metrics: Sequence[Metric], *, confidence_level: float = 0.95) -> RandomEffects:
    """Random-effects summary of the metric `name` over sites, from each site's value and interval.

    Proportions and AUROC are pooled on the logit scale, O/E on the log scale (Debray et al. 2017),
    correlations on Fisher's, and given back on their own; tau2 stays on the scale of the analysis.
    `confidence_level` is that of the metrics' intervals, too.
    """
    scale = scale_of(name) if name == "oe_ratio" or scale_of(name) != "log" else "identity"
    z = normal_quantile(confidence_level)
    rows = [_on_scale(metric, scale, z) for metric in metrics]
    if not rows:
        return RandomEffects(NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, scale=scale)
    values, errors = np.array(rows).T
    summary = random_effects(values, errors, confidence_level=confidence_level)
    fields = {
        field: from_scale(scale, getattr(summary, field))
        for field in ("mean", "low", "high", "prediction_low", "prediction_high")
    }
    return RandomEffects(**{**asdict(summary), **fields, "scale": scale})


def _on_scale(metric: Metric, scale: str, z: float) -> tuple[float, float]:
    """Value and standard error of a metric on the scale; nan where its value or a bound is at the end of it."""
    value, low, high = (to_scale(scale, number)[0] for number in (metric.value, metric.low, metric.high))
    return value, (high - low) / (2 * z)


def mean_over_sites(metrics: Sequence[Metric]) -> Metric:
    """The unweighted mean over sites, with the interval that sampling within these very sites gives.

    It says nothing of other sites (see `pool` for that). Sites without a value are left out, and said.
    """
    known = [metric for metric in metrics if math.isfinite(metric.value)]
    n = sum(metric.n for metric in known)
    events = [metric.n_events for metric in known]
    n_events = None if any(count is None for count in events) else sum(count or 0 for count in events)
    if not known:
        return Metric(NAN, NAN, NAN, 0, n_events, "not defined: no site has a value")
    value = float(np.mean([metric.value for metric in known]))
    # Each side has its own half-width, since an interval near a bound is lopsided (Zou and Donner 2008).
    below = math.sqrt(sum((metric.value - metric.low) ** 2 for metric in known)) / len(known)
    above = math.sqrt(sum((metric.high - metric.value) ** 2 for metric in known)) / len(known)
    label = f"within-site errors over {len(known)} of {len(metrics)} sites"
    return Metric(value, value - below, value + above, n, n_events, label)


def paired_auroc_over_sites(
    y: np.ndarray, p_a: np.ndarray, p_b: np.ndarray, sites: np.ndarray, *, confidence_level: float = 0.95
) -> Metric:
    """Unweighted mean over sites of AUROC(`p_a`) - AUROC(`p_b`), paired within each site (DeLong)."""
    differences, variances = [], []
    z = normal_quantile(confidence_level)
    for site in np.unique(sites):
        rows = sites == site
        difference, low, high, _ = delong_paired(y[rows], p_a[rows], p_b[rows], confidence_level)
        if math.isfinite(difference):
            differences.append(difference)
            variances.append(((high - low) / (2 * z)) ** 2)
    if not differences:
        return Metric(NAN, NAN, NAN, 0, int(np.sum(y)), "not defined: no site has both classes")
    value, half = float(np.mean(differences)), z * math.sqrt(sum(variances)) / len(differences)
    label = f"paired DeLong within {len(differences)} sites"
    return Metric(value, value - half, value + half, len(y), int(np.sum(y)), label)
