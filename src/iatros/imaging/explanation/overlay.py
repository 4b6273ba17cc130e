"""A heat map over its image, as pixels and as PNG. Needs numpy and Pillow only."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from iatros.core.errors import InputError

LEAST_SIDE = 224
"""Images are enlarged until their longer side has about as many pixels."""
_BLOCKS_FROM = 4
_OPAQUE = 0.75
_GAP = 4
# from dark to light, so that the order survives colour blindness and grey print; indigo, vermilion and yellow
# of Okabe and Ito's palette keep their distance for every kind of colour vision
_STOPS = (0.0, 0.55, 1.0)
_COLOURS = np.array([[48, 25, 120], [213, 94, 0], [240, 228, 66]], dtype=np.float64)


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) from heat (...) in 0 to 1: indigo, vermilion, yellow."""
    channels = [np.interp(heat, _STOPS, _COLOURS[:, k]) for k in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def grey_rgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 (rows, columns, 3) from pixels (1 or 3, rows, columns) in 0 to 1."""
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise InputError(f"a picture is made of pixels (1 or 3, rows, columns), these are {pixels.shape}")
    shown = np.round(255 * np.clip(pixels, 0.0, 1.0)).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(np.broadcast_to(shown, (3, *shown.shape[1:])), 0, -1))


def overlay_rgb(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (rows, columns, 3): pixels (1 or 3, rows, columns) in 0 to 1 under heat (rows, columns) in 0 to 1.

    The hotter a place, the less of the image shines through; where the heat is 0 the image is untouched.
    """
    if heat.shape != pixels.shape[1:]:
        raise InputError(f"the heat map has the shape {heat.shape}, and the image {pixels.shape[1:]}")
    share = (_OPAQUE * np.clip(heat, 0.0, 1.0))[..., None]
    mixed = (1 - share) * grey_rgb(pixels) + share * heat_colours(np.clip(heat, 0.0, 1.0))
    return np.round(mixed).astype(np.uint8)


def enlarged(values: np.ndarray, least_side: int = LEAST_SIDE, *, blocks: bool = True) -> np.ndarray:
    """Planes (channels, rows, columns) in 0 to 1, made larger by a whole factor and never smaller.

    From a factor of four on each pixel stays a block (`blocks`), because smoothing would show detail that the
    network never saw; below, and for heat, the pixels are interpolated.
    """
    from PIL import Image

    factor = max(1, round(least_side / max(values.shape[1:])))
    if factor == 1:
        return np.asarray(values, dtype=np.float32)
    if blocks and factor >= _BLOCKS_FROM:
        return np.asarray(values.repeat(factor, axis=1).repeat(factor, axis=2), dtype=np.float32)
    size = values.shape[2] * factor, values.shape[1] * factor
    planes = [
        np.asarray(Image.fromarray(np.float32(plane)).resize(size, Image.Resampling.BILINEAR))
        for plane in values
    ]
    return np.stack(planes)


def overlay_png(pixels: np.ndarray, heat: np.ndarray, *, least_side: int = LEAST_SIDE) -> bytes:
    """`overlay_rgb` as a PNG file, small images enlarged."""
    smooth = enlarged(heat[None], least_side, blocks=False)[0]
    return png(overlay_rgb(enlarged(pixels, least_side), smooth))


def plain_png(pixels: np.ndarray, *, least_side: int = LEAST_SIDE) -> bytes:
    """Pixels (1 or 3, rows, columns) in 0 to 1 as a PNG file, small images enlarged."""
    return png(grey_rgb(enlarged(pixels, least_side)))


def contact_sheet(tiles: Sequence[np.ndarray], columns: int = 4) -> np.ndarray:
    """Tiles uint8 (rows, columns, 3) of one size beside and under each other on white, row by row."""
    if not tiles or len({tile.shape for tile in tiles}) > 1:
        raise InputError("a contact sheet needs tiles, all of one size")
    columns = min(columns, len(tiles))
    down = -(-len(tiles) // columns)
    rows, wide, _ = tiles[0].shape
    sheet = np.full((down * (rows + _GAP) - _GAP, columns * (wide + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        top, left = (k // columns) * (rows + _GAP), (k % columns) * (wide + _GAP)
        sheet[top : top + rows, left : left + wide] = tile
    return sheet


def series_png(
    slices: np.ndarray, heat: np.ndarray, shown: Sequence[int], *, least_side: int = LEAST_SIDE
) -> bytes:
    """Slices `shown` of a series (slices, channels, rows, columns) under their heat (slices, rows, columns)."""
    tiles = [
        overlay_rgb(enlarged(slices[k], least_side), enlarged(heat[k][None], least_side, blocks=False)[0])
        for k in shown
    ]
    return png(contact_sheet(tiles))


def png(rgb: np.ndarray) -> bytes:
    """A PNG file of uint8 (rows, columns, 3), the same bytes for the same pixels."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "PNG", optimize=False)
    return content.getvalue()
