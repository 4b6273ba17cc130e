"""Times of compounds: numbers or dates, one kind for a column."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.molecules.curation.occasions import read_times


def test_years_are_numbers():
    times, wrong = read_times(["2001", "2000.5", "", "n/a", "soon"])
    assert times[:2].tolist() == [2001.0, 2000.5]
    assert np.isnan(times[2:]).all()
    assert wrong.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("cell", ["2019-02-30", "2019-13", "31.05.2019", "19-05-31"])
def test_what_is_no_day_is_told(cell):
    times, wrong = read_times(["2019-05-31", cell])
    assert np.isnat(times[1])
    assert wrong.tolist() == [False, True]


def test_a_year_among_dates_is_its_first_day_and_hours_are_left_out():
    times, wrong = read_times(["2019", "2019-05", "2019-05-31T10:30:00", "?"])
    assert times.astype(str).tolist() == ["2019-01-01", "2019-05-01", "2019-05-31", "NaT"]
    assert not wrong.any()
