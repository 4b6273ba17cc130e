"""How numbers are written in a report: a true minus sign, a dash where there is none, intervals with "to"."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

NONE = "–"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number (booleans are not)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """`value` with `digits` decimals.

    >>> number(-0.5), number(None), number(1234.5, 1), number(float("inf"))
    ('−0.500', '–', '1,234.5', '∞')
    """
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if not is_number(value):
        return NONE
    written = f"{value:,.{digits}f}"
    if float(written.replace(",", "")) == 0:
        written = written.lstrip("-")
    return written.replace("-", "−")


def rounded(value: Any, figures: int = 3) -> str:
    """`value` with about `figures` significant figures, in powers of ten only where very small or very large.

    >>> rounded(1234.56), rounded(0.01234), rounded(12.0), rounded(3)
    ('1,235', '0.0123', '12', '3')
    """
    if not is_number(value):
        return number(value)
    if value == 0 or (float(value).is_integer() and abs(value) < 1e9):
        return number(value, 0)
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4 or magnitude > 8:
        digits, _, power = f"{value:.{figures - 1}e}".partition("e")
        return f"{digits}e{int(power)}".replace("-", "−")
    written = number(value, max(figures - 1 - magnitude, 0))
    return written.rstrip("0").rstrip(".") if "." in written else written


def percent(fraction: Any, digits: int = 1) -> str:
    """A fraction as a percentage.

    >>> percent(0.1234)
    '12.3%'
    """
    return number(fraction * 100, digits) + "%" if is_number(fraction) else NONE


def count(value: Any) -> str:
    """A whole number with thousands separated, or a dash.

    >>> count(70439)
    '70,439'
    """
    return number(value, 0)


def interval(low: Any, high: Any, digits: int = 3) -> str:
    """`low to high`, or nothing where neither is known.

    >>> interval(0.8, 0.9, 2)
    '0.80 to 0.90'
    """
    if low is None and high is None:
        return ""
    written = f"{number(low, digits)} to {number(high, digits)}"
    return "" if written == f"{NONE} to {NONE}" else written
