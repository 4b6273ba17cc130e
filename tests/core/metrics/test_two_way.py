"""The bootstrap over both kinds of a pair: Owen's variance by its formula, and coverage where both kinds vary."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.metrics.continuous import ContinuousMetrics
from iatros.core.metrics.ranking import AffinityMetrics
from iatros.core.metrics.two_way import two_way_evaluate, two_way_weights


def _pairs(n_first: int, n_second: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(n_first), n_second), np.tile(np.arange(n_second), n_first)


def _mean(x: np.ndarray):
    return lambda weights: {"mean": weights @ x / weights.sum(axis=1)}


def test_weights_are_the_product_of_how_often_each_kind_is_drawn() -> None:
    first, second = _pairs(5, 7)
    weights = np.concatenate(list(two_way_weights(first, second, 30, seed=3)))
    assert weights.shape == (30, 35)
    for row in weights.reshape(30, 5, 7):
        assert np.linalg.matrix_rank(row) == 1
        assert row.sum() == 35
    again = np.concatenate(list(two_way_weights(first.astype(str), second.astype(str), 30, seed=3)))
    assert np.array_equal(weights, again)


def test_variance_of_a_mean_is_that_of_owens_formula() -> None:
    """Of a full table the resampled mean is u' X v: its variance follows from the multinomial moments of u and v."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 9)) + 2 * rng.normal(size=(6, 1)) + rng.normal(size=(1, 9))
    weights = np.concatenate(list(two_way_weights(*_pairs(6, 9), 40_000, seed=1)))
    drawn = _mean(table.ravel())(weights)["mean"]
    covariances = [(np.eye(n) - 1 / n) / n**2 for n in (6, 9)]
    centred = table - table.mean()
    rows, columns = centred.mean(axis=1), centred.mean(axis=0)
    expected = (
        rows @ covariances[0] @ rows
        + columns @ covariances[1] @ columns
        + np.trace(covariances[0] @ centred @ covariances[1] @ centred.T)
    )
    assert drawn.var() == pytest.approx(expected, rel=0.03)


def test_interval_covers_a_mean_that_depends_on_both_kinds() -> None:
    rng = np.random.default_rng(2)
    first, second = _pairs(20, 30)
    covered = []
    for seed in range(100):
        x = rng.normal(size=20)[first] + rng.normal(size=30)[second] + 0.3 * rng.normal(size=600)
        found = two_way_evaluate(_mean(x), first, second, n_bootstrap=100, seed=seed)["mean"]
        covered.append(found.low <= 0 <= found.high)
    assert 0.90 <= np.mean(covered) <= 1.0


def test_rows_alone_would_give_too_narrow_an_interval() -> None:
    rng = np.random.default_rng(5)
    first, second = _pairs(12, 40)
    x = 2 * rng.normal(size=12)[first] + rng.normal(size=480)
    found = two_way_evaluate(_mean(x), first, second, seed=1)["mean"]
    of_rows = 2 * 1.96 * x.std() / 480**0.5
    assert found.high - found.low > 2 * of_rows


def test_says_what_was_drawn_and_stays_in_range() -> None:
    rng = np.random.default_rng(1)
    first, second = _pairs(8, 5)
    y = rng.normal(6, 1, 40)
    found = two_way_evaluate(
        AffinityMetrics(y, y + 0.2 * rng.normal(size=40)), first, second, names=("drugs", "kinases")
    )
    index = found["concordance_index"]
    assert index.low < index.value < index.high < 1
    assert index.interval == "two-way bootstrap over 8 drugs and 5 kinases"
    plain = two_way_evaluate(ContinuousMetrics(y, y + 1), first, second, n_bootstrap=50)
    assert plain["mae"].value == pytest.approx(1)


def test_one_drug_only_has_no_interval() -> None:
    y = np.array([5.0, 6.0, 7.0, 8.0])
    found = two_way_evaluate(AffinityMetrics(y, y), np.zeros(4), np.arange(4), n_bootstrap=10)
    assert found["concordance_index"].value == 1
    assert np.isnan(found["concordance_index"].low)
    assert "drugs" in found["concordance_index"].interval
    flat = two_way_evaluate(AffinityMetrics(y, np.ones(4)), np.arange(4), np.arange(4), n_bootstrap=10)
    assert np.isnan(flat["rm2"].value)


def test_a_pair_without_both_names_is_refused() -> None:
    with pytest.raises(InputError, match="two names"):
        next(two_way_weights(np.arange(3), np.arange(2), 1, seed=0))
