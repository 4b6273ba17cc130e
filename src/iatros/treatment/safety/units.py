"""Units of laboratory values: which are one, and how one is turned into another."""

from __future__ import annotations

import re
from typing import NamedTuple

from iatros.treatment.safety.names import folded

MOLAR_MASS = {
    "bilirubin": 584.66,
    "calcium": 40.078,
    "cholesterol": 386.65,
    "creatinine": 113.12,
    "digoxin": 780.94,
    "glucose": 180.156,
    "lithium": 6.94,
    "magnesium": 24.305,
    "potassium": 39.098,
    "sodium": 22.990,
    "urea": 60.06,
    "uric acid": 168.11,
}
"""Grams a mole, for values that are given in grams and in moles (IUPAC atomic weights)."""

CHARGE = {
    "bicarbonate": 1,
    "calcium": 2,
    "chloride": 1,
    "lithium": 1,
    "magnesium": 2,
    "potassium": 1,
    "sodium": 1,
}
"""Equivalents a mole."""

_PREFIX = {"": 1.0, "k": 1e3, "d": 1e-1, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_BASE = {
    **{f"{prefix}{base}": (base, factor) for base in ("g", "mol", "eq", "l") for prefix, factor in _PREFIX.items()},
    **{f"{prefix}iu": ("iu", factor) for prefix, factor in _PREFIX.items() if prefix not in ("d", "f")},
    **{f"{prefix}katal": ("iu", 6e7 * factor) for prefix, factor in _PREFIX.items() if prefix in ("m", "u", "n")},
    **{f"{prefix}second": ("second", factor) for prefix, factor in _PREFIX.items() if prefix in ("", "m")},
    **{f"{prefix}metre": ("metre", factor) for prefix, factor in (("", 1.0), ("c", 1e-2), ("m", 1e-3))},
    "minute": ("second", 60.0),
    "hour": ("second", 3600.0),
    "day": ("day", 1.0),
    "week": ("day", 7.0),
    "month": ("day", 365.25 / 12),
    "year": ("day", 365.25),
    "1.73m2": ("1.73m2", 1.0),
    "mmhg": ("mmhg", 1.0),
    "kpa": ("mmhg", 7.500617),
    "cell": ("cell", 1.0),
    "k": ("cell", 1e3),
    "%": ("share", 1e-2),
    "1": ("share", 1.0),
}  # fmt: skip
_ALSO = {
    "ug": "mcg",
    "umol": "mcmol",
    "ul": "mcl",
    "l": "litre liter",
    "g": "gram",
    "iu": "u",
    "miu": "mu",
    "uiu": "uu",
    "kiu": "ku",
    "nkatal": "nkat",
    "ukatal": "ukat",
    "mkatal": "mkat",
    "second": "s sec seconds",
    "msecond": "ms msec",
    "minute": "min minutes",
    "hour": "h hr hours",
    "day": "d days",
    "week": "weeks wk",
    "month": "mo months",
    "year": "a y yr yrs years",
    "metre": "m",
    "cmetre": "cm",
    "mmetre": "mm",
    "%": "percent",
    "cell": "cells",
}
_NAMES = {other: name for name, others in _ALSO.items() for other in others.split()}
_POWER = re.compile(r"(?:x|×)?\s*10[\^*e]?\s*(\d{1,2})(?=\s*(?:cells?)?\s*/)")
_AREA = re.compile(r"1[.,]73\s*(?:m\s*[\^*]?\s*2|sqm|\[?m2\]?)|\{?1[.,]73[_ ]?m2\}?")


class Unit(NamedTuple):
    """What a unit measures, as a base over others, and how many of these bases it is."""

    kind: str
    factor: float


def same_unit(one: str, other: str, laboratory: str = "") -> bool:
    """Whether values in `one` can be turned into `other`."""
    return factor_between(one, other, laboratory) is not None


def factor_between(one: str, other: str, laboratory: str = "") -> float | None:
    """What a value in `one` is multiplied by to be in `other`; None where it cannot be.

    Grams and moles, and moles and equivalents, are turned into each other for the `laboratory` values of `MOLAR_MASS`
    and `CHARGE` alone. Clearance as it is (mL/min) and for a standard body (mL/min/1.73m2) are not the same.

    >>> round(factor_between("mg/dL", "µmol/L", "creatinine"), 2), factor_between("mL/min", "mL/min/1.73 m²")
    (88.4, None)
    """
    if spelled(one) == spelled(other):
        return 1.0
    a, b = parse_unit(one), parse_unit(other)
    if a is None or b is None:
        return None
    ratio = _between(a.kind, b.kind, folded(laboratory))
    return None if ratio is None else a.factor * ratio / b.factor


def _between(one: str, other: str, laboratory: str) -> float | None:
    """How many bases of kind `other` one base of kind `one` is."""
    if one == other:
        return 1.0
    top, slash, rest = one.partition("/")
    into, other_slash, other_rest = other.partition("/")
    if (slash, rest) != (other_slash, other_rest):
        return None
    moles = {"mol": 1.0}
    if laboratory in MOLAR_MASS:
        moles["g"] = 1.0 / MOLAR_MASS[laboratory]
    if laboratory in CHARGE:
        moles["eq"] = 1.0 / CHARGE[laboratory]
    return moles[top] / moles[into] if top in moles and into in moles else None


def parse_unit(text: str) -> Unit | None:
    """What `text` measures; None where it is not known.

    >>> parse_unit("mg/dL"), parse_unit("10^9/L"), parse_unit("furlong")
    (Unit(kind='g/l', factor=0.01), Unit(kind='cell/l', factor=1000000000.0), None)
    """
    factor = 1.0
    written = spelled(text)
    power = _POWER.match(written)
    if power:
        factor, written = (
            10.0 ** int(power[1]),
            f"cell{written[power.end() :].strip().removeprefix('cells').strip()}",
        )
    elif written.startswith("/"):
        written = f"cell{written}"
    parts = [part.strip() for part in written.split("/")]
    kinds = []
    for place, part in enumerate(parts):
        base = _BASE.get(_NAMES.get(part, part))
        if base is None:
            return None
        kinds.append(base[0])
        factor = factor * base[1] if place == 0 else factor / base[1]
    return Unit("/".join([kinds[0], *sorted(kinds[1:])]), factor)


def spelled(text: str) -> str:
    """A unit in one spelling, such as `ml/min/1.73m2`."""
    written = folded(text).replace("μ", "u").replace("µ", "u")
    written = _AREA.sub("1.73m2", written)
    return re.sub(r"\s*/\s*", "/", re.sub(r"\s+per\s+", "/", written))
