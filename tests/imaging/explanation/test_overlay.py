"""Overlays: where there is no heat the image is untouched, and the colours keep their order in grey."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from iatros.core.errors import InputError
from iatros.imaging.explanation.overlay import (
    contact_sheet,
    enlarged,
    grey_rgb,
    heat_colours,
    overlay_png,
    overlay_rgb,
    plain_png,
    series_png,
)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_image_shines_through_by_the_heat() -> None:
    pixels = np.full((1, 2, 3), 0.4)
    heat = np.array([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]])
    made = overlay_rgb(pixels, heat)
    assert made.shape == (2, 3, 3)
    assert (made[1] == 102).all()
    # a quarter of the grey 102 and three quarters of the hottest colour (240, 228, 66)
    assert made[0, 2].tolist() == [206, 196, 75]


@given(st.floats(0, 0.99), st.floats(0.01, 1))
def test_hotter_is_lighter_for_every_eye(heat: float, more: float) -> None:
    """Luminance (Rec. 709) rises with the heat, so the order needs no colour vision."""
    hotter = min(1.0, heat + more)
    light = [
        colours.astype(float) @ [0.2126, 0.7152, 0.0722] for colours in heat_colours(np.array([heat, hotter]))
    ]
    assert light[1] >= light[0] - 1
    if hotter - heat > 0.05:
        assert light[1] > light[0] + 2


def test_a_small_image_becomes_blocks_and_keeps_its_proportions() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((1, 28, 17)).astype(np.float32)
    shown = decoded(plain_png(pixels))
    assert shown.shape == (224, 136, 3)
    np.testing.assert_array_equal(shown[::8, ::8, 0], np.round(255 * pixels[0]))
    assert (shown.reshape(28, 8, 17, 8, 3) == shown[::8, ::8][:, None, :, None]).all()


def test_a_large_image_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).random((3, 301, 222)).astype(np.float32)
    assert decoded(plain_png(pixels)).shape == (301, 222, 3)
    np.testing.assert_array_equal(decoded(plain_png(pixels)), grey_rgb(pixels))


def test_heat_is_smooth_over_the_blocks() -> None:
    heat = np.zeros((20, 14))
    heat[3, 11] = 1.0
    made = decoded(overlay_png(np.zeros((1, 20, 14)), heat))
    assert made.shape == (220, 154, 3)
    hottest = np.unravel_index(made.sum(axis=2).argmax(), made.shape[:2])
    assert (hottest[0] // 11, hottest[1] // 11) == (3, 11)
    assert (made[110:, :77] == 0).all()
    assert len(np.unique(made.reshape(-1, 3), axis=0)) > 20


def test_the_same_picture_is_the_same_bytes() -> None:
    pixels, heat = np.random.default_rng(1).random((2, 1, 9, 12))
    assert overlay_png(pixels, heat[0]) == overlay_png(pixels, heat[0])


def test_a_contact_sheet_goes_row_by_row() -> None:
    tiles = [np.full((3, 5, 3), 10 * k, dtype=np.uint8) for k in range(1, 6)]
    sheet = contact_sheet(tiles, columns=3)
    assert sheet.shape == (3 + 4 + 3, 5 * 3 + 4 * 2, 3)
    assert [sheet[0, left, 0] for left in (0, 9, 18)] == [10, 20, 30]
    assert [sheet[7, left, 0] for left in (0, 9, 18)] == [40, 50, 255]
    assert contact_sheet(tiles[:2], columns=3).shape == (3, 14, 3)


def test_a_series_shows_the_slices_asked_for() -> None:
    slices = np.linspace(0, 1, 6)[:, None, None, None] * np.ones((6, 1, 8, 6))
    shown = decoded(series_png(slices, np.zeros((6, 8, 6)), [4, 1], least_side=8))
    assert shown.shape == (8, 16, 3)
    assert (shown[0, 0, 0], shown[0, 15, 0]) == (204, 51)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="heat map has the shape"):
        overlay_rgb(np.zeros((1, 4, 5)), np.zeros((5, 4)))
    with pytest.raises(InputError, match="1 or 3"):
        plain_png(np.zeros((2, 4, 5)))
    with pytest.raises(InputError, match="one size"):
        contact_sheet([])
    with pytest.raises(InputError, match="one size"):
        contact_sheet([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)])


def test_enlarging_interpolates_below_four_times() -> None:
    ramp = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (1, 80, 1))
    made = enlarged(ramp)
    assert made.shape == (1, 160, 200)
    assert (np.diff(made[0, 0]) > 0).sum() > 150
