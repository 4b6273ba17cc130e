"""From decoded pixels of any size to the array that a network takes. Needs numpy and Pillow only."""

from __future__ import annotations

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.schema import ImageRecord, InputSpec


def prepare(
    pixels: np.ndarray, spec: InputSpec, *, spacing_mm: tuple[float, ...] | None = None
) -> np.ndarray:
    """Pixels (channels, [slices,] rows, columns), uint8 or uint16, as `spec` wants them, float32 in 0 to 1.

    Raises InputError where the number of channels or of dimensions does not fit the model, or pixels are of
    another type.
    """
    _check(pixels, spec)
    values = _scaled(_channels(pixels, spec.channels))
    if spec.kind == "image":
        return _plane(values, spec, spacing_mm)
    if spec.kind == "sequence":
        kept = evenly(values.shape[1], spec.max_slices)
        inner = spacing_mm[1:] if spacing_mm else None
        return np.stack([_plane(values[:, k], spec, inner) for k in kept])
    return _volume(values, spec)


def evenly(n: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `n` slices, evenly spread, first and last among them.

    >>> evenly(5, 3).tolist()
    [0, 2, 4]
    """
    if n <= most:
        return np.arange(n)
    return np.round(np.linspace(0, n - 1, most)).astype(int)


def describe_shape(record: ImageRecord) -> str:
    """`3 channels, 17 slices of 256 x 256`, for messages."""
    channels, *spatial = record.shape
    said = f"{channels} channel" + ("s" if channels > 1 else "")
    if len(spatial) == 3:
        return f"{said}, {spatial[0]} slices of {spatial[1]} x {spatial[2]}"
    return f"{said}, {spatial[0]} x {spatial[1]}"


def _check(pixels: np.ndarray, spec: InputSpec) -> None:
    wanted = 3 if spec.kind == "image" else 4
    if pixels.ndim != wanted:
        got = "a volume" if pixels.ndim == 4 else "a single image"
        takes = {"image": "single images", "volume": "volumes", "sequence": "series of slices"}[spec.kind]
        raise InputError(
            f"this is {got}, and the model takes {takes}", hint="choose another model, or other files"
        )
    if pixels.shape[0] not in (1, 3):
        raise InputError(f"an image has 1 or 3 channels, this one {pixels.shape[0]}")
    if pixels.shape[0] == 1 and spec.channels == 3:
        raise InputError(
            "this is a grey image, and the model takes colour", hint="use images of the kind it learned from"
        )
    if pixels.shape[0] == 3 and spec.channels == 1:
        raise InputError(
            "this is a colour image, and the model takes grey", hint="use images of the kind it learned from"
        )


def _channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    return pixels[:channels]


def _scaled(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"pixels are grey values of 8 or 16 bits, got {pixels.dtype}",
            hint="0 is black and the type's largest number white",
        )
    top = np.iinfo(pixels.dtype).max
    return np.asarray(pixels, dtype=np.float32) / np.float32(top)


def _plane(values: np.ndarray, spec: InputSpec, spacing_mm: tuple[float, ...] | None) -> np.ndarray:
    """One image (channels, rows, columns) to the size of `spec`, its proportions in mm kept where it is padded."""
    rows, columns = spec.size[-2:]
    if spec.fit == "stretch":
        return resize_plane(values, rows, columns)
    height, width = float(values.shape[1]), float(values.shape[2])
    if spacing_mm is not None and min(spacing_mm[-2:]) > 0:
        height, width = height * spacing_mm[-2], width * spacing_mm[-1]
    scale = min(rows / height, columns / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    placed = np.zeros((len(values), rows, columns), dtype=np.float32)
    top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
    placed[:, top : top + inner[0], left : left + inner[1]] = resize_plane(values, *inner)
    return placed


def resize_plane(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(channels, h, w) to (channels, rows, columns), bilinear, smoothed first where it shrinks."""
    if values.shape[1:] == (rows, columns):
        return np.asarray(values, dtype=np.float32)
    from PIL import Image

    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32)).resize(
                (columns, rows), Image.Resampling.BILINEAR
            )
        )
        for plane in values
    ]
    return np.stack(planes)


def _volume(values: np.ndarray, spec: InputSpec) -> np.ndarray:
    """A volume (channels, slices, rows, columns) stretched to the size of `spec`."""
    slices, rows, columns = spec.size
    planes = np.stack([resize_plane(values[:, k], rows, columns) for k in range(values.shape[1])], axis=1)
    if planes.shape[1] == slices:
        return planes
    flat = planes.reshape(len(planes), planes.shape[1], rows * columns)
    return resize_plane(flat, slices, rows * columns).reshape(len(planes), slices, rows, columns)
