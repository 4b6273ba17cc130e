"""From pixels to the network's grid and back."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.imaging.schema import ImageRecord
from iatros.imaging.segmentation.masks import Case
from iatros.imaging.segmentation.plan import Plan, choose_patch, frame, frame_mask, make_plan, scaled

AXIAL = ((0.0, 0.0, -1.0, 0.0), (0.0, -1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def a_record(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None, *, name: str = "a", placed: bool = True
) -> ImageRecord:
    return ImageRecord(name, name * 64, shape, spacing_mm=spacing, affine=AXIAL if placed else None)


def a_plan(**changes: object) -> Plan:
    given = {
        "kind": "volume",
        "channels": 1,
        "structures": ("a", "b"),
        "spacing_mm": (2.0, 1.0, 1.0),
        "patch": (8, 16, 16),
        "normalisation": "image",
    }
    return Plan(**{**given, **changes})  # type: ignore[arg-type]


def test_the_plan_takes_median_spacing_and_median_shape() -> None:
    spacings = [(1.0, 0.5, 0.7), (3.0, 0.9, 0.7), (2.0, 0.7, 0.8)]
    shapes = [(40, 70, 60), (10, 50, 61), (21, 64, 50)]
    cases = [
        Case(a_record((1, *shape), spacing), np.zeros(shape, np.uint8))
        for shape, spacing in zip(shapes, spacings, strict=True)
    ]
    plan = make_plan(cases, lambda record: np.zeros(record.shape, np.uint8), ("a",))
    assert plan.spacing_mm == (2.0, 0.7, 0.7)
    # in those voxels: (20, 50, 60), (15, 64, 61), (21, 64, 57); median (20, 64, 60), then up to eights
    assert plan.patch == (24, 64, 64)
    assert plan.spec.kind == "volume"
    assert plan.n_outputs == 2
    assert Plan.load(plan.document()) == plan


def test_a_spacing_that_one_image_lacks_is_used_for_none() -> None:
    cases = [
        Case(a_record((1, 20, 30), (0.5, 0.5)), np.zeros((20, 30), np.uint8)),
        Case(a_record((1, 26, 30), None), np.zeros((26, 30), np.uint8)),
    ]
    plan = make_plan(cases, lambda record: np.zeros(record.shape, np.uint8), ("a",))
    assert plan.spacing_mm is None
    assert plan.patch == (24, 32)


@pytest.mark.parametrize("shape", [(1, 20, 30), (3, 4, 20, 30)])
def test_kinds_of_images_are_not_mixed(shape: tuple[int, ...]) -> None:
    cases = [Case(a_record((1, 4, 20, 30), None), np.zeros((4, 20, 30), np.uint8))]
    cases.append(Case(a_record(shape, None), np.zeros(shape[1:], np.uint8)))
    with pytest.raises(InputError, match="cannot be segmented by one network"):
        make_plan(cases, lambda record: np.zeros(record.shape, np.uint8), ("a",))


@pytest.mark.parametrize(
    ("shapes", "patch"),
    [
        ([(35, 50, 36), (31, 47, 28), (42, 57, 44)], (40, 56, 40)),
        ([(5, 300, 200)], (5, 176, 176)),
        ([(9, 12)], (16, 16)),
        ([(700, 100)], (624, 104)),
    ],
)
def test_patches_are_of_median_size_unless_that_is_too_much(
    shapes: list[tuple[int, ...]], patch: tuple[int, ...]
) -> None:
    assert choose_patch(shapes) == patch


def test_every_image_gets_mean_0_and_deviation_1_by_channel() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 200, (3, 4, 20, 17)).astype(np.uint8)
    pixels[1] //= 3
    framed = frame(pixels, a_record(pixels.shape, (2.0, 1.0, 1.0)), a_plan(channels=3))
    assert framed.values.dtype == np.float32
    assert framed.values.reshape(3, -1).mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-5)
    assert framed.values.reshape(3, -1).std(axis=1) == pytest.approx(np.ones(3), abs=1e-4)


def test_an_image_of_one_grey_is_refused() -> None:
    pixels = np.full((1, 4, 20, 17), 90, np.uint8)
    with pytest.raises(InputError, match="one grey"):
        frame(pixels, a_record(pixels.shape, (2.0, 1.0, 1.0)), a_plan())


def test_with_a_fixed_window_grey_values_are_those_of_the_structures() -> None:
    mask = np.zeros((4, 20, 16), np.uint8)
    mask[1:3, 5:15, 3:13] = 1
    pixels = np.full((1, 4, 20, 16), 10, np.uint8)
    pixels[0][mask > 0] = np.tile([100, 140], 100)
    case = Case(a_record(pixels.shape, (2.0, 1.0, 1.0)), mask)
    plan = make_plan([case], lambda _: pixels, ("a",), fixed_window=True)
    assert plan.normalisation == "foreground"
    assert plan.mean == pytest.approx((120 / 255,))
    assert plan.std == pytest.approx((20 / 255,))
    assert (plan.low, plan.high) == (pytest.approx((100 / 255,)), pytest.approx((140 / 255,)))
    values = frame(pixels, case.record, plan).values
    # what is darker than any structure is as dark as the darkest of them
    assert np.unique(values.round(4)).tolist() == [-1.0, 1.0]
    assert values[0, 0, 0, 0] == pytest.approx(-1.0)


def test_colour_becomes_grey_for_a_grey_model() -> None:
    pixels = np.zeros((3, 2, 2), np.uint8)
    pixels[:, 0, 1] = (30, 60, 255)
    assert scaled(pixels, 1)[0, 0, 1] == pytest.approx(115 / 255)
    assert scaled(pixels.astype(np.uint16), 3).max() == pytest.approx(255 / 65535)


def test_a_label_map_comes_back_on_the_grid_it_left() -> None:
    # a sagittal volume with other voxels than the network's
    affine = ((4.0, 0.0, 0.0, 5.0), (0.0, 0.0, -0.5, 2.0), (0.0, -0.5, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0))
    shape = (6, 40, 36)
    record = ImageRecord(
        "s", "s" * 64, (1, *shape), spacing_mm=(4.0, 0.5, 0.5), affine=tuple(map(tuple, affine))
    )
    mask = np.zeros(shape, np.uint8)
    mask[1:4, 8:30, 4:20] = 1
    mask[4, 8:30, 20:30] = 2
    plan = a_plan(spacing_mm=(1.0, 1.0, 2.0))
    framed = frame(mask[None] * np.uint8(90), record, plan)
    assert framed.values.shape == (1, 20, 18, 12)
    moved = frame_mask(Case(record, mask), plan)
    assert moved.shape == (20, 18, 12)
    labels, share = framed.restore(np.eye(3, dtype=np.float32)[moved].transpose(3, 0, 1, 2))
    assert labels.shape == share.shape == shape
    assert labels.dtype == np.uint8
    assert (labels == mask).mean() > 0.99
    assert 2 * ((labels == 2) & (mask == 2)).sum() / ((labels == 2).sum() + (mask == 2).sum()) > 0.9


@pytest.mark.parametrize(
    ("shape", "spacing", "said"),
    [
        ((1, 20, 17), (1.0, 1.0), "a single image, and the model takes volumes"),
        ((2, 4, 20, 17), (2.0, 1.0, 1.0), "takes 1 channel"),
        ((1, 4, 20, 17), None, "size of a pixel in mm is not known"),
    ],
)
def test_what_does_not_suit_the_model_is_refused(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        frame(np.arange(np.prod(shape)).reshape(shape).astype(np.uint16), a_record(shape, spacing), a_plan())
