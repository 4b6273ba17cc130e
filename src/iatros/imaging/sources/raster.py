"""PNG, JPEG and TIFF: 8 and 16 bit grey or colour, and TIFF in several pages."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.imaging.sources.grey import one_channel_if_grey, stretched, to_uint16, windowed
from iatros.imaging.sources.limits import UnreadableError, check_size

_FORMATS = ("PNG", "JPEG", "TIFF")


def decode(
    paths: Sequence[str], plan: dict[str, Any], window: tuple[float, float] | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The image of one file: (channels, rows, columns), or (channels, pages, rows, columns) of a TIFF in pages.

    8-bit values stay uint8 and 16-bit ones uint16; 32-bit integers and floats, which have no white of their own,
    are stretched between percentiles or go through `window`. Transparent parts are black. The rotation that a
    camera wrote into the file is applied.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(paths[0], formats=_FORMATS) as image:
                return [_pages(image, window)], {}
    except UnidentifiedImageError:
        raise UnreadableError("the file begins like an image but is none that can be opened") from None
    except Image.DecompressionBombError:
        raise UnreadableError("the file would unpack to more pixels than are allowed") from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, OverflowError, IndexError) as error:
        raise UnreadableError(f"the image is damaged or cut short ({type(error).__name__})") from None


def _pages(image: Any, window: tuple[float, float] | None) -> np.ndarray:
    pages = int(getattr(image, "n_frames", 1))
    check_size(image.height, image.width, pages)
    if pages == 1:
        return _plane(image, window)
    if image.format != "TIFF":
        raise UnreadableError(f"an animated {image.format} with {pages} frames is not an image")
    planes = []
    for page in range(pages):
        image.seek(page)
        check_size(image.height, image.width, pages)
        planes.append(_plane(image, window))
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        raise UnreadableError("the pages of the TIFF have different sizes or types")
    return np.stack(planes, axis=1)


def _plane(image: Any, window: tuple[float, float] | None) -> np.ndarray:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _measured(np.asarray(upright), upright.mode, window)[np.newaxis]
    pixels = np.asarray(_plain_colours(upright))
    planes = pixels[np.newaxis] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    grey = one_channel_if_grey(planes)
    if window is not None and len(grey) == 1:
        return to_uint16(windowed(grey, *window))
    return np.ascontiguousarray(grey)


def _plain_colours(image: Any) -> Any:
    """The image in mode L or RGB, over black where it is transparent."""
    from PIL import Image

    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")


def _measured(values: np.ndarray, mode: str, window: tuple[float, float] | None) -> np.ndarray:
    if window is not None:
        return to_uint16(windowed(values, *window))
    if mode.startswith("I;16"):
        return values.astype(np.uint16)
    if mode == "I" and values.min() >= 0 and 255 < values.max() <= 65535:
        return values.astype(np.uint16)  # how some versions of the decoder give 16-bit grey
    return to_uint16(stretched(values))
