"""What a column of activities holds, and which side of a threshold a measurement decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import OutcomeError
from iatros.core.task import Target
from iatros.molecules.curation.endpoints import (
    MANY_LABELS,
    Asked,
    Threshold,
    endpoint_of,
    spell,
    threshold_of,
    trained_endpoint,
)
from iatros.molecules.curation.measuring import MeasurementError
from iatros.molecules.curation.reconciling import Measured
from iatros.molecules.schema import Entry, Measurement

COMPARE = {">=": float.__ge__, ">": float.__gt__, "<=": float.__le__, "<": float.__lt__}
TENTHS = st.integers(-40, 40).map(lambda n: n / 4)


def measured(endpoint, cell):
    return endpoint.measured(Entry(1, activity=cell))[0]


@given(sign=st.sampled_from(sorted(COMPARE)), limit=TENTHS, low=TENTHS, high=TENTHS)
def test_a_class_is_given_only_where_every_value_within_the_bounds_has_it(sign, limit, low, high):
    low, high = min(low, high), max(low, high)
    found = Measured([Measurement(low, "above"), Measurement(high, "below")]).reconciled(None)
    inside = [low + (high - low) * k / 40 for k in range(1, 40)] if low < high else []
    classes = {float(COMPARE[sign](value, limit)) for value in inside}
    decided = Threshold(sign, limit).decides(found)
    if inside:
        assert (decided is not None) == (len(classes) == 1 and not low < limit < high)
        assert decided is None or {decided} == classes


@given(sign=st.sampled_from(sorted(COMPARE)), limit=TENTHS, value=TENTHS)
def test_a_value_is_compared_as_it_is(sign, limit, value):
    found = Measured([Measurement(value)]).reconciled(None)
    assert Threshold(sign, limit).decides(found) == float(COMPARE[sign](value, limit))


def test_a_bound_on_one_side_decides_that_side_alone():
    above = Measured([Measurement(7.0, "above")]).reconciled(None)
    assert [Threshold(">=", limit).decides(above) for limit in (6.0, 7.0, 8.0)] == [1.0, 1.0, None]
    assert [Threshold("<", limit).decides(above) for limit in (6.0, 7.0, 8.0)] == [0.0, 0.0, None]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (">=6.5", Threshold(">=", 6.5)),
        (" < -3e-1 ", Threshold("<", -0.3)),
        ("≥ 6", Threshold(">=", 6.0)),
        ("6.5", None),
        (">= six", None),
        (None, None),
    ],
)
def test_what_a_comparison_is(text, found):
    assert threshold_of(text) == found


@pytest.mark.parametrize(
    ("cell", "spelt"), [(" Active ", "active"), ("1.0", "1"), ("0", "0"), (">5", ">5"), ("1,5", "1,5")]
)
def test_labels_are_spelt_alike(cell, spelt):
    assert spell(cell) == spelt


def test_a_column_is_of_numbers_where_half_of_it_is():
    numbers = endpoint_of("y", ["1.5", "2.5", "3.5", "n.d.", "?", ""], Asked())
    assert numbers.target == Target("y", "continuous")
    with pytest.raises(MeasurementError, match=r"'n\.d\.' is not a number"):
        measured(numbers, "n.d.")
    classes = endpoint_of("y", ["1", "0", "1", "active"], Asked())
    assert classes.target == Target("y", "binary", ("0", "1"))
    with pytest.raises(MeasurementError, match="'active' is neither 0 nor 1"):
        measured(classes, "active")


def test_a_concentration_is_no_class_however_few_there_are():
    assert endpoint_of("y", ["1", "10", "10"], Asked(unit="nM")).target.task == "continuous"
    assert endpoint_of("y", ["0", "1"], Asked(task="continuous")).target.task == "continuous"


def test_bounds_are_numbers_and_no_labels():
    assert endpoint_of("y", [">10", "10", "10"], Asked()).target.task == "continuous"


def test_of_few_numbers_one_can_be_positive_and_text_beside_them_is_still_refused():
    endpoint = endpoint_of("y", ["0", "1", "2", "1"], Asked(positive="2.0"))
    assert endpoint.target.classes == ("not 2", "2")
    assert [measured(endpoint, cell).label for cell in ("2", "1", "0")] == ["1", "0", "0"]
    with pytest.raises(MeasurementError, match="neither"):
        measured(endpoint, "two")
    again = trained_endpoint(endpoint.target, Asked())
    assert [measured(again, cell).label for cell in ("2.0", "7")] == ["1", "0"]
    with pytest.raises(MeasurementError, match="neither"):
        measured(again, "two")


def test_a_value_that_no_cell_has_is_refused_with_those_that_there_are():
    with pytest.raises(OutcomeError, match=r"no compound has the value 'on'; there are 'a' \(2\), 'b' \(1\)"):
        endpoint_of("y", ["b", "a", "a"], Asked(positive="on"))


def test_texts_are_not_shown_where_they_are_no_classes():
    secrets = [f"CC(secret{k})" for k in range(MANY_LABELS + 1)]
    with pytest.raises(OutcomeError, match="is it the right column") as caught:
        endpoint_of("y", secrets, Asked())
    assert "secret" not in str(caught.value)
