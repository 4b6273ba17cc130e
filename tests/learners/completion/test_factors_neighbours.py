"""Similarities and means over neighbours, against numpy's plain way."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.learners.completion.neighbours import Likeness, Rule, Wanted, compare, deviations
from iatros.learners.completion.sparse import SparseTable

SHAPE = (23, 11)


def _table(seed: int = 0) -> tuple[np.ndarray, SparseTable]:
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random(SHAPE) < 0.5, rng.normal(1.0, 2.0, SHAPE), np.nan)
    row, column = np.nonzero(~np.isnan(dense))
    return dense, SparseTable.of(row, column, dense[row, column], SHAPE)


def _plain(dense: np.ndarray, one: int, other: int, likeness: Likeness, shrinkage: float) -> float:
    both = ~np.isnan(dense[one]) & ~np.isnan(dense[other])
    n = int(both.sum())
    if n < 2:
        return 0.0
    x, y = dense[one, both], dense[other, both]
    if likeness == "pearson":
        return float(np.corrcoef(x, y)[0, 1]) * (n - 1) / (n - 1 + shrinkage)
    return float(x @ y / np.sqrt((x @ x) * (y @ y))) * (n - 1) / (n - 1 + shrinkage)


@pytest.mark.parametrize("likeness", ["cosine", "pearson", "pearson-baseline"])
@pytest.mark.parametrize("shrinkage", [0.0, 7.0])
def test_similarities_are_those_of_the_columns_in_common(likeness: Likeness, shrinkage: float) -> None:
    dense, table = _table()
    for one in (0, 5, 22):
        own = table.take(np.array([one]))
        found = compare(own.column, own.value, table.transposed(), Rule(likeness, shrinkage))
        expected = [_plain(dense, one, other, likeness, shrinkage) for other in range(SHAPE[0])]
        np.testing.assert_allclose(found.similarity, expected, atol=1e-5)
        common = (~np.isnan(dense) & ~np.isnan(dense[one])).sum(axis=1)
        np.testing.assert_array_equal(found.in_common, common)


def test_rows_that_never_vary_are_not_alike() -> None:
    table = SparseTable.of(
        np.repeat([0, 1], 3), np.tile([0, 1, 2], 2), np.array([2.0, 2, 2, 1, 2, 3]), (2, 3)
    )
    own = table.take(np.array([1]))
    found = compare(own.column, own.value, table.transposed(), Rule("pearson", 0.0))
    np.testing.assert_allclose(found.similarity, [0.0, 1.0])


@pytest.mark.parametrize("damping", [0.0, 0.4])
def test_deviations_are_weighted_means_over_the_nearest_that_have_a_cell(damping: float) -> None:
    dense, table = _table()
    rule = Rule("pearson-baseline", 3.0)
    by_column = table.transposed()
    target, column = np.array([4, 0, 4, 17, -1]), np.array([3, 10, 8, 0, 2])
    wanted = Wanted(table, np.arange(SHAPE[0]), target, by_column, column)
    found = deviations(wanted, by_column, rule, most=3, least=2, damping=damping)
    for place, (one, at) in enumerate(zip(target[:-1], column[:-1], strict=True)):
        alike = {
            other: _plain(dense, one, other, "pearson-baseline", 3.0)
            for other in range(SHAPE[0])
            if other != one and not np.isnan(dense[other, at])
        }
        near = [other for other in sorted(alike, key=lambda other: -alike[other]) if alike[other] > 0][:3]
        weights = np.array([alike[other] for other in near])
        expected = weights @ dense[near, at] / (weights.sum() + damping) if len(near) >= 2 else 0.0
        assert found[place] == pytest.approx(expected, abs=1e-5)
    assert found[-1] == 0.0


def test_too_few_neighbours_move_nothing() -> None:
    _, table = _table()
    by_column = table.transposed()
    wanted = Wanted(table, np.arange(SHAPE[0]), np.arange(10), by_column, np.arange(10))
    assert not deviations(wanted, by_column, Rule("cosine", 0.0), most=40, least=SHAPE[0], damping=0.0).any()


def test_a_rule_is_checked() -> None:
    with pytest.raises(InputError, match="known: cosine, pearson, pearson-baseline"):
        Rule("jaccard", 0.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 0, got -1"):
        Rule("cosine", -1.0)
