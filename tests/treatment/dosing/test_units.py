"""Units of dose: what leads to what, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import RequestError
from iatros.treatment.dosing.units import check_unit, factor, factors

AMOUNTS = ("kg", "g", "mg", "ug", "ng", "mcg", "micrograms")
TIMES = ("min", "h", "hour", "day", "d", "daily", "week", "wk")


@pytest.mark.parametrize(
    ("one", "other", "times"),
    [
        ("mg/day", "mg/week", 7.0),
        ("mg/week", "mg/day", 1 / 7),
        ("ug/h", "mg/day", 0.024),  # 24 hours, a thousandth
        ("g/d", "mg/week", 7000.0),
        ("mg per day", "MG / Week", 7.0),
        ("µg daily", "mg/day", 0.001),
        ("mg/kg/day", "ug/kg/min", 1000 / 1440),
        ("mg/m²/week", "mg/m2/day", 1 / 7),
        ("IU/day", "kIU/week", 0.007),
        ("mg", "g", 0.001),
    ],
)
def test_a_unit_leads_to_another_that_measures_the_same(one: str, other: str, times: float) -> None:
    assert factor(one, other) == pytest.approx(times, rel=1e-11)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mg", "mg/day"),
        ("mg/kg/day", "mg/day"),
        ("IU/day", "mg/day"),
        ("mmol/day", "mg/day"),
        ("tablets/day", "mg/day"),
        ("mg/day", "mg/day/day"),
        ("mg/m2/day", "mg/kg/day"),
        ("", "mg/day"),
    ],
)
def test_what_measures_something_else_leads_nowhere(one: str, other: str) -> None:
    assert factor(one, other) is None


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(AMOUNTS), st.sampled_from(TIMES), st.sampled_from(AMOUNTS), st.sampled_from(TIMES))
def test_there_and_back_is_where_it_began(a: str, at: str, b: str, bt: str) -> None:
    one, other = f"{a}/{at}", f"{b}/{bt}"
    there, back = factor(one, other), factor(other, one)
    assert there is not None
    assert back is not None
    assert there * back == pytest.approx(1.0, rel=1e-9)


def test_lines_without_a_unit_have_no_factor() -> None:
    found = factors(["mg/day", None, "drops/day", "mg/week"], "mg/week")
    np.testing.assert_array_equal(found, [7.0, np.nan, np.nan, 1.0])


def test_an_unknown_unit_is_refused_with_examples() -> None:
    check_unit("mg/week")
    with pytest.raises(RequestError, match=r"'pills a day' is not known.*mg/week"):
        check_unit("pills a day")
