"""Letters burnt into the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from iatros.imaging.quality.text import DECLARED, Letters, count_letters
from iatros.imaging.simulation import simulate_radiographs


def written(
    image: np.ndarray, words: str, where: tuple[float, float], height: float, fill: int = 255
) -> np.ndarray:
    drawn = Image.fromarray(image)
    size = max(11, int(image.shape[0] * height))
    place = (image.shape[1] * where[1], image.shape[0] * where[0])
    ImageDraw.Draw(drawn).text(place, words, fill=fill, font=ImageFont.load_default(size))
    return np.asarray(drawn)


@pytest.mark.parametrize("size", [256, 512, 1100])
def test_letters_are_counted_in_smooth_images(size: int) -> None:
    image = np.linspace(20, 140, size * size).reshape(size, size).astype(np.uint8)
    assert count_letters(image[None]) == 0
    named = written(image, "DOE JANE 1954", (0.03, 0.02), 0.05)
    assert 8 <= count_letters(named[None]) <= 14
    dark = written(image // 2 + 120, "DOE JANE 1954", (0.9, 0.3), 0.05, fill=0)
    assert 8 <= count_letters(dark[None]) <= 14


def test_wide_bits_and_slices() -> None:
    image = written(np.full((300, 200), 60, dtype=np.uint8), "PORTABLE", (0.1, 0.1), 0.06)
    volume = np.zeros((1, 5, 300, 200), dtype=np.uint16)
    volume[0, 2] = image.astype(np.uint16) * 257
    assert count_letters(volume) == count_letters(image[None]) >= 6


def test_dots_and_lines_are_no_letters() -> None:
    image = np.full((400, 300), 80, dtype=np.uint8)
    image[200, 20:280] = 255
    image[50:350, 150] = 255
    image[np.arange(20, 380, 12), 30] = 255
    assert count_letters(image[None]) == 0


def test_small_images_are_not_searched() -> None:
    assert np.isnan(count_letters(np.zeros((1, 64, 300), dtype=np.uint8)))
    assert Letters.learned(np.array([np.nan, np.nan])).n == 0


def test_what_the_file_declares_is_flagged_whatever_is_seen() -> None:
    letters = Letters.learned(np.zeros(50))
    (found,) = letters.check(float("nan"), (DECLARED,))
    assert (found.code, found.severity, found.value) == ("text", "flag", None)
    assert letters.check(3.0, ()) == []
    assert letters.check(4.0, ())[0].severity == "flag"


def test_where_training_images_are_full_of_text_only_more_is_unusual() -> None:
    letters = Letters.learned(np.r_[np.full(50, 12.0), np.zeros(50)])
    assert letters.usual == 0.5
    assert letters.check(12.0, ()) == []
    assert letters.check(40.0, ()) != []
    assert Letters.load(letters.document()) == letters


def test_simulated_radiographs_hold_no_letters() -> None:
    images = simulate_radiographs(40, 256, seed=2).images
    counts = np.array([count_letters(image[None]) for image in images])
    assert (counts >= 4).sum() == 0


def test_real_radiographs_with_and_without_names(shared_data: Path) -> None:
    """25 of 26 radiographs without burnt-in lines of text are silent; names at the edge are found in 24 of 26."""
    folder = shared_data / "covid_chestxray" / "cc_by"
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    images = [np.asarray(Image.open(path).convert("L")) for path in paths]
    clean = np.array([count_letters(image[None]) for image in images])
    assert (clean >= 4).sum() <= 1
    named = [written(image, "DOE^JANE 1954-03-02", (0.01, 0.01), 0.022) for image in images]
    found = np.array([count_letters(image[None]) for image in named])
    assert (found >= 4).mean() >= 0.95
