"""Patients and scanners on each side, as a plain table: CLAIM asks for them by partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iatros.core.intervals import finite
from iatros.imaging.cohort import ages, column
from iatros.imaging.schema import ImageRecord

_OF_IMAGES = {
    "site": "Site",
    "modality": "Modality",
    "body_part": "Part of the body",
    "manufacturer": "Manufacturer",
    "scanner": "Scanner",
}
_HIDDEN = 5
"""Counts of patients below this are not told."""


def characteristics(
    records: Sequence[ImageRecord], groups: np.ndarray, sides: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Age and sex of the patients, and what made the images, by side.

    `groups` (n,) is the patient of each record, `sides` the rows of each side. Gives `sides` (`n_images`,
    `n_patients`) and `rows`: `name`, `kind` (numeric or categories), `levels`, and `by_side` with `mean` and `sd`, or
    `levels` (`n`, `percent` of the known), and `n_missing`. What no record tells has no row.
    """
    firsts = {side: rows[np.unique(groups[rows], return_index=True)[1]] for side, rows in sides.items()}
    found = []
    years = ages(records)
    if np.isfinite(years).any():
        by_side = {side: _numeric(years[rows]) for side, rows in firsts.items()}
        found.append({"name": "Age, years", "kind": "numeric", "by_side": by_side})
    sexes = column(records, "sex")
    if sexes is not None:
        found.append(_categories("Sex", sexes, firsts))
    for name, words in _OF_IMAGES.items():
        values = column(records, name)
        if values is not None:
            found.append(_categories(words, values, sides))
    return {
        "sides": {
            side: {"n_images": len(rows), "n_patients": len(firsts[side])} for side, rows in sides.items()
        },
        "rows": found,
    }


def _numeric(values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    return {
        "mean": finite(float(known.mean())) if len(known) else None,
        "sd": finite(float(known.std(ddof=1))) if len(known) > 1 else None,
        "n_missing": len(values) - len(known),
    }


def _categories(name: str, values: np.ndarray, sides: Mapping[str, np.ndarray]) -> dict[str, Any]:
    every = np.array([value for value in values if value is not None], dtype=str)
    levels, counts = np.unique(every, return_counts=True)
    ordered = [str(level) for level in levels[np.lexsort((levels, -counts))]]
    by_side = {side: _counted(values[rows], ordered) for side, rows in sides.items()}
    return {"name": name, "kind": "categories", "levels": ordered, "by_side": by_side}


def _counted(values: np.ndarray, levels: Sequence[str]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    counts = {level: sum(value == level for value in known) for level in levels}
    return {
        "levels": {
            level: {"n": n, "percent": 100 * n / len(known)} if n >= _HIDDEN else {"n": None, "percent": None}
            for level, n in counts.items()
            if n
        },
        "n_missing": len(values) - len(known),
    }
