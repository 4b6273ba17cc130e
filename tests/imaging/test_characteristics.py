"""Patients are counted once, images as they are, and small counts are hidden."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.characteristics import characteristics
from iatros.imaging.schema import ImageRecord


def record(k: int, subject: str, **known: object) -> ImageRecord:
    return ImageRecord(name=f"i{k}", sha256=f"{k:064x}", shape=(1, 9, 7), subject=subject, **known)  # type: ignore[arg-type]


def test_sides_are_described_by_patients_and_images() -> None:
    records = [
        record(k, f"p{k // 3}", age=40.0 + 10 * (k // 3), sex="F" if k < 18 else "M", scanner="Astra")
        for k in range(27)
    ]
    records += [
        record(27 + k, f"q{k}", age=None, sex=None, scanner="Astra" if k < 6 else "Meridian")
        for k in range(8)
    ]
    groups = np.array([k // 3 for k in range(27)] + [100 + k for k in range(8)])
    found = characteristics(records, groups, {"train": np.arange(27), "held_out": np.arange(27, 35)})
    assert found["sides"] == {
        "train": {"n_images": 27, "n_patients": 9},
        "held_out": {"n_images": 8, "n_patients": 8},
    }
    age, sex, scanner = found["rows"]
    assert age["by_side"]["train"]["mean"] == pytest.approx(80.0), "nine patients of 40, 50 ... 120 years"
    assert age["by_side"]["train"]["sd"] == pytest.approx(np.std(np.arange(40, 121, 10), ddof=1))
    assert age["by_side"]["held_out"] == {"mean": None, "sd": None, "n_missing": 8}
    assert sex["by_side"]["train"]["levels"]["F"] == {"n": 6, "percent": pytest.approx(200 / 3)}
    assert sex["by_side"]["train"]["levels"]["M"] == {"n": None, "percent": None}, "three patients"
    assert scanner["levels"] == ["Astra", "Meridian"]
    assert scanner["by_side"]["train"]["levels"] == {"Astra": {"n": 27, "percent": 100.0}}
    assert scanner["by_side"]["held_out"]["levels"]["Meridian"]["n"] is None


def test_what_no_file_tells_has_no_row() -> None:
    found = characteristics([record(0, "a"), record(1, "b")], np.arange(2), {"train": np.arange(2)})
    assert found["rows"] == []
