"""Where the heat of a map lies, in numbers, and whether that is a place to wonder about. Numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np

BORDER = 0.1
"""The border is this share of the rows and columns at each side: 36 % of a picture."""
MUCH = 0.5
"""From this share of the heat on, the border is worth a warning."""


def place_of_heat(heat: np.ndarray) -> dict[str, Any]:
    """Centre of mass, hottest place and share in the border of `heat` ([slices,] rows, columns), 0 or more.

    `centre` and `hottest` are [row, column] (with slices: [slice, row, column]) as shares from 0, the first
    edge, to 1, the last; both are null, and `border_share` too, where there is no heat at all.

    >>> place_of_heat(np.array([[0.0, 0.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]]))["centre"]
    [0.25, 0.875]
    """
    total = float(heat.sum())
    if not total > 0:
        return {"centre": None, "hottest": None, "border_share": None}
    axes = [(np.arange(side) + 0.5) / side for side in heat.shape]
    sums = [
        heat.sum(axis=tuple(other for other in range(heat.ndim) if other != axis))
        for axis in range(heat.ndim)
    ]
    hottest = np.unravel_index(int(heat.argmax()), heat.shape)
    return {
        "centre": [round(float(axis @ part) / total, 4) for axis, part in zip(axes, sums, strict=True)],
        "hottest": [round(float(axis[k]), 4) for axis, k in zip(axes, hottest, strict=True)],
        "border_share": round(float(heat[..., in_border(heat.shape[-2:])].sum()) / total, 4),
    }


def in_border(shape: tuple[int, ...]) -> np.ndarray:
    """bool (rows, columns): the outer tenth at each side, one pixel at least."""
    rows, columns = (max(1, round(side * BORDER)) for side in shape)
    border = np.ones(shape, dtype=bool)
    border[rows:-rows, columns:-columns] = False
    return border


def warnings(place: dict[str, Any]) -> list[str]:
    """Sentences about a place that a reader must weigh."""
    share = place["border_share"]
    if share is None:
        return ["nothing in the image speaks for this answer: the map is empty"]
    if share > MUCH:
        return [
            f"{share:.0%} of the heat lies in the border of the image, where there is rarely anatomy: "
            "look for writing, markers or collimation"
        ]
    return []
