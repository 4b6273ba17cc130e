"""The small regressions against statsmodels and patsy."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from patsy import dmatrix

from iatros.core.curves import (
    expit,
    fit_linear,
    fit_logistic,
    join_points,
    logit,
    softmax,
    spline_basis,
    spline_knots,
)


def test_logit_and_expit_are_inverse_and_finite() -> None:
    p = np.array([0.0, 1e-5, 0.3, 0.9999, 1.0])
    assert np.isfinite(logit(p)).all()
    assert expit(logit(p[1:4])) == pytest.approx(p[1:4])
    assert expit(np.array([-1e6, 1e6])).tolist() == pytest.approx([0.0, 1.0])


def test_softmax_of_large_numbers() -> None:
    assert softmax(np.array([[1000.0, 1000.0, -1000.0]])) == pytest.approx(np.array([[0.5, 0.5, 0.0]]))


def test_logistic_equals_statsmodels_for_each_weighting() -> None:
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(80), rng.normal(size=80), rng.normal(3, 2, size=80)])
    y = (rng.random(80) < 0.35).astype(float)
    weights = rng.integers(0, 4, size=(3, 80)).astype(float)
    got = fit_logistic(design, weights * y, weights * (1 - y))
    for row, w in zip(got, weights, strict=True):
        expected = sm.GLM(y, design, family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-13).params
        assert row == pytest.approx(expected, abs=1e-7)


def test_logistic_from_a_poor_start_still_converges() -> None:
    x = np.linspace(-8, 8, 60)
    y = (np.arange(60) % 7 < 3).astype(float)
    design = np.column_stack([np.ones(60), x])
    far = fit_logistic(design, y[None], 1 - y[None], start=np.array([[9.0, -5.0]]))
    assert far == pytest.approx(fit_logistic(design, y[None], 1 - y[None]), abs=1e-6)


def test_logistic_of_separated_or_single_outcomes_is_nan_and_with_ridge_finite() -> None:
    design = np.column_stack([np.ones(10), np.arange(10.0)])
    y = (np.arange(10) > 4).astype(float)
    assert np.isnan(fit_logistic(design, y[None], 1 - y[None])).all()
    assert np.isnan(fit_logistic(design, np.ones((1, 10)), np.zeros((1, 10)))).all()
    assert np.isfinite(fit_logistic(design, y[None], 1 - y[None], ridge=0.1)).all()


def test_linear_equals_statsmodels() -> None:
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(40), rng.normal(size=40)])
    y, weights = rng.normal(size=40), rng.integers(0, 3, size=(2, 40)).astype(float)
    got = fit_linear(design, y, weights)
    for row, w in zip(got, weights, strict=True):
        assert row == pytest.approx(sm.WLS(y, design, weights=w).fit().params, abs=1e-8)


def test_spline_spans_the_natural_spline_of_patsy() -> None:
    x = np.random.default_rng(2).normal(size=300)
    knots = spline_knots(x)
    inside = x[(x > knots[0]) & (x < knots[-1])]
    low, high = knots[0], knots[-1]
    other = np.asarray(
        dmatrix("cr(x, knots=inner, lower_bound=low, upper_bound=high) - 1",
                {"x": inside, "inner": knots[1:-1], "low": low, "high": high})
    )  # fmt: skip
    ours = spline_basis(inside, knots)
    fitted = ours @ np.linalg.lstsq(ours, other, rcond=None)[0]
    assert fitted == pytest.approx(other, abs=1e-8)


def test_spline_is_straight_beyond_its_knots_and_a_line_without_them() -> None:
    knots = np.array([0.0, 1.0, 2.0, 3.0])
    tails = spline_basis(np.array([3.0, 4.0, 5.0, 6.0]), knots)
    assert np.diff(tails, n=2, axis=0) == pytest.approx(np.zeros((2, 4)), abs=1e-9)
    assert spline_knots(np.repeat([0.0, 1.0], 20)).size == 0
    assert spline_basis(np.array([1.0, 2.0]), np.empty(0)).tolist() == [[1.0, 1.0], [1.0, 2.0]]


def test_joined_points_keep_the_mean() -> None:
    x = np.sort(np.random.default_rng(0).normal(size=1001))
    starts, means = join_points(x, 100)
    lengths = np.diff(np.r_[starts, 1001])
    assert len(means) == 100
    assert means @ lengths / 1001 == pytest.approx(x.mean())
    assert join_points(x, None)[1] == pytest.approx(x)
