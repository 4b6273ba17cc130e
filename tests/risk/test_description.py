"""Table 1 against values worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.task import Target
from iatros.learners.tabular.reading import read_table
from iatros.risk.description import table_one

FRAME = pl.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, None, 5.0, 7.0, 9.0, 11.0],
        "ward": ["a"] * 6 + ["b", None],
    }
)
Y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
TARGET = Target("died", "binary", ("no", "yes"))


def row(name: str) -> dict:
    return next(entry for entry in table_one(read_table(FRAME), TARGET, Y) if entry["column"] == name)


def test_numbers() -> None:
    size = row("size")
    assert size["missing_percent"] == 12.5
    assert size["overall"]["n"] == 7
    assert size["by_outcome"]["no"]["mean"] == 2.0
    assert size["by_outcome"]["yes"]["median"] == 8.0
    # means 2 and 8, variances 1 and 20/3
    assert size["smd"] == pytest.approx(6 / np.sqrt((1 + 20 / 3) / 2))


def test_categories_hide_small_cells() -> None:
    ward = row("ward")
    assert ward["overall"]["levels"]["a"] == {"n": 6, "percent": 85.7}
    assert ward["overall"]["levels"]["b"] == {"n": None, "percent": None}
    # two levels: p = 0 and 1/3, as for one proportion
    assert ward["smd"] == pytest.approx((1 / 3) / np.sqrt((2 / 9) / 2))


def test_a_continuous_outcome_is_cut_at_its_median_and_has_no_difference() -> None:
    entries = table_one(read_table(FRAME), Target("dose", "continuous"), np.arange(8.0))
    assert list(entries[0]["by_outcome"]) == ["dose at most 3.5", "dose above 3.5"]
    assert entries[0]["smd"] is None
