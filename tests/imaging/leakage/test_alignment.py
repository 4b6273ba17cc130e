"""Laying one picture over another, and how alike they then are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from iatros.imaging.leakage.alignment import likeness, place
from iatros.imaging.leakage.thumbnails import SIDES, pyramid


def texture(n: int, seed: int, side: int = 64) -> np.ndarray:
    """Unlike pictures with detail at several scales, 0 to 255."""
    noise = np.random.default_rng(seed).normal(size=(n, side, side))
    mixed = sum(gaussian_filter(noise, (0, w, w)) * w for w in (1.5, 3.0, 6.0))
    return np.clip(128 + 90 * mixed / mixed.std(), 0, 255).astype(np.float32)  # type: ignore[union-attr]


def warped(picture: np.ndarray, shift: tuple[float, float], stretch: tuple[float, float]) -> np.ndarray:
    """The part of `picture` that lies at `shift` and `stretch`, both in halves of the picture."""
    side = len(picture)
    at = (np.arange(side) + 0.5) / side * 2 - 1
    rows = ((at * (1 + stretch[0]) + shift[0] + 1) / 2) * side - 0.5
    columns = ((at * (1 + stretch[1]) + shift[1] + 1) / 2) * side - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(map_coordinates(picture, grid, order=1, mode="nearest"), dtype=np.float32)


def placed(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, float]:
    one, two = pyramid(first[None]), pyramid(second[None])
    row = np.array([0])
    where = np.zeros((1, 4), dtype=np.float32)
    for side in SIDES:
        where = place(one[side], two[side], row, row, where)
    return where[0], float(likeness(one[64], two[64], row, row, where)[0])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.tuples(st.floats(-0.06, 0.06), st.floats(-0.06, 0.06)),
    st.tuples(st.floats(-0.12, 0.0), st.floats(-0.12, 0.0)),
    st.integers(0, 5),
)
def test_a_crop_is_found_where_it_was_cut(
    shift: tuple[float, float], stretch: tuple[float, float], seed: int
) -> None:
    picture = texture(1, seed)[0]
    where, alike = placed(warped(picture, shift, stretch), picture)
    # order of the four numbers: shift and stretch along rows, then along columns; 1 / 32 is a pixel
    assert where == pytest.approx([shift[0], stretch[0], shift[1], stretch[1]], abs=0.02)
    assert alike > 0.93


def test_different_pictures_are_not_alike_however_they_are_laid() -> None:
    pictures = pyramid(texture(40, seed=1))
    one, two = np.triu_indices(40, 1)
    where = np.zeros((len(one), 4), dtype=np.float32)
    for side in SIDES:
        where = place(pictures[side], pictures[side], one, two, where)
    alike = likeness(pictures[64], pictures[64], one, two, where)
    assert len(alike) == 780
    assert alike.max() < 0.55


def test_brightness_contrast_and_a_mark_do_not_count() -> None:
    picture = texture(1, seed=2)[0]
    other = np.clip(0.6 * picture + 20, 0, 255)
    other[5:12, 30:55] = 255.0
    assert placed(picture, other)[1] > 0.95


def test_empty_pictures_are_alike_to_nothing() -> None:
    blank = np.full((64, 64), 90, dtype=np.float32)
    assert placed(blank, blank)[1] == 0.0
