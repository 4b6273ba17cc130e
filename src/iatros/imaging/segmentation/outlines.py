"""Pictures of label maps: the outlines of the structures on a slice, true ones left, predicted ones right."""

from __future__ import annotations

import io

import numpy as np

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
"""Of structures in turn (Okabe and Ito): told apart by colour-blind readers too."""
COLOUR_NAMES = ("orange", "sky blue", "green", "yellow", "red", "pink")

_WIDTH = 360
"""Width of one half of a picture in pixels, about."""
_GAP = 8


def fullest_slice(labels: np.ndarray) -> int:
    """The slice of a label map (slices, rows, columns) on which structures fill the most pixels; 0 for one image."""
    if labels.ndim == 2:
        return 0
    return int(np.argmax((labels > 0).sum(axis=(1, 2))))


def outlines_png(pixels: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> bytes:
    """A PNG of two halves: the slice that `true` fills most, with the outlines of both label maps.

    `pixels` (channels, [slices,] rows, columns) uint8 or uint16; the label maps ([slices,] rows, columns).
    """
    from PIL import Image

    place = fullest_slice(true)
    plane = pixels[:, place] if true.ndim == 3 else pixels
    one, other = (labels[place] if labels.ndim == 3 else labels for labels in (true, predicted))
    grey = plane.astype(np.float64) / np.iinfo(pixels.dtype).max * 255
    shown = np.moveaxis(np.broadcast_to(grey, (3, *grey.shape[1:])), 0, -1).astype(np.uint8)
    halves = [_outlined(shown, labels) for labels in (one, other)]
    gap = np.full((len(halves[0]), _GAP, 3), 255, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.concatenate([halves[0], gap, halves[1]], axis=1)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _outlined(shown: np.ndarray, labels: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_erosion

    factor = max(1, _WIDTH // shown.shape[1])
    large = shown.repeat(factor, axis=0).repeat(factor, axis=1)
    for value in np.unique(labels[labels > 0]).tolist():
        inside = (labels == value).repeat(factor, axis=0).repeat(factor, axis=1)
        edge = inside & ~binary_erosion(inside, iterations=max(1, factor // 4))
        large[edge] = COLOURS[(value - 1) % len(COLOURS)]
    return large
