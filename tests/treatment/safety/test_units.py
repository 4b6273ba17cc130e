import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.thresholds import Measurement, read_measurement, read_threshold
from iatros.treatment.safety.units import factor_between


# By hand, from molar masses: creatinine 113.12 g/mol, glucose 180.156, bilirubin 584.66, calcium 40.078.
@pytest.mark.parametrize(
    ("one", "other", "laboratory", "factor"),
    [
        ("mg/dL", "umol/L", "creatinine", 88.402),
        ("mmol/L", "mg/dL", "glucose", 18.0156),
        ("mg/dL", "µmol/L", "bilirubin", 17.104),
        ("mEq/L", "mmol/L", "potassium", 1.0),
        ("mEq/L", "mmol/L", "calcium", 0.5),
        ("mg/dL", "mmol/L", "calcium", 0.24951),
        ("g/L", "g/dL", "", 0.1),
        ("ng/mL", "ug/L", "", 1.0),
        ("L/min", "mL/min", "", 1000.0),
        ("mL/min/1.73 m²", "ml/min/1.73m^2", "", 1.0),
        ("mL/s", "mL/min", "", 60.0),
        ("10^9/L", "K/uL", "", 1.0),
        ("cells/uL", "10*9/L", "", 0.001),
        ("ukat/L", "U/L", "", 60.0),
        ("kPa", "mmHg", "", 7.500617),
        ("ms", "s", "", 0.001),
        ("months", "years", "", 1 / 12),
        ("widgets", "Widgets", "", 1.0),
    ],
)
def test_what_can_be_turned_into_each_other(one, other, laboratory, factor):
    assert factor_between(one, other, laboratory) == pytest.approx(factor, rel=1e-4)
    assert factor_between(other, one, laboratory) == pytest.approx(1 / factor, rel=1e-4)


@pytest.mark.parametrize(
    ("one", "other", "laboratory"),
    [
        ("mL/min", "mL/min/1.73m2", "egfr"),
        ("mg/dL", "umol/L", "haemoglobin"),
        ("mg/dL", "U/L", "creatinine"),
        ("", "mmol/L", "potassium"),
        ("", "%", "haematocrit"),
        ("widgets", "gadgets", ""),
        ("mEq/L", "mmol/L", "phosphate"),
    ],
)
def test_what_cannot(one, other, laboratory):
    assert factor_between(one, other, laboratory) is None


@pytest.mark.parametrize(
    ("limit", "value", "met"),
    [
        ("eGFR < 30 mL/min/1.73m2", "29.9", True),
        ("eGFR < 30 mL/min/1.73m2", "30", False),
        ("eGFR < 30 mL/min/1.73m2", "<15", True),
        ("eGFR < 30 mL/min/1.73m2", "<30", True),
        ("eGFR < 30 mL/min/1.73m2", "<60", None),
        ("eGFR < 30 mL/min/1.73m2", ">90", False),
        ("eGFR < 30 mL/min/1.73m2", ">20", None),
        ("eGFR <= 30 mL/min/1.73m2", "30", True),
        ("eGFR ≤ 30 mL/min/1.73m2", ">30", None),
        ("eGFR > 90 mL/min/1.73m2", ">90", True),
        ("eGFR >= 90 mL/min/1.73m2", "<80", False),
        ("eGFR >= 90 mL/min/1.73m2", "<=90", None),
    ],
)
def test_limits_and_values_that_are_only_bounds(limit, value, met):
    assert read_threshold(limit).beyond(read_measurement(value, "mL/min/1.73m2")) is met


def test_a_value_at_the_limit_stays_there_in_another_unit():
    limit = read_threshold("clearance < 30 mL/min")
    assert limit.beyond(read_measurement("0.03 L/min")) is False
    assert read_threshold("clearance <= 30 mL/min").beyond(read_measurement("0.03 L/min")) is True
    assert read_threshold("potassium > 5.5 mEq/L").beyond(Measurement(5.6, "mmol/L")) is True


def test_a_unit_that_cannot_be_turned_is_refused_without_the_value():
    with pytest.raises(InputError) as raised:
        read_threshold("potassium > 5.5 mmol/L").beyond(Measurement(123.456))
    assert "potassium is given without a unit" in str(raised.value)
    assert "123" not in str(raised.value)
    assert "123" not in repr(Measurement(123.456))


@pytest.mark.parametrize(
    "text",
    [
        "egfr",
        "egfr = 30 mL/min",
        "egfr < thirty",
        "< 30",
        "30 < egfr",
        "age < 12",
        "age < 12 mg",
        "sex = x",
        "",
    ],
)
def test_what_is_no_limit_says_what_is_expected(text):
    with pytest.raises(ValueError, match=r"such as|needs years"):
        read_threshold(text)


@pytest.mark.parametrize("text", ["", "high", "1,5", "1 234", "25.", "1.5.2", "12 34 56,7 <", "nan", "inf"])
def test_what_is_no_value(text):
    with pytest.raises(ValueError, match="is not a number") as raised:
        read_measurement(text)
    assert not text or text not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("150 10^9/L", 150.0, "10^9/L"),
        ("1.5e2 x10^9/L", 150.0, "x10^9/L"),
        ("-3mmol/L", -3.0, "mmol/L"),
        ("45 %", 45.0, "%"),
    ],
)
def test_values_with_their_unit(text, value, unit):
    found = read_measurement(text, "mg/dL")
    assert (found.value, found.unit, found.bound) == (value, unit, "=")


def test_what_is_written_as_a_unit_but_is_none_is_not_repeated():
    limit = read_threshold("egfr < 30 mL/min")
    with pytest.raises(InputError, match="in a unit that is not known") as raised:
        limit.beyond(read_measurement("25 as Jane said"))
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize(
    ("told", "pregnant"),
    [
        ({"sex": "male"}, False),
        ({"sex": "female"}, None),
        ({}, None),
        ({"sex": "female", "age_years": 61.0}, False),
        ({"sex": "female", "age_years": 60.0}, None),
        ({"age_years": 9.0}, False),
        ({"sex": "male", "pregnant": True}, True),
        ({"age_years": 70.0, "pregnant": True}, True),
        ({"pregnant": False}, False),
    ],
)
def test_pregnancy_is_asked_of_those_who_may_be(told, pregnant):
    assert Patient(**told).meets(read_threshold("pregnant"), ()) is pregnant
    opposite = None if pregnant is None else not pregnant
    assert Patient(**told).meets(read_threshold("pregnant = no"), ()) is opposite


@given(st.lists(st.sampled_from([True, False, None]), max_size=4))
def test_of_several_values_any_counts(wanted):
    of = {True: "<15", False: ">90", None: "<60"}
    values = tuple(read_measurement(of[one], "mL/min") for one in wanted)
    met = Patient().meets(read_threshold("x < 30 mL/min"), values)
    assert met is (True if True in wanted else None if None in wanted or not wanted else False)


def test_nothing_of_a_patient_is_shown():
    assert repr(Patient(current=("secret",), age_years=44.0)) == "Patient(...)"
