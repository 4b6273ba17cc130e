"""When a compound was first seen: years or other numbers, or dates, one kind for a whole column."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from iatros.molecules.curation.measuring import MISSING

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:[T ].*)?")


def read_times(cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The time in each cell (n,), float64 or datetime64[D], missing where there is none; and which cells are no time.

    The column holds numbers where all of its times are numbers, else dates as 2019, 2019-05 or 2019-05-31.

    >>> read_times(["2019-05-31", "", "soon"])[0].astype(str).tolist()
    ['2019-05-31', 'NaT', 'NaT']
    """
    filled = np.array([cell.casefold() not in MISSING for cell in cells], dtype=bool)
    dated = any(
        there and not _NUMBER.fullmatch(cell) and _day(cell)
        for there, cell in zip(filled, cells, strict=True)
    )
    if dated:
        days = np.array([_day(cell) or "NaT" for cell in cells], dtype="datetime64[D]")
        return days, filled & np.isnat(days)
    numbers = np.array(
        [float(cell) if _NUMBER.fullmatch(cell) else np.nan for cell in cells], dtype=np.float64
    )
    return numbers, filled & np.isnan(numbers)


def _day(cell: str) -> str:
    """The day as ISO text, the first of an incomplete one; empty where the cell is no date."""
    found = _DATE.fullmatch(cell)
    if found is None:
        return ""
    day = "-".join((found[1], found[2] or "01", found[3] or "01"))
    try:
        np.datetime64(day, "D")
    except ValueError:
        return ""
    return day
