"""Calibrators against statsmodels and scikit-learn; curves, tables, and the choice between calibrators."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.proportion import proportion_confint

from iatros.core.calibration import (
    KINDS,
    Calibrator,
    choose_calibrator,
    fit_calibrator,
    reliability,
    row_losses,
    smooth_curve,
)
from iatros.core.curves import expit, logit, spline_basis, spline_knots
from iatros.core.errors import OutcomeError, UnknownNameError
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
CLASSES = Target("grade", "multiclass", ("a", "b", "c"))
DOSE = Target("dose", "continuous", unit="mg")


def _binary(n: int = 500, seed: int = 0, slope: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities whose logits are `slope` times too extreme and shifted."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-1, 1, size=n)
    return (rng.random(n) < expit(x)).astype(int), expit(slope * x + 0.4)


def _classes(n: int = 600, seed: int = 0, power: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([4, 2, 1], size=n)
    y = np.array([rng.choice(3, p=row) for row in p])
    return y, p**power / (p**power).sum(axis=1, keepdims=True)


def test_slope_and_intercept_equal_statsmodels() -> None:
    y, p = _binary()
    both = fit_calibrator("slope", BINARY, y, p)
    line = sm.GLM(y, sm.add_constant(logit(p)), family=sm.families.Binomial()).fit(tol=1e-12)
    assert [both.arrays["intercept"][0], both.arrays["slope"][0]] == pytest.approx(line.params, abs=1e-7)
    assert both.apply(p) == pytest.approx(line.predict(), abs=1e-8)
    shift = sm.GLM(y, np.ones(500), family=sm.families.Binomial(), offset=logit(p)).fit(tol=1e-12)
    assert fit_calibrator("intercept", BINARY, y, p).arrays["intercept"][0] == pytest.approx(shift.params[0])


def test_isotonic_equals_scikit_learn_and_keeps_off_zero_and_one() -> None:
    y, p = _binary()
    calibrated = fit_calibrator("isotonic", BINARY, y, p).apply(p)
    expected = IsotonicRegression().fit(p, y).predict(p)
    assert calibrated == pytest.approx(np.clip(expected, 1 / 502, 501 / 502), abs=1e-12)


def test_intercept_makes_the_mean_right_in_every_task() -> None:
    y, p = _binary()
    assert fit_calibrator("intercept", BINARY, y, p).apply(p).mean() == pytest.approx(y.mean(), abs=1e-9)
    labels, probabilities = _classes()
    fitted = fit_calibrator("intercept", CLASSES, labels, probabilities).apply(probabilities)
    assert fitted.mean(axis=0) == pytest.approx(np.bincount(labels) / len(labels), abs=1e-5)
    assert fitted.sum(axis=1) == pytest.approx(np.ones(600))
    value = np.array([1.0, 2.0, 4.0])
    assert fit_calibrator("intercept", DOSE, value + 3, value).apply(value) == pytest.approx(value + 3)


def test_temperature_undoes_a_power_of_the_probabilities() -> None:
    y, p = _classes(6000)
    calibrator = fit_calibrator("slope", CLASSES, y, p)
    assert calibrator.arrays["slope"][0] == pytest.approx(0.5, abs=0.03)
    assert row_losses(CLASSES, y, calibrator.apply(p)).mean() < row_losses(CLASSES, y, p).mean()


def test_temperature_scaling_of_two_classes_equals_the_binary_slope() -> None:
    y, p = _binary()
    two = Target("death", "multiclass", ("no", "yes"))
    fitted = fit_calibrator("slope", two, y, np.column_stack([1 - p, p])).apply(np.column_stack([1 - p, p]))
    assert fitted[:, 1] == pytest.approx(fit_calibrator("slope", BINARY, y, p).apply(p), abs=1e-4)


def test_linear_calibration_of_a_quantity_equals_least_squares() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(1000, 5, 200)
    y = 3 + 1.4 * value + rng.normal(0, 2, 200)
    calibrator = fit_calibrator("slope", DOSE, y, value)
    line = np.polyfit(value, y, 1)
    assert calibrator.arrays["slope"][0] == pytest.approx(line[0], rel=1e-6)
    assert calibrator.apply(value) == pytest.approx(np.polyval(line, value), rel=1e-6)


def test_weights_are_repetitions() -> None:
    y, p = _binary(200)
    times = np.random.default_rng(1).integers(1, 4, 200)
    index = np.repeat(np.arange(200), times)
    for kind in KINDS[1:3]:
        weighted = fit_calibrator(kind, BINARY, y, p, weights=times).apply(p)
        assert weighted == pytest.approx(fit_calibrator(kind, BINARY, y[index], p[index]).apply(p), abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [BINARY, CLASSES, DOSE], ids=lambda target: target.task)
def test_stored_calibrators_answer_the_same(kind: str, target: Target) -> None:
    if target is CLASSES:
        y, prediction = _classes()
    else:
        y, prediction = _binary()
    fitted = fit_calibrator(kind, target, y, prediction)
    loaded = Calibrator.load(kind, {name: array.copy() for name, array in fitted.arrays.items()})
    assert np.array_equal(loaded.apply(prediction), fitted.apply(prediction))
    assert loaded.document() == fitted.document()
    assert fitted.document()["kind"] == kind
    assert fitted.document()["description"]
    assert all(array.dtype == np.float64 for array in fitted.arrays.values())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_calibrated_probabilities_stay_probabilities_and_keep_their_order(seed: int, kind: str) -> None:
    y, p = _binary(120, seed)
    calibrated = fit_calibrator(kind, BINARY, y, p).apply(np.sort(p))
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    slope = fit_calibrator(kind, BINARY, y, p).arrays.get("slope", np.ones(1))[0]
    if slope > 0:
        assert (np.diff(calibrated) >= -1e-12).all()


def test_separated_outcomes_get_platts_smoothed_labels_and_say_so() -> None:
    p = np.linspace(0.1, 0.9, 30)
    calibrator = fit_calibrator("slope", BINARY, (p > 0.5).astype(int), p)
    assert np.isfinite(calibrator.apply(p)).all()
    assert "Platt's smoothed labels" in calibrator.document()["description"]


def test_constant_predictions_are_only_shifted() -> None:
    y = np.array([0, 0, 0, 1])
    assert fit_calibrator("slope", BINARY, y, np.full(4, 0.6)).apply(np.array([0.6])) == pytest.approx([0.25])


def test_a_missing_class_or_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OutcomeError, match="patients of every class: got 1 of 2"):
        fit_calibrator("slope", BINARY, np.zeros(5, dtype=int), np.full(5, 0.2))
    with pytest.raises(OutcomeError, match="got 2 of 3"):
        fit_calibrator("intercept", CLASSES, np.array([0, 1]), np.full((2, 3), 1 / 3))
    with pytest.raises(UnknownNameError, match="isotonic"):
        fit_calibrator("isotonc", BINARY, np.array([0, 1]), np.array([0.1, 0.2]))
    with pytest.raises(UnknownNameError):
        Calibrator.load("pickle", {})


def test_choice_is_none_where_calibrated_and_slope_where_too_extreme() -> None:
    kinds = [choose_calibrator(BINARY, *_binary(400, seed, slope=3.0), seed=seed).kind for seed in range(5)]
    assert kinds == ["slope"] * 5
    calm = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 5, 400)
        calm.append(choose_calibrator(BINARY, (rng.random(400) < p).astype(int), p, seed=seed).kind)
    assert calm.count("none") >= 16


def test_choice_sees_a_bend_only_with_enough_patients() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(6000)
    y = (rng.random(6000) < np.where(p < 0.5, 0.2, 0.8)).astype(int)
    assert choose_calibrator(BINARY, y, p, seed=0).kind == "isotonic"
    assert choose_calibrator(BINARY, y[:800], p[:800], seed=0).kind != "isotonic"


def test_choice_for_classes_quantities_and_too_few_patients() -> None:
    assert choose_calibrator(CLASSES, *_classes(800), seed=0).kind == "slope"
    rng = np.random.default_rng(0)
    value = rng.normal(size=300)
    assert choose_calibrator(DOSE, value + 2 + rng.normal(0, 0.5, 300), value, seed=0).kind == "intercept"
    assert (
        choose_calibrator(BINARY, np.array([0, 0, 0, 1]), np.array([0.9, 0.8, 0.9, 0.9]), seed=0).kind
        == "none"
    )
    assert choose_calibrator(DOSE, value[:6], value[:6], seed=0).kind == "none"


def test_choice_keeps_patients_whole() -> None:
    """Forty patients, each fifty times: a curve through each of them must not look good."""
    rng = np.random.default_rng(3)
    p = rng.random(40)
    y = np.repeat((rng.random(40) < 0.5).astype(int), 50)
    groups = np.repeat(np.arange(40), 50)
    chosen = choose_calibrator(BINARY, y, np.repeat(p, 50), groups=groups, seed=0)
    assert chosen.kind in ("none", "slope")
    assert chosen.kind != "isotonic"


def test_reliability_equals_scikit_learn_with_wilsons_intervals() -> None:
    y, p = _binary(400)
    table = reliability(y, p, 8)
    observed, predicted = calibration_curve(y, p, n_bins=8, strategy="quantile")
    assert [row["observed"] for row in table] == pytest.approx(observed)
    assert [row["mean_predicted"] for row in table] == pytest.approx(predicted)
    first = table[0]
    low, high = proportion_confint(round(first["observed"] * first["n"]), first["n"], method="wilson")
    assert (first["low"], first["high"]) == pytest.approx((low, high))
    assert sum(row["n"] for row in table) == 400
    assert len(reliability(y, np.full(400, 0.3))) == 1


def test_smooth_curve_is_the_spline_that_statsmodels_fits() -> None:
    y, p = _binary(700)
    curve = smooth_curve(y, p, n_bootstrap=50, grid=20)
    knots = spline_knots(logit(p))
    fit = sm.GLM(y, spline_basis(logit(p), knots), family=sm.families.Binomial()).fit()
    expected = fit.predict(spline_basis(logit(np.array(curve["grid"])), knots))
    assert curve["observed"] == pytest.approx(expected, abs=5e-4)
    inside = np.array(
        [
            low <= value <= high
            for low, value, high in zip(curve["low"], curve["observed"], curve["high"], strict=True)
        ]
    )
    assert inside.mean() > 0.9


def test_smooth_curve_of_a_quantity_follows_a_bend_and_widens_with_repeated_patients() -> None:
    rng = np.random.default_rng(0)
    value = rng.uniform(0, 10, 300)
    y = np.sqrt(value) + rng.normal(0, 0.1, 300)
    curve = smooth_curve(y, value, task="continuous", n_bootstrap=50)
    assert curve["observed"][10:-5] == pytest.approx(np.sqrt(curve["grid"])[10:-5], abs=0.1)
    index = np.repeat(np.arange(300), 4)
    grouped = smooth_curve(y[index], value[index], groups=index, task="continuous", n_bootstrap=50)
    assert grouped["observed"] == pytest.approx(curve["observed"], abs=0.02)
    widths = [np.mean(np.subtract(c["high"], c["low"])) for c in (curve, grouped)]
    assert widths[1] == pytest.approx(widths[0], rel=0.3)


def test_smooth_curve_without_anything_to_draw_is_empty() -> None:
    assert smooth_curve(np.zeros(9), np.linspace(0, 1, 9))["grid"] == []
    assert smooth_curve(np.array([0, 1, 1]), np.full(3, 0.4))["grid"] == []


def test_applying_needs_neither_scipy_nor_scikit_learn() -> None:
    program = (
        "import sys, numpy as np\n"
        "from iatros.core.calibration import Calibrator\n"
        "from iatros.core.conformal import ConformalSet, ConformalInterval\n"
        "c = Calibrator.load('slope', {'intercept': np.zeros(1), 'slope': np.ones(1), 'scale': np.zeros(1)})\n"
        "assert abs(c.apply(np.array([0.3]))[0] - 0.3) < 1e-12\n"
        "assert not {'scipy', 'sklearn', 'pandas', 'torch', 'polars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
