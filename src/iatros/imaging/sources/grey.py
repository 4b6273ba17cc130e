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


def black_and_white(values: np.ndarray) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of what is finite; the extremes where nearly all is one value."""
    counted = values[np.isfinite(values)]
    if not counted.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(counted, [LOW, HIGH]))
    if high <= low:  # what differs from the one value still shows
        low, high = float(counted.min()), float(counted.max())
    return low, high


def scaled_between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """`values` from `low` to `high` as float32 from 0 to 1; all 0 where there is nothing between the two."""
    if high <= low:
        return np.zeros(values.shape, dtype=np.float32)
    scaled = (np.asarray(values, dtype=np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1)


def stretched(values: np.ndarray) -> np.ndarray:
    """`values` between their own percentiles, float32 in 0 to 1; what is not a number is black."""
    return np.nan_to_num(scaled_between(values, *black_and_white(values)), nan=0.0)


def to_uint16(values: np.ndarray) -> np.ndarray:
    """0 to 1 as 0 to 65535, rounded."""
    return np.rint(values * np.float32(WHITE)).astype(np.uint16)


def one_channel_if_grey(pixels: np.ndarray) -> np.ndarray:
    """(3, ...) as (1, ...) where red, green and blue are the same everywhere: a grey image stored as colour."""
    if len(pixels) == 3 and np.array_equal(pixels[0], pixels[1]) and np.array_equal(pixels[0], pixels[2]):
        return pixels[:1]
    return pixels
