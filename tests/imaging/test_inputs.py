"""From pixels of any size to the array of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.imaging.inputs import describe_shape, evenly, prepare, resize_plane
from iatros.imaging.schema import ImageRecord, InputSpec

SIDES = st.integers(1, 40)


@st.composite
def pixels(draw: Any, *, slices: bool = False, channels: int = 1) -> np.ndarray:
    kind = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = (channels, *([draw(st.integers(1, 9))] if slices else []), draw(SIDES), draw(SIDES))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.integers(0, np.iinfo(kind).max, size=shape, dtype=kind, endpoint=True)


@settings(max_examples=60, deadline=None)
@given(pixels(channels=3), SIDES, SIDES, st.sampled_from(["pad", "stretch"]))
def test_an_image_has_the_shape_of_the_spec_and_lies_between_0_and_1(
    image: np.ndarray, rows: int, columns: int, fit: Any
) -> None:
    values = prepare(image, InputSpec("image", 3, (rows, columns), fit=fit))
    assert values.shape == (3, rows, columns)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 1 + 1e-6
    # smoothing and padding never brighten: nothing may be whiter than the image's whitest
    assert values.max() <= image.max() / np.iinfo(image.dtype).max + 1e-5


@settings(max_examples=40, deadline=None)
@given(pixels(slices=True), st.integers(1, 7), SIDES, SIDES)
def test_a_volume_has_the_shape_of_the_spec(volume: np.ndarray, slices: int, rows: int, columns: int) -> None:
    values = prepare(volume, InputSpec("volume", 1, (slices, rows, columns)))
    assert values.shape == (1, slices, rows, columns)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= volume.max() / np.iinfo(volume.dtype).max + 1e-5


@settings(max_examples=40, deadline=None)
@given(pixels(slices=True), st.integers(1, 6))
def test_a_series_keeps_its_slices_thinned_to_the_most_allowed(series: np.ndarray, most: int) -> None:
    spec = InputSpec("sequence", 1, (6, 9), max_slices=most)
    values = prepare(series, spec)
    kept = evenly(series.shape[1], most)
    assert values.shape == (min(most, series.shape[1]), 1, 6, 9)
    for place, k in enumerate(kept):
        image = prepare(series[:, k], InputSpec("image", 1, (6, 9)))
        np.testing.assert_array_equal(values[place], image)


def framed(values: np.ndarray) -> tuple[int, int]:
    """Rows and columns of what is not black, given that the image has no black pixel."""
    return int((values[0] > 0).any(axis=1).sum()), int((values[0] > 0).any(axis=0).sum())


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(2, 48), st.integers(2, 48))
def test_padding_keeps_the_proportions_of_the_image(height: int, width: int, rows: int, columns: int) -> None:
    white = np.full((1, height, width), 255, dtype=np.uint8)
    values = prepare(white, InputSpec("image", 1, (rows, columns)))
    inner = framed(values)
    scale = min(rows / height, columns / width)
    # each side is the image's times one common scale, to half a pixel, and one of them fills its axis
    assert abs(inner[0] - max(1.0, height * scale)) <= 0.5 + 1e-9
    assert abs(inner[1] - max(1.0, width * scale)) <= 0.5 + 1e-9
    assert inner[0] == rows or inner[1] == columns
    assert values.sum() == pytest.approx(inner[0] * inner[1], rel=1e-5)


def test_padding_lies_on_both_sides_alike() -> None:
    values = prepare(np.full((1, 4, 12), 255, dtype=np.uint8), InputSpec("image", 1, (12, 12)))
    assert (values[0, 4:8] == 1).all()
    assert (values[0, :4] == 0).all()
    assert (values[0, 8:] == 0).all()


def test_proportions_are_those_in_millimetres_where_pixels_are_not_square() -> None:
    white = np.full((1, 20, 20), 65535, dtype=np.uint16)
    spec = InputSpec("image", 1, (30, 30))
    assert framed(prepare(white, spec)) == (30, 30)
    # 20 rows of 2 mm and 20 columns of 0.5 mm: 40 x 10 mm
    assert framed(prepare(white, spec, spacing_mm=(2.0, 0.5))) == (30, 8)
    series = np.stack([white[0], white[0]])[None]
    sequence = InputSpec("sequence", 1, (30, 30))
    assert framed(prepare(series, sequence, spacing_mm=(7.0, 0.5, 2.0))[1]) == (8, 30)
    assert framed(prepare(series, sequence, spacing_mm=(7.0, 1.0, 1.0))[0]) == (30, 30)


def test_stretching_fills_the_whole_input() -> None:
    white = np.full((1, 5, 30), 255, dtype=np.uint8)
    assert framed(prepare(white, InputSpec("image", 1, (12, 10), fit="stretch"), spacing_mm=(3.0, 1.0))) == (
        12,
        10,
    )


def test_an_image_of_the_right_size_is_only_scaled() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) * 20
    values = prepare(image, InputSpec("image", 1, (3, 4)))
    np.testing.assert_array_equal(values, image.astype(np.float32) / np.float32(255))
    deep = image.astype(np.uint16) * 257
    np.testing.assert_allclose(prepare(deep, InputSpec("image", 1, (3, 4))), values, rtol=1e-6)


def test_shrinking_averages_what_it_joins() -> None:
    """A fine checkerboard becomes grey, not the black or white of every second pixel."""
    board = np.indices((64, 48)).sum(axis=0) % 2
    values = resize_plane(board[None].astype(np.float32), 8, 6)
    np.testing.assert_allclose(values[:, 1:-1, 1:-1], 0.5, atol=0.02)


def test_resizing_neither_turns_nor_mirrors_the_image() -> None:
    image = np.zeros((1, 30, 20), dtype=np.uint8)
    image[0, 0:10, 14:20] = 255
    values = prepare(image, InputSpec("image", 1, (15, 10)))
    assert values[0, 1, 8] == 1
    assert values[0, 1, 1] == values[0, 12, 8] == values[0, 12, 1] == 0
    volume = np.zeros((1, 8, 30, 20), dtype=np.uint8)
    volume[0, :2, 0:10, 14:20] = 255
    found = prepare(volume, InputSpec("volume", 1, (4, 15, 10)))
    assert found[0, 0, 1, 8] > 0.8
    assert found[0, 3].max() == 0
    assert found[0, 0, 12, 1] == 0


@given(st.integers(1, 300), st.integers(1, 64))
def test_slices_are_thinned_evenly_with_both_ends(n: int, most: int) -> None:
    kept = evenly(n, most)
    assert len(kept) == min(n, most)
    assert len(np.unique(kept)) == len(kept)
    assert (np.diff(kept) > 0).all()
    assert kept[0] >= 0
    assert kept[-1] <= n - 1
    if most > 1:
        assert kept[0] == 0
        assert kept[-1] == n - 1
        steps = np.diff(kept)
        assert len(steps) == 0 or np.ptp(steps) <= 1


@pytest.mark.parametrize(
    ("shape", "spec", "said"),
    [
        ((1, 4, 5, 6), InputSpec("image", 1, (5, 6)), "this is a volume, and the model takes single images"),
        ((1, 5, 6), InputSpec("volume", 1, (4, 5, 6)), "this is a single image, and the model takes volumes"),
        ((1, 5, 6), InputSpec("sequence", 1, (5, 6)), "takes series of slices"),
        ((1, 5, 6), InputSpec("image", 3, (5, 6)), "grey image, and the model takes colour"),
        ((3, 5, 6), InputSpec("image", 1, (5, 6)), "colour image, and the model takes grey"),
        ((4, 5, 6), InputSpec("image", 3, (5, 6)), "1 or 3 channels, this one 4"),
    ],
)
def test_an_image_that_does_not_suit_the_model_is_refused(
    shape: tuple[int, ...], spec: InputSpec, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        prepare(np.ones(shape, dtype=np.uint8), spec)


def test_pixels_that_are_no_grey_scale_of_8_or_16_bits_are_refused() -> None:
    with pytest.raises(InputError, match="8 or 16 bits, got float32"):
        prepare(np.ones((1, 5, 6), dtype=np.float32), InputSpec("image", 1, (5, 6)))


def test_a_shape_is_said_in_words() -> None:
    assert describe_shape(ImageRecord("a", "0", (1, 20, 30))) == "1 channel, 20 x 30"
    assert describe_shape(ImageRecord("a", "0", (3, 7, 20, 30))) == "3 channels, 7 slices of 20 x 30"
