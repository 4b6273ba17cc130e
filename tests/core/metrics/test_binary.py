"""Binary metrics against scikit-learn and statsmodels, weighted rows included."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from iatros.core.curves import logit, spline_basis, spline_knots
from iatros.core.metrics.binary import NAMES, BinaryMetrics

N = 150


@pytest.fixture(params=["distinct", "tied"])
def sample(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unbalanced labels, miscalibrated probabilities, and two rows of resampling weights."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=N)
    p = 1 / (1 + np.exp(1.2 - 1.7 * x))
    if request.param == "tied":
        p = np.clip(np.round(p, 1), 0.05, 0.95)
    y = (rng.random(N) < 1 / (1 + np.exp(1.0 - x))).astype(int)
    weights = rng.multinomial(N, np.full(N, 1 / N), size=2).astype(float)
    return y, p, weights


def _reference(y: np.ndarray, p: np.ndarray, w: np.ndarray, threshold: float) -> dict[str, float]:
    said = (p >= threshold).astype(int)
    x = logit(p)
    slope = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-12)
    shift = sm.GLM(y, np.ones((N, 1)), family=sm.families.Binomial(), offset=x, freq_weights=w).fit(tol=1e-12)
    prevalence = np.average(y, weights=w)
    brier = sk.brier_score_loss(y, p, sample_weight=w)
    return {
        "auroc": sk.roc_auc_score(y, p, sample_weight=w),
        "auprc": sk.average_precision_score(y, p, sample_weight=w),
        "brier": brier,
        "brier_skill": 1 - brier / (prevalence * (1 - prevalence)),
        "log_loss": sk.log_loss(y, p, sample_weight=w),
        "calibration_slope": slope.params[1],
        "calibration_intercept": shift.params[0],
        "oe_ratio": prevalence / np.average(p, weights=w),
        "accuracy": sk.accuracy_score(y, said, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, said, sample_weight=w),
        "sensitivity": sk.recall_score(y, said, sample_weight=w),
        "specificity": sk.recall_score(1 - y, 1 - said, sample_weight=w),
        "ppv": sk.precision_score(y, said, sample_weight=w),
        "npv": sk.precision_score(1 - y, 1 - said, sample_weight=w),
        "f1": sk.f1_score(y, said, sample_weight=w),
        "mcc": sk.matthews_corrcoef(y, said, sample_weight=w),
    }


def test_equal_scikit_learn_and_statsmodels_with_and_without_weights(sample) -> None:
    y, p, weights = sample
    weights = np.vstack([np.ones(N), weights])
    got = BinaryMetrics(y, p, threshold=0.3)(weights)
    assert set(got) == {*NAMES, "ece_noise", "ici_noise"}
    for row, w in enumerate(weights):
        for name, expected in _reference(y, p, w, 0.3).items():
            assert got[name][row] == pytest.approx(expected, abs=1e-7), name


def test_ici_is_the_mean_distance_to_the_spline_that_statsmodels_fits() -> None:
    rng = np.random.default_rng(5)
    p = rng.beta(1, 3, size=900)
    y = (rng.random(900) < p**1.4).astype(int)
    basis = spline_basis(logit(p), spline_knots(logit(p)))
    fitted = sm.GLM(y, basis, family=sm.families.Binomial()).fit().predict(basis)
    got = BinaryMetrics(y, p)(np.ones((1, 900)))["ici"][0]
    assert got == pytest.approx(np.abs(fitted - p).mean(), abs=2e-5)


def test_ece_by_hand() -> None:
    p = np.repeat(np.arange(10) / 10 + 0.05, 4)
    y = np.tile([1, 0, 0, 0], 10)
    got = BinaryMetrics(y, p)(np.ones((1, 40)))["ece"][0]
    assert got == pytest.approx(np.abs(0.25 - (np.arange(10) / 10 + 0.05)).mean())


def test_joining_neighbours_changes_the_calibration_regressions_by_less_than_their_noise() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 4, size=8000)
    y = (rng.random(8000) < p).astype(int)
    exact = BinaryMetrics(y, p)(np.ones((1, 8000)))
    joined = BinaryMetrics(y, p, max_points=1000)(np.ones((1, 8000)))
    for name in ("calibration_slope", "calibration_intercept", "ici"):
        assert joined[name][0] == pytest.approx(exact[name][0], abs=2e-3), name


def test_one_class_leaves_discrimination_undefined_and_the_rest_defined() -> None:
    p = np.linspace(0.1, 0.9, 12)
    got = BinaryMetrics(np.zeros(12, dtype=int), p)(np.ones((1, 12)))
    for name in ("auroc", "auprc", "brier_skill", "calibration_slope", "calibration_intercept", "mcc"):
        assert np.isnan(got[name][0]), name
    for name in ("brier", "log_loss", "oe_ratio", "ece", "accuracy", "specificity", "f1"):
        assert np.isfinite(got[name][0]), name


def test_perfect_separation_has_no_calibration_slope_and_warns_of_nothing() -> None:
    y = np.r_[np.zeros(9), np.ones(5)].astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = BinaryMetrics(y, np.linspace(0.1, 0.9, 14))(np.ones((1, 14)))
    assert np.isnan(got["calibration_slope"][0])
    assert got["auroc"][0] == 1.0


def test_constant_probability_has_chance_auroc_and_no_slope() -> None:
    y = np.array([0, 1, 0, 0, 1])
    got = BinaryMetrics(y, np.full(5, 0.4))(np.ones((1, 5)))
    assert got["auroc"][0] == 0.5
    assert np.isnan(got["calibration_slope"][0])
    assert got["oe_ratio"][0] == pytest.approx(1.0)


def test_probabilities_of_zero_and_one_stay_finite() -> None:
    got = BinaryMetrics(np.array([0, 1, 0, 1, 1]), np.array([0.0, 1.0, 1.0, 0.0, 0.6]))(np.ones((1, 5)))
    for name in ("log_loss", "calibration_slope", "calibration_intercept", "ici"):
        assert np.isfinite(got[name][0]), name


labels = st.lists(st.integers(0, 1), min_size=4, max_size=40).filter(lambda y: 0 < sum(y) < len(y))


@settings(max_examples=60, deadline=None)
@given(labels, st.integers(0, 2**31 - 1))
def test_auroc_turns_with_the_score_and_keeps_under_a_rising_map(y: list[int], seed: int) -> None:
    labels_, p = np.array(y), np.random.default_rng(seed).integers(1, 9, size=len(y)) / 10
    one = np.ones((1, len(y)))
    area = BinaryMetrics(labels_, p)(one)["auroc"][0]
    assert BinaryMetrics(labels_, 1 - p)(one)["auroc"][0] == pytest.approx(1 - area)
    assert BinaryMetrics(labels_, p**3)(one)["auroc"][0] == pytest.approx(area)


@settings(max_examples=40, deadline=None)
@given(labels, st.integers(0, 2**31 - 1))
def test_a_weight_of_two_is_the_row_twice(y: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels_, p = np.array(y), rng.random(len(y))
    times = rng.integers(1, 3, size=len(y))
    index = np.repeat(np.arange(len(y)), times)
    weighted = BinaryMetrics(labels_, p)(times[None].astype(float))
    repeated = BinaryMetrics(labels_[index], p[index])(np.ones((1, len(index))))
    for name in ("auroc", "auprc", "brier", "log_loss", "oe_ratio", "calibration_intercept", "f1", "mcc"):
        assert weighted[name][0] == pytest.approx(repeated[name][0], abs=1e-6, nan_ok=True), name
