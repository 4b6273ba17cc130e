"""Measurements brought to one scale, by hand: 77 nM is -log10(77e-9) = 7.113509."""

from __future__ import annotations

import pytest

from iatros.molecules.curation.measuring import MeasurementError, Scale, measure
from iatros.molecules.schema import Entry, Measurement


def measured(activity, *, relation="", unit="", scale=None):
    return measure(Entry(1, "C", "", activity, relation, unit), scale or Scale(None, per_line=bool(unit)))


@pytest.mark.parametrize(
    ("activity", "unit", "value"),
    [
        ("77", "nM", 7.113509),
        ("0.077", "uM", 7.113509),
        ("0.077", "µM", 7.113509),
        ("0.077", "μm", 7.113509),
        ("7.7e-5", "mM", 7.113509),
        ("7.7e-8", "M", 7.113509),
        ("7.7e-8", "mol/L", 7.113509),
        ("77000", "pM", 7.113509),
        ("77000000", "fM", 7.113509),
        ("7.113509", "pIC50", 7.113509),
        ("7.113509", "pKi", 7.113509),
        ("7.113509", "-log10(M)", 7.113509),
        ("1", "M", 0.0),
    ],
)
def test_units_of_each_line_meet_on_one_scale(activity, unit, value):
    assert measured(activity, unit=unit) == (Measurement(value, "exact"), "")


def test_one_unit_for_all_lines():
    assert measured("10", scale=Scale("uM"))[0] == Measurement(5.0, "exact")
    assert measured("5.25", scale=Scale("p"))[0] == Measurement(5.25, "exact")


def test_no_unit_leaves_the_number_as_it_is():
    assert measured("-3.2")[0] == Measurement(-3.2, "exact")
    assert measured("0", scale=Scale("none"))[0] == Measurement(0.0, "exact")


@pytest.mark.parametrize(
    ("cell", "column", "relation"),
    [
        (">10000", "", "below"),
        ("> 10000", "", "below"),
        (">=10000", "", "below"),
        ("10000", ">", "below"),
        ("10000", "'>'", "below"),
        (">10000", ">=", "below"),
        ("<10000", "", "above"),
        ("10000", "<<", "above"),
        ("=10000", "'='", "exact"),
        ("10000", "nan", "exact"),
    ],
)
def test_a_bound_on_a_concentration_is_the_opposite_bound_on_the_p_scale(cell, column, relation):
    assert measured(cell, relation=column, unit="nM")[0] == Measurement(5.0, relation)


def test_a_bound_on_its_own_scale_stays():
    assert measured("> 4.5", scale=Scale("p"))[0] == Measurement(4.5, "above")
    assert measured("-2", relation="below")[0] == Measurement(-2.0, "below")


def test_about_is_taken_as_exact_and_said():
    found, remark = measured("~50", unit="nM")
    assert found is not None
    assert found.relation == "exact"
    assert remark == "measured about, taken as exact"


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "nan", "-", "None", " "])
def test_an_empty_cell_is_no_measurement(cell):
    assert measured(cell, unit="nM") == (None, "")
    assert measured(cell) == (None, "")


def test_a_class_is_a_label_whatever_it_is():
    assert measured("> active", scale=Scale("class"))[0] == Measurement(None, "exact", "> active")


@pytest.mark.parametrize(
    ("activity", "relation", "unit", "reason"),
    [
        ("inactive", "", "nM", "measurement: 'inactive' is not a number"),
        ("5.1 ± 0.2", "", "nM", "measurement: '5.1 ± 0.2' is not a number"),
        ("0x1F", "", "nM", "measurement: '0x1F' is not a number"),
        ("1_000", "", "nM", "measurement: '1_000' is not a number"),
        ("1,000", "", "nM", "measurement: a number with a comma"),
        ("1e999", "", "nM", "measurement: the number is too large"),
        ("0", "", "nM", "measurement: 0 nM is no concentration"),
        ("-5", "", "nM", "measurement: -5 nM is no concentration"),
        ("5", "about", "nM", "relation: 'about' is none of"),
        (">5", "<", "nM", "relation: the cell says > and the column of relations <"),
        ("5", "", "kg", "unit: 'kg' is none of M, mM, uM"),
        ("5", "", "ug.mL-1", "unit: 'ug.mL-1' is none of"),
        ("5", "", "%", "unit: '%' is none of"),
        ("5", "", "MM", "unit: 'MM' is none of"),
        ("5300", "", "M", "unit: 5300 M is not what an assay can measure"),
        ("5300", "", "pIC50", "unit: 5300 as pIC50 is not what an assay can measure"),
    ],
)
def test_what_cannot_be_used_says_why(activity, relation, unit, reason):
    with pytest.raises(MeasurementError) as raised:
        measured(activity, relation=relation, unit=unit)
    assert str(raised.value).startswith(reason)


def test_a_measurement_without_its_unit():
    with pytest.raises(MeasurementError, match="has a measurement and no unit"):
        measured("5", scale=Scale(None, per_line=True))
