"""Conformal sets and intervals: quantiles by hand, refusals, and coverage of new patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.conformal import (
    ConformalInterval,
    ConformalSet,
    coverage,
    describe_coverage,
    fit_conformal_interval,
    fit_conformal_set,
)
from iatros.core.errors import InputError
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
CLASSES = Target("grade", "multiclass", ("a", "b", "c"))
DOSE = Target("dose", "continuous", unit="mg")


def test_threshold_is_the_finite_sample_quantile_of_each_class() -> None:
    p = np.r_[np.arange(1, 20) / 100, 0.5 + np.arange(9) / 100]
    y = np.r_[np.zeros(19), np.ones(9)].astype(int)
    fitted = fit_conformal_set(BINARY, y, p, 0.9)
    assert fitted.thresholds[0] == pytest.approx(0.18)  # ceil(20 * 0.9) = 18th of 19
    assert fitted.thresholds[1] == pytest.approx(0.5)  # ceil(10 * 0.9) = 9th of 9, the largest
    assert np.isinf(fit_conformal_set(BINARY, y, p, 0.95).thresholds[1])  # 9 patients cannot promise 0.95


def test_interval_is_the_finite_sample_quantile_on_each_side() -> None:
    residual = np.arange(1.0, 40.0)
    fitted = fit_conformal_interval(residual, np.zeros(39), 0.9)
    assert fitted.quantiles == pytest.approx([2.0, 38.0], abs=1e-3)
    low, high = fitted.apply(np.array([10.0]))
    assert (low[0], high[0]) == pytest.approx((12.0, 48.0), abs=1e-3)


def test_too_few_patients_give_full_sets_and_infinite_intervals() -> None:
    fitted = fit_conformal_set(CLASSES, np.array([0, 0, 1]), np.full((3, 3), 1 / 3), 0.9)
    assert fitted.sets(np.array([[1.0, 0.0, 0.0]])).tolist() == [[True, True, True]]
    assert fitted.document()["thresholds"] == [None, None, None]
    interval = fit_conformal_interval(np.arange(5.0), np.zeros(5), 0.9)
    assert np.isinf(interval.quantiles).all()
    assert interval.document()["quantiles"] == [None, None]
    assert np.isinf(fit_conformal_interval(np.empty(0), np.empty(0)).quantiles).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 200), st.floats(0.55, 0.97), st.integers(0, 10_000))
def test_the_patients_it_was_fitted_on_are_covered_at_the_level(n: int, level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], size=n)
    y = rng.integers(0, 3, size=n)
    fitted = fit_conformal_set(CLASSES, y, p, level)
    hits = fitted.sets(p)[np.arange(n), y]
    for label in np.unique(y):
        assert hits[y == label].mean() >= level - 1e-12
    truth = rng.normal(size=n)
    low, high = fit_conformal_interval(truth, np.zeros(n), level).apply(np.zeros(n))
    assert ((low <= truth) & (truth <= high)).mean() >= level - 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_a_higher_level_never_gives_a_smaller_set(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random(80), rng.integers(0, 2, 80)
    narrow, wide = (fit_conformal_set(BINARY, y, p, level).sets(p) for level in (0.7, 0.9))
    assert (wide | ~narrow).all()


def test_repeated_patients_count_once() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=60), np.zeros(60)
    once = fit_conformal_interval(y, p)
    index = np.repeat(np.arange(60), 7)
    repeated = fit_conformal_interval(y[index], p[index], groups=index)
    assert repeated.quantiles == pytest.approx(once.quantiles)
    few = np.repeat(np.arange(5), 100)
    many_rows = fit_conformal_interval(rng.normal(size=500), np.zeros(500), groups=few)
    assert np.isinf(many_rows.quantiles).all()


def test_stored_sets_and_intervals_answer_the_same() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.random(90), rng.integers(0, 2, 90)
    fitted = fit_conformal_set(BINARY, y, p, 0.8)
    loaded = ConformalSet.load(fitted.arrays())
    assert np.array_equal(loaded.sets(p), fitted.sets(p))
    assert loaded.confidence_level == 0.8
    interval = fit_conformal_interval(p, p**2, 0.8)
    again = ConformalInterval.load(interval.arrays())
    assert np.array_equal(again.apply(p)[0], interval.apply(p)[0])
    assert again.document() == interval.document()


def test_a_drift_of_a_stored_model_in_the_last_digits_does_not_lose_coverage() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.random(90), rng.integers(0, 2, 90)
    fitted = fit_conformal_set(BINARY, y, p, 0.8)
    drifted = np.clip(p + 5e-7 * np.where(y == 1, -1, 1), 0, 1)
    assert coverage(fitted, y, drifted).value >= 0.8


def test_coverage_counts_and_describes() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1, 3, 400)
    y = (rng.random(400) < p).astype(int)
    fitted = fit_conformal_set(BINARY, y[:200], p[:200])
    document = describe_coverage(fitted, BINARY, y[200:], p[200:])
    sets = fitted.sets(p[200:])
    assert document["coverage"]["value"] == pytest.approx(sets[np.arange(200), y[200:]].mean())
    assert document["mean_size"] == pytest.approx(sets.sum(axis=1).mean())
    assert set(document["by_class"]) == {"no", "yes"}
    assert document["by_class"]["yes"]["n"] == y[200:].sum()
    interval = fit_conformal_interval(p[:200], p[:200] ** 2)
    described = describe_coverage(interval, DOSE, p[200:], p[200:] ** 2)
    assert described["mean_width"] == pytest.approx(float(np.ptp(interval.quantiles)))


def test_new_patients_are_covered_in_each_class_on_average() -> None:
    """Vovk 2012: the mean coverage over calibration samples is at least the level, however bad the model."""
    rng = np.random.default_rng(5)
    covered: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(300):
        x = rng.normal(size=260)
        y = (rng.random(260) < 1 / (1 + np.exp(1.2 - x))).astype(int)
        bad = 1 / (1 + np.exp(-3 * x - 1 + rng.normal(size=260)))
        fitted = fit_conformal_set(BINARY, y[:130], bad[:130], 0.85)
        hits = fitted.sets(bad[130:])[np.arange(130), y[130:]]
        for label in (0, 1):
            covered[label].append(float(hits[y[130:] == label].mean()))
    for label in (0, 1):
        error = np.std(covered[label]) / np.sqrt(300)
        assert 0.85 - 3 * error < np.mean(covered[label]) < 0.90


def test_intervals_cover_new_patients_evenly_on_both_sides() -> None:
    rng = np.random.default_rng(6)
    below, above = [], []
    for _ in range(400):
        y = rng.gamma(2, 3, size=300)
        low, high = fit_conformal_interval(y[:150], np.full(150, 5.0), 0.9).apply(np.full(150, 5.0))
        below.append((y[150:] < low).mean())
        above.append((y[150:] > high).mean())
    assert np.mean(below) == pytest.approx(0.05, abs=0.006)
    assert np.mean(above) == pytest.approx(0.05, abs=0.006)
    assert 1 - np.mean(below) - np.mean(above) + 0.003 >= 0.9


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit_conformal_interval(np.ones(3), np.ones(2)), "one prediction per outcome"),
        (lambda: fit_conformal_interval(np.ones(3), np.ones(3), 1.0), "between 0 and 1"),
        (lambda: fit_conformal_set(CLASSES, np.zeros(3), np.full((3, 2), 0.5)), "one probability per class"),
        (lambda: fit_conformal_set(DOSE, np.zeros(3), np.zeros(3)), "one probability per class"),
    ],
)
def test_bad_input_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
