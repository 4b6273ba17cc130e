from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from iatros.molecules.curation.reconciling import Measured, Reconciled
from iatros.molecules.schema import Measurement


def of(*measurements, max_spread=1.0):
    made = [m if isinstance(m, tuple) else (m, "exact") for m in measurements]
    return Measured(Measurement(*m) for m in made).reconciled(max_spread)


def test_one_measurement_is_itself():
    assert of(5.2) == Reconciled(5.2, "exact", "", 5.2, 5.2, None, 1, 0, "")


def test_replicates_give_their_median_with_range_and_spread():
    assert of(6.0, 5.0, 5.4) == Reconciled(5.4, "exact", "", 5.0, 6.0, 1.0, 3, 0, "")
    assert of(5.0, 5.5).value == 5.25


def test_replicates_that_lie_too_far_apart_conflict_and_keep_their_median():
    found = of(5.0, 5.25, 8.0)
    assert (found.value, found.conflict) == (5.25, "measurements differ by 3")
    assert of(5.0, 8.0, max_spread=None).conflict == ""
    assert of(5.0, 5.2, max_spread=0.0).conflict == "measurements differ by 0.2"


def test_bounds_alone_give_the_tightest():
    assert of((5.0, "below"), (4.5, "below")) == Reconciled(4.5, "below", "", None, 4.5, None, 0, 2, "")
    assert of((7.0, "above"), (8.5, "above")) == Reconciled(8.5, "above", "", 8.5, None, None, 0, 2, "")


def test_two_sided_bounds_are_an_interval():
    assert of((5.0, "above"), (6.5, "below")) == Reconciled(5.75, "between", "", 5.0, 6.5, None, 0, 2, "")


def test_bounds_that_exclude_each_other_leave_no_measurement():
    found = of((7.0, "above"), (5.0, "below"))
    assert (found.value, found.relation) == (None, "")
    assert found.conflict == "the bounds exclude each other: above 7 and below 5"


def test_an_exact_measurement_wins_over_a_bound_and_is_checked_against_it():
    assert of(4.8, (5.0, "below")) == Reconciled(4.8, "exact", "", 4.8, 4.8, None, 1, 1, "")
    assert of(5.9, (5.0, "below")).conflict == ""  # within the spread that assays have
    assert of(6.2, (5.0, "below")).conflict == "the median 6.2 lies above the bound 5"
    assert of(6.2, (8.0, "above")).conflict == "the median 6.2 lies below the bound 8"


def test_classes_go_by_majority_and_a_tie_leaves_none():
    labels = [Measurement(None, "exact", label) for label in ("1", "0", "1")]
    assert Measured(labels).reconciled(None)[:3] == (None, "exact", "1")
    assert Measured(labels).reconciled(None).conflict == "classes differ: 0 in 1, 1 in 2"
    assert Measured(labels[:1]).reconciled(None).conflict == ""
    tied = Measured(labels[:2]).reconciled(None)
    assert (tied.relation, tied.label, tied.n_exact) == ("", "", 2)


def test_nothing_is_nothing():
    assert of() == Reconciled()


VALUES = st.lists(
    st.tuples(st.integers(-20, 160).map(lambda n: n / 10), st.sampled_from(["exact", "above", "below"])),
    min_size=1,
    max_size=7,
)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_measurements_does_not_matter(made, random):
    shuffled = random.sample(made, len(made))
    assert of(*made) == of(*shuffled)


@given(VALUES)
def test_exact_measurements_give_the_median_of_the_exact_ones(made):
    exact = [value for value, relation in made if relation == "exact"]
    found = of(*made)
    assert (found.n_exact, found.n_censored) == (len(exact), len(made) - len(exact))
    if exact:
        # the middle of two tenths is not a sum of powers of two: what is kept has twelve figures
        assert (found.value, found.relation) == (round(statistics.median(exact), 10), "exact")
