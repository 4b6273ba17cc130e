"""Visits in places: what is known when a visit is asked about, and what is not."""

from itertools import pairwise

import numpy as np
import pytest

from iatros.core.errors import OutcomeError
from iatros.treatment.sequences.vocabulary import Vocabulary, fit_vocabulary

NAMES = {"diagnosis": ("flu", "rash"), "medication": ("a", "b"), "procedure": ("scan",)}


@pytest.fixture
def encoded(hand):
    return Vocabulary(NAMES, "medication", "current", 1.0).encode(hand)


def bags(pair):
    start, bag = pair
    return [bag[a:b].tolist() for a, b in pairwise(start)]


def test_places_are_kinds_with_an_unknown_code_each_and_medications_last(encoded):
    # diagnosis: 0 unknown, 1 flu, 2 rash; procedure: 3 unknown, 4 scan; medication: 5 unknown, 6 a, 7 b
    assert (encoded.n_other, encoded.n_places, encoded.n_medications) == (5, 8, 2)
    assert bags((encoded.bag_start, encoded.bag)) == [[1, 6, 7], [1, 2, 5], [2, 4], [6]]


def test_of_the_visit_itself_other_codes_are_known_and_of_the_one_before_the_medications(encoded, hand):
    assert bags(encoded.now()) == [[1], [1, 2], [2, 4], []]
    assert bags(encoded.before()) == [[], [1, 2], [], []]
    past = Vocabulary(NAMES, "medication", "past", 1.0).encode(hand)
    assert bags(past.now()) == [[], [], [], []]


def test_what_is_to_be_predicted(encoded):
    assert encoded.targets(np.array([0, 1, 3])).tolist() == [[True, True], [False, False], [True, False]]


def test_the_time_since_the_visit_before(encoded):
    np.testing.assert_allclose(encoded.gap, [0.0, np.log1p(30.0), 0.0, 0.0], rtol=1e-6)


def test_subjects_can_be_taken_twice_and_codes_left_out(encoded):
    taken = encoded.take(np.array([2, 0, 0]))
    assert bags((taken.bag_start, taken.bag)) == [[6], [1, 6, 7], [1, 2, 5], [1, 6, 7], [1, 2, 5]]
    kept = taken.keep(taken.bag != 6)
    assert bags((kept.bag_start, kept.bag)) == [[], [1, 7], [1, 2, 5], [1, 7], [1, 2, 5]]


def test_codes_of_few_subjects_are_unknown_and_only_learned_visits_count(hand):
    every = np.ones(hand.n_visits, dtype=bool)
    found = fit_vocabulary(hand, every, min_subjects=2)
    assert found.names == {"diagnosis": ("rash",), "medication": ("a",), "procedure": ()}
    without_cy = np.array([True, True, True, False])
    with pytest.raises(OutcomeError, match="no medication was given to 2 or more"):
        fit_vocabulary(hand, without_cy, min_subjects=2)
    assert Vocabulary.load(found.document()) == found


def test_the_next_visit_is_added_only_after_one_with_medications(hand):
    opened, added = hand.with_next()
    assert added.tolist() == [True, False, True]
    assert opened.visits == ("1", "2", "next", "7", "4", "next")
    assert opened.prescribed.tolist() == [2, 1, 0, 0, 1, 0]
    assert opened.start.tolist() == [0, 3, 4, 6]
