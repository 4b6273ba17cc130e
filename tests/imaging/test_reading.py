"""The action `read` through its door: what is listed, counted and shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iatros.cli.entry import run
from iatros.core.context import Context
from iatros.imaging.reading import read
from iatros.imaging.requests import ReadRequest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "images"
    place.mkdir()
    Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7)).save(place / "a.png")
    (place / "b.dcm").write_text("no image")
    (place / "c.png").write_bytes(b"")
    (place / "d.dcm").write_text("no image either")
    return place


def test_the_result_counts_and_lists(folder: Path) -> None:
    produced = read(ReadRequest(images=folder), Context())
    result = produced.result
    assert (result["source"], result["n_read"], result["n_refused"], result["n_files_read"]) == (
        "folders",
        1,
        3,
        1,
    )
    assert result["reasons"] == {"not a DICOM file, whatever its suffix says": 2, "the file is empty": 1}
    assert result["by_modality"] == {"not said": 1}
    assert result["records"][0]["rows"] == 5
    assert result["cache_bytes"] == 35
    assert result["records"][0]["slices"] is None
    assert result["notes"] == ["1 image or series read from 1 file, 3 refused"]
    assert produced.table is not None
    assert produced.table["status"] == ["read", "refused", "refused", "refused"]
    assert produced.table["reason"][2] == "the file is empty"
    assert {len(column) for column in produced.table.values()} == {4}


def test_reasons_are_on_the_screen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["imaging", "read", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "not a DICOM file, whatever its suffix says" in shown
    assert "1 image or series read from 1 file, 3 refused" in shown
    assert "spacing_mm" not in shown  # empty in every row that is shown


def test_the_window_changes_the_pixels(tmp_path: Path) -> None:
    values = np.arange(35, dtype=np.float32).reshape(5, 7)
    Image.fromarray(values).save(tmp_path / "a.tif")
    hashes = {
        read(ReadRequest(images=tmp_path / "a.tif", window=window), Context()).result["records"][0]["sha256"]
        for window in (None, "10,5")
    }
    assert len(hashes) == 2
