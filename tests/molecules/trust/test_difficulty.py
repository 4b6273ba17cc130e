"""The error to expect: what it is made of, and what it does for intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iatros.core.conformal import fit_conformal_interval
from iatros.core.errors import InputError
from iatros.molecules.trust.difficulty import Difficulty


def test_what_errors_are_made_of_is_found_again():
    rng = np.random.default_rng(0)
    similarity, spread = rng.random(500), rng.random(500)
    found = Difficulty.fit(0.2 + 0.7 * (1 - similarity) + 0.4 * spread, similarity, spread)
    assert found.coefficients == pytest.approx([0.2, 0.7, 0.4])


def test_errors_that_fall_with_the_distance_say_nothing():
    rng = np.random.default_rng(1)
    similarity = rng.random(400)
    found = Difficulty.fit(0.1 + similarity, similarity, np.zeros(400))
    assert found.coefficients[1] == 0.0
    assert np.ptp(found.of(similarity, np.zeros(400))) == 0.0


@given(arrays(float, 6, elements=st.floats(0, 1)), arrays(float, 6, elements=st.floats(0, 10)))
def test_it_never_falls_with_distance_and_is_never_nothing(similarity, spread):
    found = Difficulty(np.array([0.0, 0.5, 0.3]), 0.05)
    assert (found.of(similarity, spread) >= 0.05).all()
    assert (found.of(similarity * 0.5, spread) >= found.of(similarity, spread)).all()


def test_a_similarity_that_is_not_known_counts_as_none_lacking():
    rises = Difficulty(np.array([0.1, 1.0, 0.0]), 0.01)
    assert rises.of(np.array([np.nan]), np.zeros(1)) == pytest.approx([0.1])


def test_near_and_far_compounds_are_covered_alike():
    """Errors grow tenfold from near to far: one width for all covers far ones too seldom, near ones always."""
    rng = np.random.default_rng(2)
    similarity, none = rng.random(4000), np.zeros(4000)
    residual = rng.normal(size=4000) * (0.1 + 0.9 * (1 - similarity))
    expected = Difficulty.fit(np.abs(residual[:2000]), similarity[:2000], none[:2000]).of(similarity, none)
    learned, asked = slice(0, 2000), slice(2000, None)
    far = similarity[asked] < 0.3

    def covered(scale):
        rule = fit_conformal_interval(residual[learned] / scale[learned], none[learned], 0.9)
        low, high = rule.apply(none[asked])
        return (low * scale[asked] <= residual[asked]) & (residual[asked] <= high * scale[asked])

    plain, scaled = covered(np.ones(4000)), covered(expected)
    assert plain[far].mean() < 0.8
    assert plain[~far].mean() > 0.93
    assert scaled[far].mean() == pytest.approx(0.9, abs=0.03)
    assert scaled[~far].mean() == pytest.approx(0.9, abs=0.03)


def test_bundles_keep_it_and_older_ones_have_one_width():
    found = Difficulty(np.array([0.1, 0.2, 0.3]), 0.05)
    again = Difficulty.load(found.arrays())
    assert again.coefficients.tolist() == [0.1, 0.2, 0.3]
    assert again.least == 0.05
    assert Difficulty.load({}).of(np.array([0.2, 0.9]), np.array([5.0, 0.0])).tolist() == [1.0, 1.0]


def test_errors_without_compounds_are_refused():
    with pytest.raises(InputError, match="one entry for each"):
        Difficulty.fit(np.zeros(0), np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match="one entry for each"):
        Difficulty.fit(np.ones(3), np.ones(2), np.ones(3))
