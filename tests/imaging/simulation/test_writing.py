"""Files of simulated radiographs hold what was simulated."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from iatros.imaging.simulation import COLUMNS, simulate_radiographs, write_npz, write_radiographs


def test_the_folder_holds_images_masks_and_a_manifest(tmp_path: Path) -> None:
    manifest = write_radiographs(tmp_path / "xr", 23, size=24, seed=5)
    found = simulate_radiographs(23, size=24, seed=5)
    with manifest.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 23
    for k, row in enumerate(rows):
        shown = np.asarray(Image.open(manifest.parent / row["path"]))
        np.testing.assert_array_equal(shown, found.images[k])
        assert row["label"] == ("lesion" if found.labels[k] else "clear")
        assert float(row["age"]) == found.patients["age"][k]
        assert bool(row["mask"]) == bool(found.labels[k])
        if row["mask"]:
            mask = np.asarray(Image.open(manifest.parent / row["mask"]))
            np.testing.assert_array_equal(mask == 255, found.masks[k])


def test_the_archive_has_no_subject_on_two_sides(tmp_path: Path) -> None:
    with np.load(write_npz(tmp_path / "xr.npz", 120, size=16, seed=5)) as archive:
        arrays = dict(archive)
    found = simulate_radiographs(120, size=16, seed=5)
    side: dict[str, set[str]] = {}
    for name in ("train", "val", "test"):
        assert arrays[f"{name}_labels"].shape == (len(arrays[f"{name}_images"]), 1)
        for image, label in zip(arrays[f"{name}_images"], arrays[f"{name}_labels"][:, 0], strict=True):
            where = np.flatnonzero((found.images == image).all(axis=(1, 2)))
            assert len(where) == 1
            assert found.labels[where[0]] == label
            side.setdefault(found.patients["subject_id"][where[0]], set()).add(name)
    assert sum(len(arrays[f"{name}_images"]) for name in ("train", "val", "test")) == 120
    assert all(len(names) == 1 for names in side.values())
