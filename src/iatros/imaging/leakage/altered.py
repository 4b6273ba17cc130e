"""A copy of an image as it turns up in a second data set: cropped, brighter, marked, saved at another size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.imaging.inputs import resize_plane


@dataclass(frozen=True)
class Alteration:
    """What is done to a copy."""

    words: str
    crop: float
    """Largest share cut off at each side."""
    noise: float
    """Standard deviation, of 255."""
    marks: bool


_COLOURS = "gamma 0.75 to 1.33, contrast 0.7 to 1.3, brightness ±25 of 255, noise"
RECOLOURED = Alteration(_COLOURS, 0.0, 2.0, False)
ALTERED = Alteration(
    f"each side cropped by up to 6 %, {_COLOURS}, two crosses and a block of text drawn in", 0.06, 3.0, True
)


def altered(grey: np.ndarray, side: int, kind: Alteration, rng: np.random.Generator) -> np.ndarray:
    """A plane (rows, columns) of 0 to 255, changed and stretched to (side, side)."""
    rows, columns = grey.shape
    top, bottom = np.round(rng.uniform(0, kind.crop, 2) * rows).astype(int)
    left, right = np.round(rng.uniform(0, kind.crop, 2) * columns).astype(int)
    kept = grey[top : rows - bottom, left : columns - right]
    made = 255.0 * (np.clip(kept, 0, 255) / 255.0) ** rng.uniform(0.75, 1.33)
    made = (made - made.mean()) * rng.uniform(0.7, 1.3) + made.mean() + rng.uniform(-25, 25)
    if kind.marks:
        made = _marked(made, rng)
    small = resize_plane(made[None].astype(np.float32), side, side)[0]
    return np.asarray(np.clip(small + rng.normal(0, kind.noise, small.shape), 0, 255), dtype=np.float32)


def _marked(plane: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two crosses as measuring callipers leave them, and a block where text would be."""
    rows, columns = plane.shape
    arm = max(1, round(0.02 * rows))
    for _ in range(2):
        y, x = int(rng.uniform(0.1, 0.9) * rows), int(rng.uniform(0.1, 0.9) * columns)
        plane[y, max(0, x - arm) : x + arm + 1] = 255.0
        plane[max(0, y - arm) : y + arm + 1, x] = 255.0
    height = max(1, rows // 20)
    begin = int(rng.uniform(0.0, 0.75) * columns)
    edge = 0 if rng.random() < 0.5 else rows - height
    plane[edge : edge + height, begin : begin + columns // 5] = 255.0
    return plane
