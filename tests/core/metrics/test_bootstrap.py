"""Intervals from resamples: scales, ends of ranges, and metrics that noise lifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iatros.core.metrics import evaluate
from iatros.core.metrics.bootstrap import even_interval
from iatros.core.metrics.result import from_scale, scale_of, to_scale
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
DOSE = Target("dose", "continuous", unit="mg")


@given(st.sampled_from(["identity", "log", "logit", "atanh"]), st.floats(0.01, 0.99))
def test_scales_have_a_reverse_and_the_slope_they_say(scale: str, value: float) -> None:
    moved, slope = to_scale(scale, value)
    assert from_scale(scale, moved) == pytest.approx(value)
    step = 1e-6
    assert (to_scale(scale, value + step)[0] - moved) / step == pytest.approx(slope, rel=1e-2)


def test_scales_end() -> None:
    assert np.isnan(to_scale("logit", 1.0)[0])
    assert np.isnan(to_scale("log", 0.0)[0])
    assert np.isnan(to_scale("atanh", -1.0)[0])
    assert np.isnan(from_scale("logit", float("nan")))
    assert (scale_of("auprc"), scale_of("mae"), scale_of("r2")) == ("logit", "log", "identity")


def test_interval_of_a_mean_is_students() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, size=25)
    drawn = x[rng.integers(25, size=(20_000, 25))].mean(axis=1)
    expected = stats.ttest_1samp(x, 0).confidence_interval()
    assert even_interval("identity", x.mean(), drawn, 25, 0.95) == pytest.approx(
        (expected.low, expected.high), abs=0.03
    )


def test_bias_of_a_quantity_has_the_t_interval() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(50, 9, 80)
    p = y + rng.normal(1, 4, 80)
    metric = evaluate(DOSE, y, p, n_bootstrap=2000)["bias"]
    expected = stats.ttest_1samp(p - y, 0).confidence_interval()
    assert (metric.low, metric.high) == pytest.approx((expected.low, expected.high), abs=0.06)


def test_metrics_at_the_end_of_their_range_keep_an_honest_interval() -> None:
    y = np.r_[np.zeros(12), np.ones(8)].astype(int)
    metrics = evaluate(BINARY, y, np.where(y == 1, 0.9, 0.2), n_bootstrap=50)
    for name in ("auprc", "balanced_accuracy", "f1", "mcc"):
        assert metrics[name].value == 1
        assert metrics[name].high == 1
        assert 0.2 < metrics[name].low < 0.8, name
    exact = evaluate(DOSE, np.arange(1.0, 9.0), np.arange(1.0, 9.0), n_bootstrap=50)
    assert exact["mae"].value == 0
    assert exact["mae"].document()["high"] is None
    assert exact["pearson"].low < 1


def test_calibration_errors_that_chance_explains_reach_down_to_zero() -> None:
    reached = []
    rng = np.random.default_rng(0)
    for seed in range(40):
        p = rng.beta(1, 3, size=300)
        metrics = evaluate(BINARY, (rng.random(300) < p).astype(int), p, n_bootstrap=150, seed=seed)
        reached.append([metrics[name].low == 0 for name in ("ece", "ici")])
    assert (np.mean(reached, axis=0) >= 0.85).all()
    worse = evaluate(BINARY, (rng.random(300) < p**3).astype(int), p, n_bootstrap=100)
    assert worse["ece"].low > 0
    assert worse["ici"].low > 0
