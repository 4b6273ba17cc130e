"""Metrics from what was described, against other ways to compute them; their intervals against the bootstrap."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from scipy.stats import wasserstein_distance

from iatros.molecules.distribution import judging
from iatros.molecules.distribution.diversity import mean_similarities

NUMBERS = st.lists(st.floats(-50, 50, allow_nan=False, width=32), min_size=2, max_size=30)


@given(NUMBERS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_the_distance_is_that_of_scipy(ours: list[float], theirs: list[float]) -> None:
    found = judging.distance(np.array(ours), np.array(theirs), 0.95)
    assert found.value == pytest.approx(wasserstein_distance(ours, theirs), abs=1e-9)
    assert found.low <= found.value + 1e-12
    assert found.high >= found.value - 1e-12


def _resampled(statistic, n: int, draws: int = 300) -> float:
    rng = np.random.default_rng(5)
    return float(np.std([statistic(rng.integers(n, size=n)) for _ in range(draws)], ddof=1))


def _standard_error(metric) -> float:
    return (metric.high - metric.low) / 2 / 1.959964


def test_the_interval_of_a_distance_is_as_wide_as_the_bootstrap_says() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.gamma(3.0, 1.0, 400), rng.gamma(2.0, 1.2, 5000)
    found = judging.distance(ours, theirs, 0.95)
    error = _resampled(lambda rows: wasserstein_distance(ours[rows], theirs), len(ours))
    assert _standard_error(found) == pytest.approx(error, rel=0.2)


def _parts(seed: int, n: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[f"p{k}" for k in rng.geometric(0.3, size=rng.integers(1, 5))] for _ in range(n)]


def _cosine(own: list[list[str]], reference: dict[str, int]) -> float:
    counts = Counter(part for some in own for part in some)
    names = sorted({*counts, *reference})
    return 1 - cosine([counts[name] for name in names], [reference.get(name, 0) for name in names])


def test_the_similarity_of_parts_is_a_cosine_with_a_fair_interval() -> None:
    own = _parts(0, 300)
    reference = {"p1": 50, "p2": 90, "p3": 10, "p9": 30}
    found = judging.parts_similarity(own, reference, 0.95)
    assert found.value == pytest.approx(_cosine(own, reference))
    error = _resampled(lambda rows: _cosine([own[row] for row in rows], reference), len(own))
    assert _standard_error(found) == pytest.approx(error, rel=0.2)


def test_without_parts_nothing_is_similar() -> None:
    assert math.isnan(judging.parts_similarity([(), ()], {"a": 1}, 0.95).value)
    assert judging.parts_similarity([("a",)], {}, 0.95).interval.startswith("not defined")


def _words(n: int) -> np.ndarray:
    """Compounds of four kinds, some of which are rarer, so that some lie further from the rest than others."""
    rng = np.random.default_rng(3)
    common = rng.integers(0, 2**63, size=(4, 16), dtype=np.uint64)
    kinds = rng.choice(4, size=n, p=[0.6, 0.25, 0.1, 0.05])
    return common[kinds] & rng.integers(0, 2**63, size=(n, 16), dtype=np.uint64)


def test_the_intervals_of_diversity_are_as_wide_as_the_bootstrap_says() -> None:
    words = _words(220)
    similarity, squares = mean_similarities(words)

    def of(rows: np.ndarray, which: int) -> float:
        found = mean_similarities(words[rows])[which]
        return 1.0 - float((np.sqrt(found) if which else found).mean())

    for which, metric in enumerate(
        (judging.diversity(similarity, 0.95), judging.diversity_of_squares(squares, 0.95))
    ):
        assert metric.value == pytest.approx(of(np.arange(220), which))
        error = _resampled(lambda rows, which=which: of(rows, which), 220, draws=150)
        assert _standard_error(metric) == pytest.approx(error, rel=0.25)


def test_mean_similarities_compare_each_compound_with_all_and_itself() -> None:
    words = np.array([[0b111, 0], [0b011, 0], [0b1000, 1]], dtype=np.uint64)
    similarity, squares = mean_similarities(words, threads=2)
    expected = np.array([[1, 2 / 3, 0], [2 / 3, 1, 0], [0, 0, 1]])
    assert similarity == pytest.approx(expected.mean(axis=1))
    assert squares == pytest.approx((expected**2).mean(axis=1))


def test_unique_counts_among_the_first_that_are_there() -> None:
    found = judging.unique_share(["a", "b", "a", "c"], 3, 0.95)
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert judging.unique_share(["a", "b", "a", "c"], 10, 0.95).n == 4


def test_one_compound_has_no_interval() -> None:
    found = judging.distance(np.array([1.0]), np.array([0.0, 3.0]), 0.95)
    assert found.value == pytest.approx(1.5)
    assert math.isnan(found.low)
    assert found.interval == "not defined: one compound"
