import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.learners.completion.kernels import (
    cosine,
    gaussian,
    likes,
    mean_distance,
    mean_square,
    smoothed,
    tanimoto,
)


def test_gaussian_of_two_points_at_distance_two_by_hand():
    found = gaussian(np.array([[0.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 0.0]]), 0.25)
    assert found == pytest.approx(np.array([[np.exp(-1.0), 1.0]]))


def test_cosine_by_hand_and_of_nothing():
    found = cosine(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [-2.0, -2.0], [0.0, 0.0]]))
    assert found == pytest.approx(np.array([[np.sqrt(0.5), -1.0, 0.0], [0.0, 0.0, 0.0]]))


def test_tanimoto_by_hand_and_of_two_without_bits():
    bits = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    others = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    assert tanimoto(bits, others) == pytest.approx(np.array([[1 / 3, 0.0, 1.0], [0.0, 0.0, 0.0]]))


def test_the_mean_distance_is_over_different_rows():
    values = np.array([[0.0], [1.0], [3.0]])  # squared distances 1, 9, 4
    assert mean_distance(values) == pytest.approx(14 / 3)
    assert mean_square(values) == pytest.approx(10 / 3)


def test_likes_by_hand():
    similarity = np.array([[1.0, 0.5, 0.8, 0.2]])
    # itself left out, the two nearest 0.8 and 0.5, the second at 0.7, over their sum of 1.3
    found = likes(similarity, np.array([0]), k=2, decay=0.7)
    assert found == pytest.approx(np.array([[0.0, 0.35 / 1.3, 0.8 / 1.3, 0.0]]))


def test_the_given_similarities_stay_as_they_are():
    similarity = np.array([[0.9, 0.4], [0.4, 0.9], [-0.3, 0.0]])
    before = similarity.copy()
    found = likes(similarity, np.array([0, 1, -1]))
    assert np.array_equal(similarity, before)
    assert np.array_equal(found[2], [0.0, 0.0])


def test_a_smoothed_table_by_hand():
    values = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    of_rows = np.array([[0.0, 0.6], [0.5, 0.0]])
    of_columns = np.zeros((3, 3))
    of_columns[2, 1] = 0.4
    # row 0, column 1: its like has it, 0.6 / 2; row 1, column 2: column 2's like is there, 0.4 / 2
    expected = np.array([[1.0, 0.3, 0.0], [0.25, 1.0, 0.2]])
    assert smoothed(values, of_rows, of_columns) == pytest.approx(expected)


@given(st.integers(1, 7), st.integers(1, 5), st.integers(0, 10_000))
def test_no_weight_of_likes_is_negative_and_no_row_has_more_than_one(n, q, seed):
    rng = np.random.default_rng(seed)
    similarity = rng.normal(size=(q, n))
    itself = rng.integers(-1, n, size=q)
    found = likes(similarity, itself, k=3)
    assert (found >= 0).all()
    assert (found.sum(axis=1) <= 1 + 1e-12).all()
    assert ((found > 0).sum(axis=1) <= 3).all()
    own = np.flatnonzero(itself >= 0)
    assert (found[own, itself[own]] == 0).all()
