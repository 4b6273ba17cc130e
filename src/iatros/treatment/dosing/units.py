"""Doses that come in several units, brought to one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iatros.core.errors import RequestError

_AMOUNTS = {
    "kg": ("g", 1e3), "g": ("g", 1.0), "mg": ("g", 1e-3), "ug": ("g", 1e-6), "ng": ("g", 1e-9),
    "mol": ("mol", 1.0), "mmol": ("mol", 1e-3), "umol": ("mol", 1e-6), "nmol": ("mol", 1e-9),
    "iu": ("iu", 1.0), "kiu": ("iu", 1e3), "miu": ("iu", 1e-3), "ml": ("ml", 1.0), "l": ("ml", 1e3),
}  # fmt: skip
_TIMES = {"min": 1.0 / 1440.0, "h": 1.0 / 24.0, "day": 1.0, "week": 7.0}
"""Days."""
_SIZES = ("kg", "m2")
"""What a dose can be for each of: body weight, body surface. Only the patient's own size leads from one to another."""
_NAMES = {
    "mcg": "ug", "microgram": "ug", "micrograms": "ug", "milligram": "mg", "milligrams": "mg", "gram": "g",
    "grams": "g", "u": "iu", "unit": "iu", "units": "iu", "ku": "kiu", "mu": "miu", "litre": "l", "liter": "l",
    "minute": "min", "minutes": "min", "hr": "h", "hour": "h", "hours": "h", "hourly": "h",
    "d": "day", "days": "day", "daily": "day", "wk": "week", "weeks": "week", "weekly": "week", "m²": "m2",
}  # fmt: skip
_BETWEEN = re.compile(r"\s*/\s*|\s+per\s+|\s+(?=(?:daily|weekly|hourly)$)")


class Unit(NamedTuple):
    """What a unit of dose measures: `kind` (an amount, for a size, over time or at once), and how many of that."""

    kind: str
    factor: float


def parse_unit(text: str) -> Unit | None:
    """What `text` measures; None where it is not known.

    >>> parse_unit("mg/day"), parse_unit("mg/kg per day"), parse_unit("tablets/day")
    (Unit(kind='g/day', factor=0.001), Unit(kind='g/kg/day', factor=0.001), None)
    """
    written = text.strip().lower().replace("µ", "u").replace("μ", "u")
    amount, *rest = (_NAMES.get(part, part) for part in _BETWEEN.split(written))
    if amount not in _AMOUNTS:
        return None
    base, number = _AMOUNTS[amount]
    sizes = [part for part in rest if part in _SIZES]
    times = [part for part in rest if part in _TIMES]
    if len(sizes) > 1 or len(times) > 1 or len(sizes) + len(times) < len(rest):
        return None
    for time in times:
        number /= _TIMES[time]
    return Unit("/".join([base, *sizes, *("day" for _ in times)]), number)


def check_unit(unit: str) -> None:
    """RequestError where `unit` is not known: doses in it could not be told from doses in another."""
    if parse_unit(unit) is None:
        raise RequestError(
            f"the unit of dose {unit!r} is not known",
            where="unit",
            hint="write an amount over a time, such as mg/week, mg/day, ug/h, IU/day or mg/kg/day",
        )


def factor(one: str, other: str) -> float | None:
    """What a dose in `one` is multiplied by to be in `other`; None where they do not measure the same.

    >>> factor("mg/day", "mg/week"), factor("ug daily", "mg/day"), factor("mg/kg/day", "mg/day"), factor("mg", "mg/day")
    (7.0, 0.001, None, None)
    """
    a, b = parse_unit(one), parse_unit(other)
    if a is None or b is None or a.kind != b.kind:
        return None
    return float(f"{a.factor / b.factor:.12g}")


def factors(units: Sequence[str | None], unit: str) -> np.ndarray:
    """The factor of each unit to `unit` (n,); nan where there is no unit, or none that leads to it."""
    found = {one: None if one is None else factor(one, unit) for one in set(units)}
    return np.array([np.nan if found[one] is None else found[one] for one in units], dtype=float)
