"""A measurement as it stands in a file, brought to one scale: concentrations to minus log10 of mol/L."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from iatros.molecules.schema import Entry, Measurement

MOLAR = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "fm": 1e-15}
"""Units of concentration in mol/L, spelt in lower case; only `MM` and `Mm` are ambiguous and refused."""
P_UNITS = frozenset(
    (
        "p",
        "pic50",
        "pki",
        "pkd",
        "pec50",
        "pac50",
        "pxc50",
        "pchembl",
        "-log10(m)",
        "-log(m)",
        "-logm",
        "log(1/m)",
    )
)
P_RANGE = (-2.0, 16.0)
"""What minus log10 of a measured concentration in mol/L can be: from 100 mol/L to 0.1 femtomol/L."""

MISSING = frozenset(("", "na", "n/a", "nan", "none", "null", "-", "missing", "?"))
"""What a cell says, in lower case, where nothing was measured."""
_RELATIONS = {
    "": "exact",
    "=": "exact",
    "==": "exact",
    "~": "exact",
    "≈": "exact",
    ">": "above",
    ">=": "above",
    ">>": "above",
    "≥": "above",
    "<": "below",
    "<=": "below",
    "<<": "below",
    "≤": "below",
    "exact": "exact",
    "above": "above",
    "below": "below",
}
_SIGNS = sorted((sign for sign in _RELATIONS if sign and not sign.isalpha()), key=len, reverse=True)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_OPPOSITE = {"above": "below", "below": "above", "exact": "exact"}


@dataclass(frozen=True)
class Scale:
    """How the measurements of a file are to be read: one `unit` for all, or the unit of each line."""

    unit: str | None
    per_line: bool = False

    @property
    def is_class(self) -> bool:
        """Whether the measurements are labels."""
        return self.unit == "class"

    @property
    def is_p(self) -> bool:
        """Whether the result is minus log10 of mol/L."""
        return self.per_line or self.unit not in (None, "none", "class")


class MeasurementError(ValueError):
    """A measurement that cannot be used; the words are the reason."""


def measure(entry: Entry, scale: Scale) -> tuple[Measurement | None, str]:
    """The measurement of `entry` on the scale of the result, and a remark; None where the cell is empty.

    MeasurementError with its reason for text, a number that no assay can give, an unknown relation or unit.
    """
    cell = entry.activity.strip()
    if cell.casefold() in MISSING:
        return None, ""
    if scale.is_class:
        return Measurement(None, "exact", cell), ""
    sign, relation, remark = _relation(cell, entry.relation)
    number = _number(cell[len(sign) :].strip())
    if not scale.is_p:
        return Measurement(number, relation), remark
    unit = entry.unit if scale.per_line else scale.unit or ""
    factor = _factor(unit)
    if factor is None:
        return Measurement(_in_range(number, f"{number:g} as {unit}"), relation), remark
    if number <= 0:
        raise MeasurementError(f"measurement: {number:g} {unit} is no concentration, which lies above 0")
    # In the sixth decimal all assays agree; beyond it 10 uM and 10000 nM would differ.
    value = _in_range(round(-math.log10(number * factor), 6), f"{number:g} {unit}")
    return Measurement(value, _OPPOSITE[relation]), remark


def is_number(cell: str) -> bool:
    """Whether `cell` is meant as a number, with a sign such as > in front or without."""
    sign = next((s for s in _SIGNS if cell.startswith(s)), "")
    return bool(_NUMBER.fullmatch(cell[len(sign) :].strip().replace(",", ".")))


def _relation(cell: str, column: str) -> tuple[str, str, str]:
    """The sign in front of the number, what it or the column of relations says, and a remark."""
    sign = next((s for s in _SIGNS if cell.startswith(s)), "")
    said = column.strip().strip("'\"").strip()
    if said.casefold() in MISSING:
        said = ""
    if said not in _RELATIONS:
        raise MeasurementError(f"relation: {_shown(said)} is none of =, >, <, >=, <=, ~")
    if sign and said and _RELATIONS[sign] != _RELATIONS[said]:
        raise MeasurementError(f"relation: the cell says {sign} and the column of relations {said}")
    about = "measured about, taken as exact" if "~" in (sign, said) or "≈" in (sign, said) else ""
    return sign, _RELATIONS[sign or said], about


def _number(text: str) -> float:
    if "," in text:
        raise MeasurementError(
            "measurement: a number with a comma can mean two things; write it with a point"
        )
    if not _NUMBER.fullmatch(text):
        raise MeasurementError(f"measurement: {_shown(text)} is not a number")
    number = float(text)
    if not math.isfinite(number):
        raise MeasurementError("measurement: the number is too large")
    return number


def _factor(unit: str) -> float | None:
    """What one unit is in mol/L; None for a unit that is already minus log10 of mol/L."""
    spelt = unit.strip().replace("µ", "u").replace("μ", "u").replace("mol/L", "M").replace("mol/l", "M")
    known = spelt.casefold()
    if known in P_UNITS:
        return None
    if known not in MOLAR or spelt in ("MM", "Mm"):
        if not spelt:
            raise MeasurementError("unit: the line has a measurement and no unit")
        raise MeasurementError(f"unit: {_shown(unit.strip())} is none of M, mM, uM, nM, pM, fM, pIC50")
    return MOLAR[known]


def _in_range(value: float, said: str) -> float:
    low, high = P_RANGE
    if not low <= value <= high:
        raise MeasurementError(f"unit: {said} is not what an assay can measure; is the unit right?")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
