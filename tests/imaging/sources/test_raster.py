"""PNG, JPEG and TIFF with known pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.imaging.sources.reading import opened, reasons

GREY = np.array([[0, 17, 255, 3], [9, 90, 200, 128]], dtype=np.uint8)


def pixels(folder: Path, name: str, **asked: str) -> np.ndarray:
    found = opened(folder / name, **asked)
    assert found.refused == ()
    return found.pixels(found.records[0])


def test_grey_of_8_and_16_bits_stays_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "8.png")
    Image.fromarray(GREY.astype(np.uint16) * 250).save(tmp_path / "16.png")
    Image.fromarray(GREY.astype(np.uint16) * 250).save(tmp_path / "16.tif")
    assert pixels(tmp_path, "8.png").dtype == np.uint8
    assert np.array_equal(pixels(tmp_path, "8.png")[0], GREY)
    for name in ("16.png", "16.tif"):
        assert pixels(tmp_path, name).dtype == np.uint16
        assert np.array_equal(pixels(tmp_path, name)[0], GREY.astype(np.uint16) * 250)


def test_colour_has_three_channels_and_grey_stored_as_colour_one(tmp_path: Path) -> None:
    colour = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(np.stack([GREY] * 3, axis=-1)).save(tmp_path / "grey.png")
    assert np.array_equal(pixels(tmp_path, "colour.png"), np.moveaxis(colour, -1, 0))
    assert pixels(tmp_path, "grey.png").shape == (1, 2, 4)


def test_palettes_bits_and_transparency(tmp_path: Path) -> None:
    palette = Image.fromarray((GREY > 50).astype(np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.save(tmp_path / "palette.png")
    assert pixels(tmp_path, "palette.png")[:, 0, 2].tolist() == [200, 100, 50]
    Image.fromarray(GREY > 50).save(tmp_path / "bit.png")
    assert pixels(tmp_path, "bit.png")[0].tolist() == [[0, 0, 255, 0], [0, 255, 255, 255]]
    clear = np.dstack([GREY, GREY // 2, GREY, np.where(GREY > 50, 255, 0).astype(np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert pixels(tmp_path, "clear.png")[:, 0, 1].tolist() == [0, 0, 0]  # transparent over black
    assert pixels(tmp_path, "clear.png")[:, 0, 2].tolist() == [255, 127, 255]


def test_measured_values_are_stretched_or_windowed(tmp_path: Path) -> None:
    values = np.arange(1000, dtype=np.float32).reshape(20, 50) * 0.01 - 4
    Image.fromarray(values).save(tmp_path / "float.tif")
    low, high = np.percentile(values, [0.5, 99.5])
    expected = np.clip((values - low) / (high - low), 0, 1)
    assert pixels(tmp_path, "float.tif")[0] / 65535 == pytest.approx(expected, abs=1e-4)
    assert pixels(tmp_path, "float.tif", window="0,4")[0, 8, 0] == round(65535 * ((0 + 0.5) / 3 + 0.5))


def test_a_tiff_in_pages_is_a_volume(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY + np.uint8(k)) for k in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    volume = pixels(tmp_path, "pages.tif")
    assert volume.shape == (1, 3, 2, 4)
    assert volume[0, :, 1, 0].tolist() == [9, 10, 11]


def test_the_rotation_of_the_camera_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(GREY)
    exif = image.getexif()
    exif[0x0112] = 6  # the top of the scene is on the right
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(pixels(tmp_path, "turned.png")[0], np.rot90(GREY, -1))


def test_damaged_and_foreign_images(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 90), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "head.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 30)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("an image, honestly")
    frames = [Image.fromarray(noise), Image.fromarray(noise // 2)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    found = opened(tmp_path)
    assert [record.name for record in found.records] == ["whole.jpg"]
    assert reasons(found) == {
        "cut.jpg": "the image is damaged or cut short (OSError)",
        "empty.png": "the file is empty",
        "head.png": "the file begins like an image but is none that can be opened",
        "moving.png": "an animated PNG with 2 frames is not an image",
        "text.png": "neither DICOM, NIfTI, PNG, JPEG nor TIFF",
    }


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    Image.new("1", (30_000, 5_000)).save(tmp_path / "wide.png")
    Image.new("1", (30_000, 20_000)).save(tmp_path / "wider.png")
    assert reasons(opened(tmp_path)) == {
        "wide.png": "too many pixels: 5000 x 30000, 134,217,728 are allowed",
        "wider.png": "the file would unpack to more pixels than are allowed",
    }
