"""Small grey images in which two copies of one picture look the same, whatever their brightness and contrast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from iatros.imaging.inputs import resize_plane
from iatros.imaging.schema import ImageRecord

SIDES = (16, 32, 64)
"""Rows and columns of the thumbnails, coarse to fine; the finest only where the images are that large."""
_WIDTHS = {16: 2.0, 32: 2.5, 64: 3.5}
"""Standard deviation of the neighbourhood that brightness and contrast are taken from, in thumbnail pixels."""
_QUIET = 4.0
"""Contrast (grey levels of 255) below which a place counts as empty instead of being amplified."""
_FINE_FROM = 48
_PORTION = 1000


def grey_plane(pixels: np.ndarray) -> np.ndarray:
    """Pixels of a record as one grey plane (rows, columns), float32 from 0 to 255; of a volume the middle slice."""
    plane = pixels[:, pixels.shape[1] // 2] if pixels.ndim == 4 else pixels
    scale = np.float32(255.0 / np.iinfo(pixels.dtype).max)
    if len(plane) == 1:
        return np.asarray(plane[0], dtype=np.float32) * scale
    return np.asarray(plane.mean(axis=0, dtype=np.float32)) * scale


def finest_side(records: Sequence[ImageRecord]) -> int:
    """64 where at least half of the images have as much detail, else 32."""
    shortest = [min(record.shape[-2:]) for record in records]
    return 64 if np.median(shortest) >= _FINE_FROM else 32


def thumbnails(
    records: Sequence[ImageRecord], pixels: Callable[[ImageRecord], np.ndarray], side: int
) -> np.ndarray:
    """Grey images stretched to (n, side, side), float32 from 0 to 255."""
    made = np.empty((len(records), side, side), dtype=np.float32)
    for row, record in enumerate(records):
        made[row] = resize_plane(grey_plane(pixels(record))[None], side, side)[0]
    return made


def pyramid(grey: np.ndarray) -> dict[int, np.ndarray]:
    """From thumbnails (n, side, side) their evened forms at each side up to `side`."""
    n, side, _ = grey.shape
    made = {small: np.empty((n, small, small), dtype=np.float32) for small in SIDES if small <= side}
    for begin in range(0, n, _PORTION):
        rows = slice(begin, begin + _PORTION)
        for small, pictures in made.items():
            pictures[rows] = evened(_shrunk(grey[rows], side // small), _WIDTHS[small])
    return made


def evened(grey: np.ndarray, width: float) -> np.ndarray:
    """Each pixel less its neighbourhood's mean, over the neighbourhood's standard deviation; (n, h, w)."""
    from scipy.ndimage import gaussian_filter

    apart = grey - gaussian_filter(grey, (0, width, width))
    spread = np.sqrt(gaussian_filter(apart * apart, (0, width, width)))
    return np.asarray(apart / (spread + np.float32(_QUIET)), dtype=np.float32)


def _shrunk(grey: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return grey
    n, side, _ = grey.shape
    small = side // factor
    return np.asarray(grey.reshape(n, small, factor, small, factor).mean(axis=(2, 4)), dtype=np.float32)
