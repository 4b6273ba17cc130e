"""Summaries over sites."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.intervals import Metric, delong, delong_paired, random_effects
from iatros.core.pooling import mean_over_sites, paired_auroc_over_sites, pool


def _metric(value: float, low: float, high: float, n: int = 100, n_events: int | None = 20) -> Metric:
    return Metric(value, low, high, n, n_events, "DeLong")


def _site(seed: int, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    return y, rng.normal(size=n) + shift * y


def test_auroc_is_pooled_on_the_logit_scale() -> None:
    metrics = []
    for seed, (n, shift) in enumerate([(150, 1.0), (300, 1.4), (90, 0.7), (200, 1.1)]):
        y, p = _site(seed, n, shift)
        value, low, high = delong(y, p)
        metrics.append(Metric(value, low, high, n, int(y.sum()), "DeLong"))

    def logit(value: float) -> float:
        return float(np.log(value / (1 - value)))

    values = np.array([logit(m.value) for m in metrics])
    errors = np.array([(logit(m.high) - logit(m.low)) / (2 * 1.959964) for m in metrics])
    expected, got = random_effects(values, errors), pool("auroc", metrics)
    assert logit(got.mean) == pytest.approx(expected.mean, abs=1e-6)
    assert logit(got.prediction_low) == pytest.approx(expected.prediction_low, abs=1e-5)
    assert (got.scale, got.k) == ("logit", 4)
    assert 0 < got.prediction_low < got.low < got.mean < got.high < got.prediction_high < 1


def test_oe_ratio_is_pooled_on_the_log_scale_and_slope_as_it_is() -> None:
    metrics = [_metric(0.5, 0.4, 0.625), _metric(2.0, 1.6, 2.5)]
    assert pool("oe_ratio", metrics).mean == pytest.approx(1.0)
    assert pool("calibration_slope", metrics).scale == "identity"


def test_sites_without_a_value_are_left_out() -> None:
    nothing = _metric(float("nan"), float("nan"), float("nan"))
    assert pool("auroc", [nothing, _metric(0.8, 0.7, 0.9), _metric(0.7, 0.6, 0.8)]).k == 2
    assert pool("auroc", [_metric(1.0, 0.8, 1.0), _metric(0.7, 0.6, 0.8)]).k == 1
    assert pool("auroc", []).k == 0
    assert mean_over_sites([nothing]).interval == "not defined: no site has a value"


def test_mean_over_sites_by_hand() -> None:
    metric = mean_over_sites([_metric(0.9, 0.85, 0.93), _metric(0.7, 0.5, 0.85, n=50)])
    assert metric.value == pytest.approx(0.8)
    assert metric.value - metric.low == pytest.approx(np.hypot(0.05, 0.2) / 2)
    assert metric.high - metric.value == pytest.approx(np.hypot(0.03, 0.15) / 2)
    assert (metric.n, metric.n_events) == (150, 40)


def test_paired_difference_over_sites() -> None:
    rng = np.random.default_rng(0)
    parts = [_site(seed, 120, 1.0) for seed in (1, 2)]
    y, a = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    b, sites = a + rng.normal(0, 0.5, 240), np.repeat(["north", "south"], 120)
    metric = paired_auroc_over_sites(y, a, b, sites)
    each = [delong_paired(y[sites == s], a[sites == s], b[sites == s]) for s in ("north", "south")]
    assert metric.value == pytest.approx(np.mean([row[0] for row in each]))
    half = np.sqrt(sum(((row[2] - row[1]) / 2) ** 2 for row in each)) / 2
    assert metric.high - metric.value == pytest.approx(half)
    empty = paired_auroc_over_sites(np.ones(4), a[:4], b[:4], sites[:4])
    assert np.isnan(empty.value)
