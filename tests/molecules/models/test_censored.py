from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.molecules.models.censored import beyond, settle


def test_bounds_move_only_to_their_allowed_side_by_hand() -> None:
    prediction = np.array([7.0, 3.0, 7.0, 3.0, 9.0, 5.0])
    y = np.full(6, 5.0)
    bound = np.array([1, 1, -1, -1, 0, 1], dtype=np.int8)
    assert beyond(prediction, y, bound).tolist() == [7.0, 5.0, 5.0, 3.0, 5.0, 5.0]


@given(
    st.lists(
        st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.sampled_from([-1, 0, 1])), min_size=1, max_size=9
    )
)
@settings(max_examples=50, deadline=None)
def test_what_is_moved_obeys_its_bound(cases: list[tuple[float, float, int]]) -> None:
    prediction, y, bound = (np.array(column) for column in zip(*cases, strict=True))
    moved = beyond(prediction, y, bound)
    assert (bound * (moved - y) >= 0).all()
    np.testing.assert_array_equal(moved[bound == 0], y[bound == 0])


def test_each_bound_is_predicted_by_other_groups_alone() -> None:
    groups = np.repeat(np.arange(8), 3)
    y, bound = np.zeros(24), np.zeros(24, dtype=np.int8)
    bound[[0, 4, 5, 23]] = 1
    asked = []

    def fit_predict(inside: np.ndarray, outside: np.ndarray, known: np.ndarray) -> np.ndarray:
        assert not set(groups[inside]) & set(groups[outside])
        np.testing.assert_array_equal(known, y[inside])
        asked.extend(outside.tolist())
        return outside + 1.0

    settled = settle(y, bound, groups, fit_predict, seed=3)
    assert sorted(asked) == [0, 4, 5, 23]
    assert settled[[0, 4, 5, 23]].tolist() == [1.0, 5.0, 6.0, 24.0]
    assert not np.delete(settled, [0, 4, 5, 23]).any()


def test_nothing_is_fitted_where_nothing_can_be_settled() -> None:
    def never(*_: np.ndarray) -> np.ndarray:
        pytest.fail("a fit was asked for")

    y = np.arange(4.0)
    exact, bounds = np.zeros(4, dtype=np.int8), np.ones(4, dtype=np.int8)
    assert settle(y, exact, np.arange(4), never, seed=0) is y
    assert settle(y, bounds, np.zeros(4, dtype=int), never, seed=0) is y


def test_a_straight_line_cut_off_above_is_found_again() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 10, 400)
    truth = 2.0 * x + rng.normal(0, 0.5, 400)
    y, bound = np.minimum(truth, 12.0), (truth > 12.0).astype(np.int8)

    def line(inside: np.ndarray, outside: np.ndarray, known: np.ndarray) -> np.ndarray:
        return np.polyval(np.polyfit(x[inside], known, 1), x[outside])

    naive = np.polyfit(x, y, 1)[0]
    settled = np.polyfit(x, settle(y, bound, np.arange(400), line, seed=0), 1)[0]
    assert naive < settled < 2.0  # one step of many goes part of the way
    assert settled - naive > 0.15
