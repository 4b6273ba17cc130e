"""Ranking against RDKit's scoring, lifelines' concordance, all pairs one by one, and repetition of rows."""

from __future__ import annotations

import math
import time
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.utils import concordance_index as lifelines_concordance
from rdkit.ML.Scoring import Scoring

from iatros.core.errors import InputError
from iatros.core.metrics.ranking import (
    AffinityMetrics,
    Concordance,
    EarlyRecognition,
    bedroc,
    concordance_index,
    enrichment_factor,
    rm2,
)


def _known_less(y: np.ndarray, bound: np.ndarray, i: int, j: int) -> bool:
    """Is the true value of i certainly below that of j?"""
    highest = math.inf if bound[i] == 1 else y[i]
    lowest = -math.inf if bound[j] == -1 else y[j]
    if highest == lowest:
        return bool(bound[i] == -1 or bound[j] == 1)
    return bool(highest < lowest)


def _all_pairs(y: np.ndarray, p: np.ndarray, bound: np.ndarray, weights: np.ndarray) -> float:
    right = pairs = 0.0
    for i in range(len(y)):
        for j in range(len(y)):
            if i != j and _known_less(y, bound, i, j):
                pairs += weights[i] * weights[j]
                right += weights[i] * weights[j] * ((p[i] < p[j]) + 0.5 * (p[i] == p[j]))
    return right / pairs if pairs else math.nan


rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5), st.sampled_from([-1, 0, 0, 1]), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(rows)
def test_concordance_counts_all_pairs_with_ties_bounds_and_weights(drawn: list[tuple[int, ...]]) -> None:
    y, p, bound, weights = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    for known in (bound, np.zeros(len(y))):
        expected = _all_pairs(y, p, known, weights)
        got = Concordance(y, p, known)(np.vstack([weights, np.ones(len(y))]))
        assert got[0] == pytest.approx(expected, nan_ok=True)
        assert got[1] == pytest.approx(_all_pairs(y, p, known, np.ones(len(y))), nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_concordance_equals_lifelines_with_and_without_censoring(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.round(rng.gamma(2, 3, size=211), 0) + 1
    p = np.round(y + rng.normal(0, 4, size=211), 0)
    censored = rng.random(211) < 0.4
    assert concordance_index(y, p) == pytest.approx(lifelines_concordance(y, p), abs=1e-12)
    assert concordance_index(y, p, censored.astype(int)) == pytest.approx(
        lifelines_concordance(y, p, ~censored), abs=1e-12
    )


@settings(deadline=None, max_examples=60)
@given(rows)
def test_lower_bounds_are_upper_bounds_turned_round(drawn: list[tuple[int, ...]]) -> None:
    y, p, bound, _ = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    assert concordance_index(-y, -p, -bound) == pytest.approx(concordance_index(y, p, bound), nan_ok=True)
    assert concordance_index(y, -p, bound) == pytest.approx(1 - concordance_index(y, p, bound), nan_ok=True)


def test_concordance_takes_n_log_n() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=200_000)
    begin = time.process_time()
    assert 0.7 < concordance_index(y, y + rng.normal(size=200_000)) < 0.8
    assert time.process_time() - begin < 10  # all 2e10 pairs would take minutes


def test_concordance_of_equal_outcomes_or_open_bounds_is_not_defined() -> None:
    assert math.isnan(concordance_index(np.full(3, 5.0), np.arange(3)))
    assert math.isnan(concordance_index(np.array([5.0, 7.0]), np.arange(2), np.array([1, 1])))


def _ranked(y: np.ndarray, p: np.ndarray) -> list[list[int]]:
    return [[int(one)] for one in y[np.argsort(-p, kind="stable")]]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 120), st.sampled_from([1.0, 20.0, 160.9]))
def test_early_recognition_equals_rdkit_where_no_predictions_are_equal(
    seed: int, n: int, alpha: float
) -> None:
    rng = np.random.default_rng(seed)
    y = np.r_[1, 0, rng.random(n - 2) < 0.2].astype(int)
    p = rng.permutation(n) + 3.0 * y
    p = p + np.arange(n) * 1e-3
    ranked = _ranked(y, p)
    assert bedroc(y, p, alpha) == pytest.approx(Scoring.CalcBEDROC(ranked, 0, alpha), abs=1e-9)
    for fraction in (0.01, 0.13, 0.5):
        expected = Scoring.CalcEnrichment(ranked, 0, [fraction])
        if expected:
            assert enrichment_factor(y, p, fraction) == pytest.approx(expected[0])


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.7])
def test_equal_predictions_give_the_mean_over_their_orders(fraction: float) -> None:
    """Three of one score with one active, five with two, three with one, one without: 90 orders, each by RDKit."""
    y = np.array([1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0])
    p = np.repeat([3.0, 2.0, 1.0, 0.0], [3, 5, 3, 1])
    orders = []
    for first, (second, third), fourth in product(range(3), combinations(range(3, 8), 2), range(8, 11)):
        orders.append([[int(place in (first, second, third, fourth))] for place in range(12)])
    enrichment = np.mean([Scoring.CalcEnrichment(one, 0, [fraction])[0] for one in orders])
    early = np.mean([Scoring.CalcBEDROC(one, 0, 20.0) for one in orders])
    turned = np.random.default_rng(4).permutation(12)
    for rows in (np.arange(12), turned):
        assert enrichment_factor(y[rows], p[rows], fraction) == pytest.approx(enrichment)
        assert bedroc(y[rows], p[rows]) == pytest.approx(early)


def test_early_recognition_ends() -> None:
    y = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    best, worst = np.arange(10)[::-1], np.arange(10)
    assert (bedroc(y, best), bedroc(y, worst)) == pytest.approx((1, 0))
    assert enrichment_factor(y, best, 0.2) == 5
    assert enrichment_factor(y, worst, 0.2) == 0
    assert enrichment_factor(y, best, 1.0) == 1
    assert enrichment_factor(np.r_[np.ones(7), np.zeros(93)], -np.arange(100), 0.07) == pytest.approx(
        1 / 0.07
    )
    assert math.isnan(bedroc(np.ones(4), np.arange(4)))
    assert math.isnan(bedroc(np.zeros(4), np.arange(4)))
    assert math.isnan(enrichment_factor(np.zeros(4), np.arange(4)))


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, 60), np.round(rng.normal(size=60), 1)
    affinity = rng.normal(6, 1, 60)
    weights = rng.multinomial(60, np.full(60, 1 / 60), size=4).astype(float)
    early, ranked = EarlyRecognition(y, p, fraction=0.1)(weights), AffinityMetrics(affinity, p)(weights)
    for row, weight in enumerate(weights):
        index = np.repeat(np.arange(60), weight.astype(int))
        assert early["bedroc"][row] == pytest.approx(bedroc(y[index], p[index]))
        assert early["enrichment_factor"][row] == pytest.approx(enrichment_factor(y[index], p[index], 0.1))
        assert ranked["concordance_index"][row] == pytest.approx(concordance_index(affinity[index], p[index]))
        assert ranked["rm2"][row] == pytest.approx(rm2(affinity[index], p[index]))


def test_rm2_by_hand() -> None:
    """In fractions: r^2 = 343/415 and, with k = 740/723, r0^2 = 20533/25305."""
    y, p = np.array([5.0, 6.0, 7.0, 9.0]), np.array([5.5, 5.5, 7.5, 8.0])
    r2, r02 = 343 / 415, 20533 / 25305
    assert rm2(y, p, "roy") == pytest.approx(r2 * (1 - math.sqrt(r2 - r02)))
    assert rm2(y, p) == pytest.approx(r2 * (1 - math.sqrt(r2**2 - r02**2)))
    assert rm2(y, y) == pytest.approx(1)
    assert math.isnan(rm2(y, np.full(4, 6.1)))
    assert math.isnan(rm2(np.full(4, 6.1), p))


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(InputError, match="one length"):
        concordance_index(np.arange(3), np.arange(4))
    with pytest.raises(InputError, match="one length"):
        rm2(np.array([]), np.array([]))
    with pytest.raises(InputError, match="finite"):
        rm2(np.array([1.0, np.nan]), np.arange(2))
    with pytest.raises(InputError, match="0 \\(inactive\\)"):
        bedroc(np.array([0, 2]), np.arange(2))
    with pytest.raises(InputError, match="fraction"):
        enrichment_factor(np.array([0, 1]), np.arange(2), 0.0)
    with pytest.raises(InputError, match="alpha"):
        bedroc(np.array([0, 1]), np.arange(2), -1.0)
    with pytest.raises(InputError, match="bound"):
        concordance_index(np.arange(2), np.arange(2), np.array([0, 2]))
    with pytest.raises(InputError, match="forms"):
        rm2(np.arange(3.0), np.arange(3.0), "other")  # type: ignore[arg-type]
