"""Metrics of a quantity against scikit-learn, scipy and a plain repetition of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from iatros.core.metrics.continuous import ContinuousMetrics

N = 90


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    y = np.round(rng.gamma(3, 12, size=N) + 1000, 0)
    p = y + np.round(rng.normal(2, 9, size=N), 0)
    return y, p, rng.multinomial(N, np.full(N, 1 / N), size=3).astype(float)


def _reference(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    line = stats.linregress(p, y)
    return {
        "mae": sk.mean_absolute_error(y, p),
        "rmse": sk.root_mean_squared_error(y, p),
        "r2": sk.r2_score(y, p),
        "spearman": stats.spearmanr(y, p).statistic,
        "pearson": stats.pearsonr(y, p).statistic,
        "bias": float(np.mean(p - y)),
        "calibration_slope": line.slope,
        "calibration_intercept": line.intercept,
        "within_20_percent": float(np.mean(np.abs(p - y) <= 0.2 * y)),
        "medae": sk.median_absolute_error(y, p),
    }


def test_equal_scikit_learn_and_scipy_and_weights_are_repetitions(sample) -> None:
    y, p, weights = sample
    got = ContinuousMetrics(y, p)(np.vstack([np.ones(N), weights]))
    for row, w in enumerate([np.ones(N), *weights]):
        index = np.repeat(np.arange(N), w.astype(int))
        for name, value in _reference(y[index], p[index]).items():
            assert got[name][row] == pytest.approx(value, rel=1e-7), name


def test_within_20_percent_only_for_positive_outcomes() -> None:
    y, p = np.array([-1.0, 2.0, 3.0]), np.array([0.0, 2.0, 2.0])
    assert "within_20_percent" not in ContinuousMetrics(y, p)(np.ones((1, 3)))


def test_constant_prediction_has_no_slope_or_correlation() -> None:
    got = ContinuousMetrics(np.array([1.0, 2.0, 4.0]), np.full(3, 2.0))(np.ones((1, 3)))
    for name in ("calibration_slope", "pearson", "spearman"):
        assert np.isnan(got[name][0]), name
    assert got["mae"][0] == pytest.approx(1.0)
