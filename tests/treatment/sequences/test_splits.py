"""Sides of visits: subjects stay whole, later means later."""

import numpy as np
import pytest

from iatros.core.errors import SplitError
from iatros.treatment.sequences.simulation import simulate_visits
from iatros.treatment.sequences.sources import Columns, read_histories
from iatros.treatment.sequences.splits import asked, cut


def test_no_subject_stands_on_two_sides(small):
    histories = small[0]
    rows = asked(histories)
    judged, final = cut(histories, rows, "cross-validation", n_folds=4, seed=2)
    held = np.concatenate([sides.held_out for sides in judged])
    np.testing.assert_array_equal(np.sort(held), rows)
    assert len(final.held_out) == 0
    for sides in [*judged, final]:
        owners = [set(histories.owner[side]) for side in sides.named().values()]
        assert sum(len(one) for one in owners) == len(set().union(*owners))
        assert sum(len(side) for side in sides.named().values()) == len(rows)
        assert min(len(set(histories.owner[side])) for side in (sides.tuning, sides.calibration)) >= 10


def test_the_model_that_is_kept_is_the_one_that_was_judged(small):
    judged, final = cut(small[0], asked(small[0]), "held-out")
    assert judged[0] is final


def test_by_time_those_first_seen_last_are_held_out():
    rows = simulate_visits(120, seed=0).rows
    for row in rows:
        row["day"] += 4000 * int(row["subject_id"][1:])
    histories = read_histories(rows, Columns(visit="visit", time="day")).histories
    (sides,), _ = cut(histories, asked(histories), "time", fraction=0.25)
    held = set(histories.owner[sides.held_out])
    assert len(held) == 30
    assert min(held) > max(histories.owner[sides.train])
    learned = np.concatenate([sides.train, sides.tuning, sides.calibration])
    assert histories.time[learned].max() < histories.time[sides.held_out].min()


def test_visits_with_too_little_before_them_are_not_asked_about(small):
    histories = small[0]
    rows = asked(histories, min_history=2)
    assert histories.place[rows].min() == 2
    assert histories.prescribed[rows].min() > 0


def test_too_few_subjects_are_refused():
    histories = read_histories(simulate_visits(30, seed=0).rows, Columns(visit="visit", time="day")).histories
    with pytest.raises(SplitError, match="24 subjects are too few"):
        cut(histories, asked(histories), "held-out")
