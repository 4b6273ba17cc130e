"""From measured values to 0 (black) .. the type's largest (white)."""

from __future__ import annotations

import numpy as np

from iatros.core.errors import RequestError

LOW, HIGH = 0.5, 99.5
"""Percentiles that become black and white where nothing says what should."""
WHITE = 65535


def parse_window(text: str | None) -> tuple[float, float] | None:
    """`"40,400"` as (centre, width), in the unit of the values (Hounsfield units for CT)."""
    if text is None:
        return None
    try:
        centre, width = (float(part) for part in text.split(","))
    except ValueError:
        centre, width = 0.0, 0.0
    if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
        raise RequestError("a window is CENTRE,WIDTH with a width above 0", hint="such as 40,400")
    return centre, width


def windowed(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """`values` through a VOI window, float32 in 0 to 1 (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

    LINEAR is shifted by half a step against LINEAR_EXACT; SIGMOID never quite reaches black or white.
    A width below 1 with LINEAR (which the standard forbids) is taken as LINEAR_EXACT.
    """
    values = np.asarray(values, dtype=np.float32)
    if function == "SIGMOID":
        return np.float32(1) / (
            np.float32(1) + np.exp(np.float32(-4 / width) * (values - np.float32(centre)))
        )
    if function == "LINEAR" and width > 1:
        scaled = (values - np.float32(centre - 0.5)) / np.float32(width - 1) + np.float32(0.5)
    elif function == "LINEAR" and width == 1:
        return np.where(values <= np.float32(centre - 0.5), np.float32(0), np.float32(1))
    else:
        scaled = (values - np.float32(centre)) / np.float32(width) + np.float32(0.5)
    return np.clip(scaled, 0, 1)


def stretched(values: np.ndarray, *, without: np.ndarray | None = None) -> np.ndarray:
    """`values` from their 0.5th to their 99.5th percentile, float32 in 0 to 1; what is not a number is black.

    `without` marks values, such as padding, that do not count for the percentiles.
    """
    counted = np.isfinite(values)
    if without is not None and not without.all():
        counted &= ~without
    if not counted.any():
        return np.zeros(values.shape, dtype=np.float32)
    low, high = np.percentile(values[counted].astype(np.float64), [LOW, HIGH])
    if high <= low:  # nearly all of one value: what differs from it still shows
        low, high = float(values[counted].min()), float(values[counted].max())
    if high <= low:
        return np.zeros(values.shape, dtype=np.float32)
    scaled = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return np.nan_to_num(scaled, nan=0.0).astype(np.float32)


def to_uint16(values: np.ndarray) -> np.ndarray:
    """0 to 1 as 0 to 65535, rounded."""
    return np.rint(values * np.float32(WHITE)).astype(np.uint16)


def one_channel_if_grey(pixels: np.ndarray) -> np.ndarray:
    """(3, ...) as (1, ...) where red, green and blue are the same everywhere: a grey image stored as colour."""
    if len(pixels) == 3 and np.array_equal(pixels[0], pixels[1]) and np.array_equal(pixels[0], pixels[2]):
        return pixels[:1]
    return pixels
