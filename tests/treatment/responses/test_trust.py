"""Intervals of values and of probabilities: what they promise, on data where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from iatros.treatment.responses.evaluation import Judged
from iatros.treatment.responses.trust import (
    ProbabilityIntervals,
    ValueIntervals,
    _isotonic,
    load_intervals,
    reached_coverage,
)


def _values(seed: int, n_subjects: int = 400) -> Judged:
    """Treatment 0 is predicted well, treatment 1 badly."""
    rng = np.random.default_rng(seed)
    who, what = np.repeat(np.arange(n_subjects), 2), np.tile([0, 1], n_subjects)
    y = np.where(what == 0, 0.2, 2.0) * rng.normal(size=len(who))
    return Judged(who, what, y, np.zeros(len(who)), np.zeros(len(who)), np.zeros(len(who), dtype=np.int64))


def test_intervals_hold_what_they_promise_and_are_wider_where_errors_are() -> None:
    intervals = ValueIntervals.learn(_values(0), 2, 0.9)
    new = _values(1, 4000)
    low, high = intervals.apply(new.prediction, new.treatment)
    held = (low <= new.y) & (new.y <= high)
    assert 0.88 < held.mean() < 0.92
    for treatment in (0, 1):
        assert held[new.treatment == treatment].mean() > 0.85
    assert (high - low)[1] > 4 * (high - low)[0]


def test_a_new_treatment_gets_the_width_of_all() -> None:
    intervals = ValueIntervals.learn(_values(0), 2, 0.9)
    low, high = intervals.apply(np.zeros(3), np.array([0, -1, 1]))
    width = high - low
    assert width[0] < width[1] < width[2]


def test_coverage_is_told_for_subjects_that_were_not_learned_from() -> None:
    found = reached_coverage(_values(2, 1000), 2, 0.8, seed=0, confidence_level=0.95)
    assert found["coverage"]["low"] < 0.8 < found["coverage"]["high"]


def test_stored_intervals_are_the_same() -> None:
    intervals = ValueIntervals.learn(_values(0), 2, 0.9)
    again = load_intervals("continuous", intervals.arrays())
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            intervals.apply(np.ones(2), np.arange(2)), again.apply(np.ones(2), np.arange(2)), strict=True
        )
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_isotonic_is_that_of_scikit_learn(cells: list[tuple[int, int]]) -> None:
    n = np.array([size for size, _ in cells], dtype=float)
    events = np.array([min(size, ones) for size, ones in cells], dtype=float)
    expected = IsotonicRegression().fit_transform(np.arange(len(n)), events / n, sample_weight=n)
    assert _isotonic(n, events) == pytest.approx(expected, abs=1e-9)


def _probabilities(seed: int, n: int) -> tuple[Judged, np.ndarray]:
    """Scores that are far too sure of themselves: the truth is the square root's half of them."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    truth = 0.1 + 0.4 * score
    y = (rng.random(n) < truth).astype(float)
    zeros = np.zeros(n, dtype=np.int64)
    return Judged(np.arange(n), zeros, y, score, zeros.astype(float), zeros), truth


def test_probabilities_are_calibrated_and_inside_their_bounds() -> None:
    judged, _ = _probabilities(0, 4000)
    intervals = ProbabilityIntervals.learn(judged)
    new, truth = _probabilities(1, 20000)
    p, low, high = intervals.apply(new.prediction)
    assert ((low <= p) & (p <= high)).all()
    assert abs(p.mean() - truth.mean()) < 0.02
    for part in np.array_split(np.argsort(p), 5):
        assert abs(p[part].mean() - new.y[part].mean()) < 0.04


def test_few_pairs_give_wide_bounds() -> None:
    few = ProbabilityIntervals.learn(_probabilities(0, 12)[0])
    many = ProbabilityIntervals.learn(_probabilities(0, 4000)[0])
    at = np.array([0.5])
    assert (few.apply(at)[2] - few.apply(at)[1])[0] > 3 * (many.apply(at)[2] - many.apply(at)[1])[0]


def test_probabilities_rise_with_the_score() -> None:
    intervals = ProbabilityIntervals.learn(_probabilities(0, 500)[0])
    p, low, high = intervals.apply(np.linspace(0, 1, 300))
    for values in (p, low, high):
        assert (np.diff(values) >= -1e-9).all()
