"""Intervals against statsmodels, against definitions written out, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from iatros.core.errors import InputError
from iatros.core.intervals import (
    delong,
    delong_paired,
    group_codes,
    group_weights,
    midranks,
    newcombe_auroc,
    paired_bootstrap,
    proportion,
    random_effects,
    wilson,
)

# Thirteen trials of BCG vaccine (Colditz et al. 1994): cases and others, vaccinated and not.
BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619],
        [33, 5036, 47, 5761], [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892],
        [29, 7470, 45, 7232], [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    dtype=float,
)  # fmt: skip


@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 9), (37, 50), (7, 7), (812, 1003)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_equals_statsmodels(k: int, n: int, level: float) -> None:
    expected = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert wilson(k, n, level) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_stays_within_bounds(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert high > low


def test_proportion_of_nothing_is_not_defined() -> None:
    metric = proportion(np.array([], dtype=bool))
    assert np.isnan(metric.value)
    assert metric.interval == "not defined: no rows"


def test_proportion_with_each_row_five_times_equals_the_rows_once() -> None:
    hits = np.random.default_rng(0).random(400) < 0.3
    once = proportion(hits)
    repeated = proportion(np.repeat(hits, 5), groups=np.repeat(np.arange(400), 5))
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high), abs=1e-3)
    all_hit = proportion(np.ones(50, dtype=bool), groups=np.repeat(np.arange(10), 5))
    assert all_hit.low == pytest.approx(wilson(10, 10)[0])


def _delong_by_definition(y: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """DeLong et al. 1988, equations 3 to 5, from the matrix of all pairs."""
    by_event, by_other = [], []
    for score in scores:
        pairs = np.sign(score[y == 1][:, None] - score[y == 0][None, :]) / 2 + 0.5
        by_event.append(pairs.mean(axis=1))
        by_other.append(pairs.mean(axis=0))
    areas = np.array([part.mean() for part in by_event])
    return areas, np.cov(by_event) / (y == 1).sum() + np.cov(by_other) / (y == 0).sum()


def test_delong_equals_its_definition() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(70) < 0.3).astype(int)
    a, b = np.round(rng.normal(size=70) + y, 1), np.round(rng.normal(size=70) + 0.5 * y, 1)
    areas, covariance = _delong_by_definition(y, [a, b])
    value, low, high = delong(y, a)
    assert value == pytest.approx(areas[0])
    spread = np.sqrt(covariance[0, 0]) / (value * (1 - value))
    centre = np.log(value / (1 - value))
    expected = 1 / (1 + np.exp(-(centre + np.array([-1, 1]) * stats.norm.ppf(0.975) * spread)))
    assert (low, high) == pytest.approx(tuple(expected))

    difference, low, high, p_value = delong_paired(y, a, b)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert difference == pytest.approx(areas[0] - areas[1])
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / error))
    assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975) * error)


def test_delong_without_both_classes_or_differences() -> None:
    assert all(np.isnan(delong(np.ones(5), np.arange(5))))
    assert all(np.isnan(delong_paired(np.ones(5), np.arange(5), np.arange(5))))
    y, p = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.4, 0.5, 0.7, 0.2])
    assert delong_paired(y, p, p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 1, 1, 1]])
def test_delong_with_a_single_event_or_non_event_has_an_interval(labels: list[int]) -> None:
    value, low, high = delong(np.array(labels), np.array([0.1, 0.4, 0.2, 0.3]))
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.2


def test_newcombe_solves_its_equation() -> None:
    m, n, value = 14, 31, 0.83
    for bound in newcombe_auroc(value, m, n):
        centre = (m + n) / 2 - 1
        variance = (
            bound
            * (1 - bound)
            * (1 + centre * (1 - bound) / (2 - bound) + centre * bound / (1 + bound))
            / (m * n)
        )
        assert abs(value - bound) == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance), abs=1e-9)
    assert newcombe_auroc(1.0, m, n)[1] == 1.0
    assert newcombe_auroc(0.0, m, n)[0] == 0.0


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_midranks_equal_scipys(values: list[int]) -> None:
    assert midranks(np.array(values)) == pytest.approx(stats.rankdata(values))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=25), st.integers(0, 1000))
def test_resamples_draw_whole_groups_as_many_as_there_are(groups: list[int], seed: int) -> None:
    codes, n_groups = group_codes(np.array(groups), len(groups))
    weights = np.concatenate(list(group_weights(np.array(groups), 7, seed)))
    assert weights.shape == (7, len(groups))
    for row in weights:
        drawn = np.array([row[codes == code] for code in range(n_groups)], dtype=object)
        assert all(len(set(part)) == 1 for part in drawn)
        assert sum(part[0] for part in drawn) == n_groups


def test_resamples_come_from_the_seed_and_in_blocks() -> None:
    first = np.concatenate(list(group_weights(None, 5, 3, n=300_000)))
    second = np.concatenate(list(group_weights(None, 5, 3, n=300_000)))
    assert np.array_equal(first, second)
    assert first.sum(axis=1).tolist() == [300_000.0] * 5
    assert np.exp(-1) == pytest.approx((first == 0).mean(), abs=1e-3)


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="one entry per row"):
        next(group_weights(np.arange(4), 2, 0, n=5))


def test_paired_bootstrap_of_the_mean_difference_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=400)
    a, b = y + rng.normal(0.3, 1, 400), y + rng.normal(0, 1, 400)

    def bias(truth: np.ndarray, p: np.ndarray) -> float:
        return float(np.mean(p - truth))

    metric = paired_bootstrap(bias, y, a, b, n_bootstrap=2000, seed=1)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert metric.value == pytest.approx(np.mean(a - b))
    assert (metric.low, metric.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert metric.interval == "paired bootstrap over 400 rows"


def _bcg() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    return np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def test_random_effects_equals_metafor_on_the_bcg_trials() -> None:
    """The R package metafor 4.6, rma(yi, vi, data=dat.bcg): -0.7145, tau^2 0.3132, I^2 92.22 %."""
    values, variances = _bcg()
    summary = random_effects(values, np.sqrt(variances))
    assert summary.mean == pytest.approx(-0.7145, abs=5e-5)
    assert summary.tau2 == pytest.approx(0.3132, abs=5e-5)
    assert summary.i2 == pytest.approx(0.9222, abs=5e-5)


def test_hartung_knapp_equals_weighted_least_squares_and_the_prediction_interval_its_formula() -> None:
    values, variances = _bcg()
    summary = random_effects(values, np.sqrt(variances))
    weights = 1 / (variances + summary.tau2)
    line = sm.WLS(values, np.ones(13), weights=weights).fit()
    assert (summary.low, summary.high) == pytest.approx(tuple(line.conf_int()[0]), abs=1e-9)
    half = stats.t.ppf(0.975, 11) * np.sqrt(summary.tau2 + line.bse[0] ** 2)
    assert summary.prediction_high - summary.mean == pytest.approx(half)


def test_random_effects_without_spread_is_the_fixed_effect_and_never_narrower() -> None:
    errors = np.array([0.1, 0.2, 0.3])
    summary = random_effects(np.full(3, 0.7), errors)
    assert summary.tau2 == 0
    assert summary.i2 == 0
    fixed = 1 / np.sqrt((1 / errors**2).sum())
    assert summary.high - summary.mean == pytest.approx(stats.t.ppf(0.975, 2) * fixed)


def test_random_effects_of_few_and_of_missing_sites() -> None:
    one = random_effects(np.array([0.8, np.nan]), np.array([0.1, 0.1]))
    assert one.k == 1
    assert one.high == pytest.approx(0.8 + 0.1 * stats.norm.ppf(0.975))
    none = random_effects(np.array([np.nan]), np.array([0.1]))
    assert none.k == 0
    assert none.document()["value"] is None
    two = random_effects(np.array([0.5, 0.9]), np.array([0.1, 0.1]))
    assert two.document()["prediction_low"] is None
    with pytest.raises(InputError, match="one standard error per value"):
        random_effects(np.ones(2), np.ones(3))
