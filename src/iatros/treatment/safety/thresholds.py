"""Limits such as `egfr < 30 mL/min/1.73m2`, `age < 12 years` or `pregnant`: read, and held against a patient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from iatros.core.errors import InputError
from iatros.treatment.safety.names import folded
from iatros.treatment.safety.units import factor_between, parse_unit

Relation = Literal["<", "<=", ">", ">="]
Bound = Literal["=", "<", ">"]

PREGNANCY_YEARS = (10.0, 60.0)
"""Ages between which a woman of whom nothing is said may be pregnant."""

_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_WRITTEN = re.compile(r"([^<>=]+?)\s*(<=|>=|<|>|=)\s*([^<>=]+)")
_NUMBER_AND_UNIT = r"([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)((?:\s+10[\^*eE]|\s*[^\d\s,.]).*)?"
_NUMBER = re.compile(_NUMBER_AND_UNIT)
_VALUE = re.compile(r"(<=|>=|<|>|=)?\s*" + _NUMBER_AND_UNIT, re.DOTALL)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
EXPECTED = (
    "a limit is written NAME < NUMBER UNIT (or <=, >, >=), such as egfr < 30 mL/min/1.73m2 or age < 12 years, "
    "or it is pregnant, or sex = female"
)


@dataclass(frozen=True)
class Measurement:
    """A value of a patient in a unit (empty for a pure number); `bound` is `<` for what was only found to be less."""

    value: float
    unit: str = ""
    bound: Bound = "="

    def __repr__(self) -> str:
        return "Measurement(...)"


def read_measurement(text: str, unit: str | None = None) -> Measurement:
    """A value as laboratories write it: `25`, `<15`, `>90 mL/min`; `unit` is meant where the text has none.

    ValueError, without the text, where it is no such value.

    >>> read_measurement(">90", "mL/min").bound
    '>'
    """
    found = _VALUE.fullmatch(_signs(text).strip())
    if found is None:
        raise ValueError("is not a number, such as 25, <15 or 25 mL/min")
    sign = (found[1] or "=")[0]
    bound: Bound = "<" if sign == "<" else ">" if sign == ">" else "="
    return Measurement(float(found[2]), (found[3] or "").strip() or unit or "", bound)


@dataclass(frozen=True)
class Limit:
    """A measured value beyond which a rule holds; `name` in one spelling, `unit` empty for a pure number."""

    name: str
    relation: Relation
    value: float
    unit: str
    text: str
    """As it was written."""

    def beyond(self, measured: Measurement) -> bool | None:
        """Whether `measured` is beyond the limit; None where its bound leaves that open.

        InputError, without the value, where its unit cannot be turned into that of the limit.
        """
        factor = factor_between(measured.unit, self.unit, self.name)
        if factor is None:
            raise InputError(
                f"{self.name} is given {_told(measured.unit)}, and the rule is {_in(self.unit)}: neither can be turned "
                "into the other",
                hint=f"give {self.name} {_in(self.unit)}",
            )
        # Ten digits, so that a value at the limit stays there when its unit is another one.
        value = float(f"{measured.value * factor:.10g}")
        limit = self.value
        met = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[
            self.relation
        ]
        if measured.bound == "=":
            return met
        if measured.bound == self.relation[0]:
            return True if met or value == limit else None
        return None if met else False


def _in(unit: str) -> str:
    return f"in {unit}" if unit else "without a unit"


def _told(unit: str) -> str:
    """As `_in`; what is no known unit came from a cell, and may be anything."""
    return _in(unit) if not unit or parse_unit(unit) else "in a unit that is not known"


@dataclass(frozen=True)
class Fact:
    """Something that is so or not: that the patient is pregnant, or of one sex."""

    name: Literal["pregnant", "sex"]
    value: str
    text: str
    """As it was written."""


Threshold = Limit | Fact


def read_threshold(text: str) -> Threshold:
    """The limit in `text`; ValueError says what is expected.

    >>> read_threshold("eGFR < 30 mL/min/1.73m2").text, read_threshold("Pregnancy").text
    ('eGFR < 30 mL/min/1.73m2', 'Pregnancy')
    """
    text = " ".join(_signs(text).split())
    found = _WRITTEN.fullmatch(text)
    name, relation, rest = (found[1], found[2], found[3]) if found else (text, "=", "yes")
    name = folded(name)
    if name in ("pregnant", "pregnancy", "sex") or found is None:
        return _fact(name, relation, folded(rest), text)
    number = _NUMBER.fullmatch(rest)
    if number is None or relation == "=":
        raise ValueError(EXPECTED)
    unit = (number[2] or "").strip()
    if name == "age" and (parse_unit(unit) is None or factor_between(unit, "years") is None):
        raise ValueError("an age needs years, months, weeks or days, such as age < 12 years")
    return Limit(name, relation, float(number[1]), unit, text)  # type: ignore[arg-type]


def _fact(name: str, relation: str, value: str, text: str) -> Fact:
    if name in ("pregnant", "pregnancy") and relation == "=" and value in (*_YES, *_NO):
        return Fact("pregnant", "yes" if value in _YES else "no", text)
    if name == "sex" and relation == "=" and value in ("female", "male"):
        return Fact("sex", value, text)
    raise ValueError(EXPECTED)


def _signs(text: str) -> str:
    for sign, ours in _SIGNS.items():
        text = text.replace(sign, ours)
    return text
