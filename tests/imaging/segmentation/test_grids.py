"""Turning, resampling, and back."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.imaging.segmentation.grids import Turn, canonical, resampled_shape, resize, resize_labels

orders = st.sampled_from(list(permutations(range(3))))
flips = st.sets(st.integers(0, 2)).map(lambda axes: tuple(sorted(axes)))


@settings(max_examples=40, deadline=None)
@given(axes=orders, reversed_axes=flips)
def test_undo_brings_back_what_apply_turned(axes: tuple[int, ...], reversed_axes: tuple[int, ...]) -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    turn = Turn(axes, reversed_axes)
    turned = turn.apply(array)
    assert turned.shape == (2, *(array.shape[1 + axis] for axis in axes))
    assert (turn.undo(turned) == array).all()
    assert (turn.undo(turn.apply(array[0])) == array[0]).all()


def affine_of(directions: dict[int, tuple[float, ...]]) -> tuple[tuple[float, ...], ...]:
    affine = np.eye(4)
    for axis, direction in directions.items():
        affine[:3, axis] = direction
    return tuple(map(tuple, affine.tolist()))


def test_axial_dicom_order_stays_as_it_is() -> None:
    # slices to the head, rows to the back, columns to the left
    affine = affine_of({0: (0, 0, 3.0), 1: (0, -0.7, 0), 2: (-0.7, 0, 0)})
    assert canonical(affine, 3) == Turn((0, 1, 2))


def test_a_sagittal_series_is_turned_into_the_axial_order() -> None:
    # slices to the right (4 mm), rows to the feet, columns to the back
    affine = affine_of({0: (4.0, 0, 0), 1: (0, 0, -1.0), 2: (0, -0.9, 0)})
    turn = canonical(affine, 3)
    assert turn.axes == (1, 2, 0)
    assert turn.reversed_axes == (0, 2)
    assert turn.spacing((4.0, 1.0, 0.9)) == (1.0, 0.9, 4.0)
    volume = np.zeros((3, 5, 7))
    volume[0, 4, 2] = 1  # leftmost slice, lowest row
    assert turn.apply(volume)[0, 2, 2] == 1  # lowest slice, column at the very left of the patient


def test_an_oblique_volume_takes_the_nearest_axes() -> None:
    angle = np.deg2rad(30)
    affine = affine_of(
        {0: (0, -np.sin(angle), np.cos(angle)), 1: (0, -np.cos(angle), -np.sin(angle)), 2: (-1.0, 0, 0)}
    )
    assert canonical(affine, 3) == Turn((0, 1, 2))


def test_nothing_is_turned_without_an_affine_or_in_single_images() -> None:
    assert canonical(None, 3) == Turn((0, 1, 2))
    assert canonical(affine_of({0: (0, 0, -3.0)}), 2) == Turn((0, 1))


def test_resampled_shape_keeps_the_length_in_mm() -> None:
    assert resampled_shape((10, 100, 80), (5.0, 0.5, 0.75), (2.5, 1.0, 0.75)) == (20, 50, 80)
    assert resampled_shape((1, 4), (0.1, 1.0), (9.0, 1.0)) == (1, 4)


def test_a_ramp_stays_a_ramp_between_voxel_centres() -> None:
    ramp = np.arange(6.0)[None, :, None] * np.ones((1, 6, 4))
    finer = resize(ramp, (12, 4), order=1)
    # centres of half voxels: -0.25, 0.25, 0.75 ...; beyond the outermost centres the value stays
    assert finer[0, :, 2] == pytest.approx(np.clip(np.arange(12) / 2 - 0.25, 0, 5))
    assert resize(ramp, (6, 4), order=3) is not None
    assert (resize(ramp, (6, 4), order=3) == ramp).all()


def test_shrinking_does_not_turn_a_fine_pattern_into_a_coarse_one() -> None:
    stripes = (np.arange(60) % 2).astype(float)[None, :, None] * np.ones((1, 60, 3))
    small = resize(stripes, (20, 3), order=1)
    assert np.abs(small[0, 2:-2] - 0.5).max() < 0.25


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 7), st.integers(4, 9), st.integers(3, 8)),
    wanted=st.tuples(st.integers(6, 20), st.integers(8, 20), st.integers(6, 20)),
)
def test_a_label_keeps_its_share_of_the_volume(size: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    labels = np.zeros((12, 14, 13), dtype=np.uint8)
    labels[tuple(slice(2, 2 + s) for s in size)] = 2
    moved = resize_labels(labels, wanted, 3)
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) <= {0, 2}
    share, before = (moved == 2).mean(), (labels == 2).mean()
    # at most half a voxel of the new grid is lost or won at each face
    slack = np.prod([s / n + 1 / w for s, n, w in zip(size, labels.shape, wanted, strict=True)]) - before
    assert abs(share - before) <= slack + 1e-9
