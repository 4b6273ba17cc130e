"""Agreement of masks: cubes and slabs worked out by hand, on voxels that are not cubes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.imaging.segmentation.overlap import agreement, dice, surface_distances


def cuboid(shape: tuple[int, ...], corner: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    return mask


def test_dice_of_shifted_cubes_is_twice_the_common_part() -> None:
    one = cuboid((9, 11, 13), (1, 2, 3), (3, 4, 5))
    other = cuboid((9, 11, 13), (2, 2, 3), (3, 4, 5))  # 2 of 3 slices in common: 40 of 60 voxels
    assert dice(one, other) == pytest.approx(2 * 40 / 120)


def test_distances_of_a_plate_shifted_along_thick_slices() -> None:
    # A plate one voxel thick is all surface; moved by one slice of 3 mm, every voxel is 3 mm away.
    one = cuboid((8, 9, 10), (2, 1, 2), (1, 5, 4))
    other = cuboid((8, 9, 10), (3, 1, 2), (1, 5, 4))
    there, back = surface_distances(one, other, (3.0, 0.5, 0.7))
    assert there.tolist() == [3.0] * 20
    assert back.tolist() == [3.0] * 20


def test_distances_are_told_apart_by_direction_and_spacing() -> None:
    # A row of 4 voxels inside a row of 7 (columns of 0.7 mm): what sticks out is 1 voxel left, 2 right.
    short = cuboid((3, 4, 12), (1, 1, 4), (1, 1, 4))
    long = cuboid((3, 4, 12), (1, 1, 3), (1, 1, 7))
    there, back = surface_distances(short, long, (3.0, 0.5, 0.7))
    assert there.tolist() == [0.0] * 4
    assert sorted(back.tolist()) == pytest.approx([0, 0, 0, 0, 0.7, 0.7, 1.4])
    found = agreement(short, long, (3.0, 0.5, 0.7))
    assert found.surface_distance_mm == pytest.approx(2.8 / 11)
    # the 95th percentile of 7 sorted distances lies 0.7 of the way from the 6th to the 7th
    assert found.hausdorff95_mm == pytest.approx(0.7 + 0.7 * 0.7)
    assert found.surface_dice == pytest.approx(10 / 11)  # 1.4 mm is more than 1 mm
    assert found.volume_ml == pytest.approx(4 * 3.0 * 0.5 * 0.7 / 1000)
    assert found.true_volume_ml == pytest.approx(7 * 3.0 * 0.5 * 0.7 / 1000)


def test_the_inside_of_a_cube_is_no_surface() -> None:
    cube = cuboid((7, 7, 7), (1, 1, 1), (5, 5, 5))
    there, _ = surface_distances(cube, cube, (1.0, 2.0, 3.0))
    assert len(there) == 5**3 - 3**3
    assert there.max() == 0


def test_the_edge_of_the_image_is_a_surface() -> None:
    full = np.ones((3, 4, 5), dtype=bool)
    there, _ = surface_distances(full, full, (1.0, 1.0, 1.0))
    assert len(there) == 60 - 1 * 2 * 3


def test_two_empty_masks_have_no_measure_and_one_empty_mask_has_dice_0() -> None:
    empty, cube = np.zeros((4, 5, 6), dtype=bool), cuboid((4, 5, 6), (1, 1, 1), (2, 2, 2))
    both = agreement(empty, empty, (1.0, 1.0, 2.0))
    assert math.isnan(both.dice)
    assert math.isnan(both.surface_dice)
    for found in (agreement(empty, cube, (1.0, 1.0, 2.0)), agreement(cube, empty, (1.0, 1.0, 2.0))):
        assert found.dice == 0
        assert found.surface_dice == 0
        assert math.isnan(found.surface_distance_mm)
        assert math.isnan(found.hausdorff95_mm)
    assert agreement(cube, empty, (1.0, 1.0, 2.0)).volume_ml == pytest.approx(0.016)
    assert agreement(cube, empty, (1.0, 1.0, 2.0)).true_volume_ml == 0


def test_without_a_spacing_only_dice_is_known() -> None:
    one, other = cuboid((5, 8), (1, 2), (2, 3)), cuboid((5, 8), (1, 3), (2, 3))
    found = agreement(one, other, None)
    assert found.dice == pytest.approx(2 * 4 / 12)
    assert math.isnan(found.surface_distance_mm)
    assert math.isnan(found.volume_ml)


def test_images_have_distances_but_no_volume() -> None:
    one, other = cuboid((6, 9), (2, 1), (1, 3)), cuboid((6, 9), (3, 1), (1, 3))
    found = agreement(one, other, (0.25, 2.0))
    assert found.surface_distance_mm == pytest.approx(0.25)
    assert math.isnan(found.volume_ml)


masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((4, 5, 6)) < 0.3)


@settings(max_examples=40, deadline=None)
@given(one=masks, other=masks)
def test_agreement_does_not_ask_who_is_who_but_for_volumes(one: np.ndarray, other: np.ndarray) -> None:
    spacing = (2.0, 0.6, 1.1)
    found, turned = agreement(one, other, spacing), agreement(other, one, spacing)
    for name in ("dice", "surface_distance_mm", "hausdorff95_mm", "surface_dice"):
        assert getattr(found, name) == pytest.approx(getattr(turned, name), nan_ok=True)
    assert found.volume_ml == turned.true_volume_ml
    assert found.hausdorff95_mm <= np.hypot(np.hypot(3 * 2.0, 4 * 0.6), 5 * 1.1) or math.isnan(
        found.hausdorff95_mm
    )


@settings(max_examples=40, deadline=None)
@given(one=masks, other=masks, before=st.tuples(*[st.integers(0, 3)] * 3))
def test_empty_space_around_changes_nothing(
    one: np.ndarray, other: np.ndarray, before: tuple[int, ...]
) -> None:
    around = [(b, 2) for b in before]
    near = agreement(one, other, (2.0, 0.6, 1.1))
    far = agreement(np.pad(one, around), np.pad(other, around), (2.0, 0.6, 1.1))
    assert near.surface_distance_mm == pytest.approx(far.surface_distance_mm, nan_ok=True)
    assert near.surface_dice == pytest.approx(far.surface_dice, nan_ok=True)
