"""Label maps: read in the voxel order of the image, or refused with the reason."""

from __future__ import annotations

import gzip
import json
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from iatros.core.context import Context
from iatros.core.errors import OutcomeError
from iatros.imaging.schema import Collection, ImageRecord
from iatros.imaging.segmentation.masks import Case, MaskError, aligned, read_mask, structure_names
from iatros.imaging.segmentation.nifti import nifti_bytes
from iatros.imaging.segmentation.study import open_study
from iatros.imaging.sources import open_collection

AFFINE = np.array([[0, 0, -1.0, 9], [0, -0.5, 0, 4], [3.0, 0, 0, -2], [0, 0, 0, 1]])
"""Slices to the head, rows to the back, columns to the left."""


def a_record(
    shape: tuple[int, ...] = (1, 3, 4, 5), *, mask: str = "mask.nii.gz", place: bool = True
) -> ImageRecord:
    affine = tuple(map(tuple, AFFINE.tolist())) if place and len(shape) == 4 else None
    return ImageRecord("image", "0" * 64, shape, affine=affine, mask=mask)


def test_every_order_and_direction_of_axes_is_brought_to_the_image() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (3, 4, 5)).astype(np.uint8)
    seen = 0
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        stored = labels.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        for k, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
            affine[:, k] = AFFINE[:, axis] * sign
            if sign < 0:
                affine[:, 3] += AFFINE[:, axis] * (labels.shape[axis] - 1)
        affine[:, 3] += AFFINE[:, 3]
        affine[3, 3] = 1
        assert (aligned(stored, affine, labels.shape, AFFINE) == labels).all()
        seen += 1
    assert seen == 48


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a + np.array([[0, 0, 0, 1.5], [0] * 4, [0] * 4, [0] * 4]), "1.5 voxels away"),
        (lambda a: a * np.array([1.2, 1, 1, 1]), "voxels away from the image"),
        (lambda a: a @ np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "voxels"),
    ],
    ids=["moved", "other spacing", "rotated"],
)
def test_a_label_map_elsewhere_in_space_is_refused(change: object, said: str) -> None:
    labels = np.zeros((3, 4, 5), dtype=np.uint8)
    with pytest.raises(MaskError, match=said):
        aligned(labels, change(AFFINE), labels.shape, AFFINE)  # type: ignore[operator]


def test_a_label_map_of_another_size_is_refused() -> None:
    with pytest.raises(MaskError, match="3 x 4 x 6 voxels on another grid than the image's 3 x 4 x 5"):
        aligned(np.zeros((3, 4, 6), np.uint8), AFFINE, (3, 4, 5), AFFINE)


def test_nifti_goes_out_on_the_sources_own_grid(tmp_path: Path) -> None:
    source = np.diag([0.8, 1.5, 2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 4, 3), np.float32), source), tmp_path / "image.nii.gz")
    record = open_collection(tmp_path / "image.nii.gz", Context()).records[0]
    labels = np.zeros(record.shape[1:], dtype=np.uint8)
    labels[2, 0, 1] = 2  # top slice, foremost row, second column from the right
    assert record.affine is not None
    written = nifti_bytes(labels, record.affine, source=tmp_path / "image.nii.gz")
    (tmp_path / "out.nii.gz").write_bytes(written)
    found = nibabel.load(tmp_path / "out.nii.gz")
    assert found.affine == pytest.approx(source)
    assert np.argwhere(np.asarray(found.dataobj) == 2).tolist() == [[3, 3, 2]]
    assert written == nifti_bytes(labels, record.affine, source=tmp_path / "image.nii.gz")
    placed = nibabel.Nifti1Image.from_bytes(gzip.decompress(nifti_bytes(labels, record.affine)))
    where = np.argwhere(np.asarray(placed.dataobj) == 2)[0]
    assert placed.affine @ [*where, 1] == pytest.approx(source @ [3, 3, 2, 1])


def write_png(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)


def test_grey_values_are_labels_and_255_alone_is_1(tmp_path: Path) -> None:
    record = a_record((1, 3, 4), mask="m.png")
    values = np.array([[0, 1, 2, 2], [0, 0, 1, 0], [0, 0, 0, 2]], dtype=np.uint8)
    write_png(tmp_path / "m.png", values)
    assert (read_mask(record, tmp_path) == values).all()
    write_png(tmp_path / "m.png", np.where(values == 2, 255, 0).astype(np.uint8))
    assert (read_mask(record, tmp_path) == (values == 2)).all()
    write_png(tmp_path / "m.png", values == 2)
    assert (read_mask(record, tmp_path) == (values == 2)).all()
    write_png(tmp_path / "m.png", np.repeat(values[..., None], 3, axis=2))
    assert (read_mask(record, tmp_path) == values).all()


def test_raster_maps_that_are_no_label_maps_are_refused(tmp_path: Path) -> None:
    record = a_record((1, 3, 4), mask="m.png")
    with pytest.raises(MaskError, match="not there"):
        read_mask(record, tmp_path)
    write_png(tmp_path / "m.png", np.zeros((4, 3), np.uint8))
    with pytest.raises(MaskError, match="4 x 3 pixels, the image 3 x 4"):
        read_mask(record, tmp_path)
    write_png(tmp_path / "m.png", np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    with pytest.raises(MaskError, match="between 0 and 64, the map holds 0 to 220"):
        read_mask(record, tmp_path)
    coloured = np.zeros((3, 4, 3), np.uint8)
    coloured[0, 0] = (255, 0, 0)
    write_png(tmp_path / "m.png", coloured)
    with pytest.raises(MaskError, match="coloured"):
        read_mask(record, tmp_path)
    (tmp_path / "m.png").write_bytes(b"no image")
    with pytest.raises(MaskError, match="cannot be read as an image"):
        read_mask(record, tmp_path)


@pytest.mark.parametrize("value", [1.5, -1.0, np.nan, 200.0])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    values = np.zeros((5, 4, 3), np.float32)
    values[0, 1, 2] = value
    nibabel.save(nibabel.Nifti1Image(values, AFFINE[:, [2, 1, 0, 3]]), tmp_path / "mask.nii.gz")
    with pytest.raises(MaskError, match=r"whole numbers|labels must lie"):
        read_mask(a_record(), tmp_path)


def test_whole_numbers_in_a_float_file_are_labels(tmp_path: Path) -> None:
    values = np.zeros((5, 4, 3), np.float32)
    values[4, 1, 2] = 2
    nibabel.save(nibabel.Nifti1Image(values, AFFINE[:, [2, 1, 0, 3]]), tmp_path / "mask.nii.gz")
    assert np.argwhere(read_mask(a_record(), tmp_path)).tolist() == [[2, 1, 4]]


def test_a_damaged_or_misplaced_nifti_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mask.nii.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(MaskError, match="cannot be read as NIfTI"):
        read_mask(a_record(), tmp_path)
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 4, 3), np.uint8), np.eye(4)), tmp_path / "mask.nii.gz")
    with pytest.raises(MaskError, match="no place in space"):
        read_mask(a_record(place=False), tmp_path)
    with pytest.raises(MaskError, match="shape"):
        read_mask(a_record((1, 4, 5)), tmp_path)


def case_of(*values: int) -> Case:
    return Case(a_record(), np.array(values, dtype=np.uint8).reshape(1, 1, -1))


def test_names_are_given_or_counted_and_none_may_be_missing() -> None:
    cases = [case_of(0, 1), case_of(0, 3)]
    assert structure_names(cases, ()) == ("structure 1", "structure 2", "structure 3")
    assert structure_names(cases, ("a", "b", "c", "d")) == ("a", "b", "c", "d")
    with pytest.raises(OutcomeError, match="the label 3 has no name, names are given for 1 to 2"):
        structure_names(cases, ("a", "b"))
    with pytest.raises(OutcomeError, match="no label map holds a structure"):
        structure_names([case_of(0, 0)], ())


@pytest.mark.parametrize(
    "labels", [{"0": "background", "1": "rear", "2": "front"}, {"background": 0, "front": 2, "rear": 1}]
)
def test_the_names_of_the_decathlon_are_read_either_way_round(
    balls: Path, tmp_path: Path, labels: dict[str, object]
) -> None:
    collection = open_collection(balls, Context())
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).symlink_to(balls / name)
    here = Collection(
        collection.source, collection.records, collection.refused, collection.store, (), str(tmp_path)
    )
    study = open_study(here, (), Context())
    assert study.structures == ("rear", "front")
    assert study.named


def test_images_without_a_usable_label_map_are_refused_by_name(balls: Path) -> None:
    collection = open_collection(balls, Context())
    records = list(collection.records)
    records[3] = ImageRecord(**{**records[3].__dict__, "mask": None})
    records[5] = ImageRecord(**{**records[5].__dict__, "mask": "labelsTr/ball_06.nii.gz"})
    here = Collection(collection.source, tuple(records), (), collection.store, (), collection.root)
    study = open_study(here, ("rear", "front"), Context())
    assert study.n == 8
    assert [one.name for one in study.refused] == [records[3].name, records[5].name]
    assert study.refused[0].reason == "image without label map"
    assert "on another grid" in study.refused[1].reason
    assert study.data()["n_refused"] == 2
    with pytest.raises(OutcomeError, match="no image has a label map"):
        open_study(
            Collection("nifti", (records[3],), (), collection.store, (), collection.root), (), Context()
        )
    with pytest.raises(OutcomeError, match="same name"):
        open_study(here, ("Left lobe", "left-lobe"), Context())
