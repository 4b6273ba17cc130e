"""NIfTI volumes: orientation and affine against nibabel's own, damage, and the Decathlon's layout."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.sources.reading import opened, reasons

VOLUME = (np.arange(3 * 4 * 5) * 10).reshape(3, 4, 5).astype(np.int16)
"""Left-right, back-front and foot-head of 3, 4 and 5 voxels where the affine is diagonal."""


def saved(path: Path, values: np.ndarray = VOLUME, affine: np.ndarray | None = None) -> Path:
    matrix = np.diag([0.5, 0.7, 2.0, 1.0]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(values, matrix), path)
    return path


def test_slices_run_to_the_head_rows_to_the_back_columns_to_the_left(tmp_path: Path) -> None:
    found = opened(saved(tmp_path / "a.nii.gz"))
    (record,) = found.records
    assert found.source == "nifti"
    assert record.shape == (1, 5, 4, 3)
    assert record.spacing_mm == (2.0, 0.7, 0.5)
    pixels = found.pixels(record)[0]
    # RAS+ voxel (right 2, front 3, head 4) is slice 4, row 0, column 0
    assert pixels[4, 0, 0] == pixels.max() == 65535
    assert pixels[0, 3, 2] == 0
    low, high = np.percentile(VOLUME, [0.5, 99.5])
    assert pixels[1, 1, 2] == pytest.approx(65535 * (VOLUME[0, 2, 1] - low) / (high - low), abs=1)
    assert opened(tmp_path / "a.nii.gz", window="100,201").pixels(
        opened(tmp_path / "a.nii.gz", window="100,201").records[0]
    )[0, 1, 1, 2] == round(65535 * ((VOLUME[0, 2, 1] - 99.5) / 200 + 0.5))


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    tilt=st.floats(-0.4, 0.4),
)
def test_any_orientation_shows_the_same_body(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], signs: tuple[float, ...], tilt: float
) -> None:
    turn = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.eye(3)[:, order] * np.array([0.5, 0.7, 2.0])[order] * signs
    matrix[:3, 3] = [11.0, -7.0, 3.0]
    path = saved(tmp_path_factory.mktemp("n") / "a.nii", VOLUME, matrix)
    found = opened(path)
    (record,) = found.records
    assert record.affine is not None
    placed = np.array(record.affine)
    # slices, rows and columns run to head, back and left: z grows, y and x fall
    assert placed[2, 0] > 0 > placed[1, 1]
    assert placed[0, 2] < 0
    brightest = np.argwhere(found.pixels(record)[0] == 65535)
    where = {tuple(np.round(placed @ [*place, 1], 3)[:3]) for place in brightest}
    assert tuple(np.round(matrix @ [2, 3, 4, 1], 3)[:3]) in where
    assert ("oblique" in record.flags) == (abs(np.cos(tilt)) < 0.9995)


def test_the_decathlons_layout_names_the_label_maps(shared_data: Path) -> None:
    found = opened(shared_data / "msd_hippocampus")
    assert len(found.records) == 60
    assert found.records[0].mask == "labelsTr/hippocampus_001.nii.gz"
    assert all(record.name.startswith("imagesTr/") for record in found.records)


def test_a_plain_folder_of_volumes_has_no_label_maps(tmp_path: Path) -> None:
    saved(tmp_path / "a.nii")
    saved(tmp_path / "b.nii.gz", VOLUME[:, :, :1])
    assert [(r.name, r.shape, r.mask) for r in opened(tmp_path).records] == [
        ("a.nii", (1, 5, 4, 3), None),
        ("b.nii.gz", (1, 4, 3), None),
    ]


def test_bad_volumes(tmp_path: Path) -> None:
    content = saved(tmp_path / "whole.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(content[:-50])
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(content)[:-30])
    (tmp_path / "other.nii.gz").write_bytes(gzip.compress(b"text" * 500))
    (tmp_path / "text.nii").write_text("no volume")
    saved(tmp_path / "time.nii", np.zeros((3, 4, 5, 6), dtype=np.int16))
    flat = bytearray(content)
    flat[312:328] = bytes(16)  # the third row of the affine (srow_z)
    (tmp_path / "flat.nii").write_bytes(bytes(flat))
    huge = bytearray(content)
    huge[40:56] = np.array([3, 30000, 30000, 900, 1, 1, 1, 1], dtype="<i2").tobytes()
    (tmp_path / "huge.nii").write_bytes(bytes(huge))
    found = opened(tmp_path)
    assert [record.name for record in found.records] == ["whole.nii"]
    assert reasons(found) == {
        "cut.nii": "the volume is cut short: 422 of 472 bytes are there",
        "cut.nii.gz": "the NIfTI file is damaged or cut short (EOFError)",
        "flat.nii": "the affine of the volume is no map into space",
        "huge.nii": "too many pixels: 30000 x 30000, 134,217,728 are allowed",
        "other.nii.gz": "a gzip file without a NIfTI volume inside",
        "text.nii": "neither DICOM, NIfTI, PNG, JPEG nor TIFF",
        "time.nii": "several volumes in one file, over time or of several contrasts; split it into one file each: "
        "6 volumes",
    }


def test_what_is_no_number_is_black_and_flagged(tmp_path: Path) -> None:
    values = VOLUME.astype(np.float32)
    values[2, 3, 4] = np.nan
    found = opened(saved(tmp_path / "a.nii", values))
    assert found.records[0].flags == ("values that are not numbers",)
    assert found.pixels(found.records[0])[0, 4, 0, 0] == 0
