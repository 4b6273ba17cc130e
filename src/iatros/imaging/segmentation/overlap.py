"""How well a predicted mask agrees with the true one: overlap, distance of the surfaces in mm, volumes in ml.

Conventions for empty masks: where both are empty the structure is rightly not found, and no measure is defined
(NaN); where one alone is empty, Dice and surface Dice are 0 and distances are not defined. What is not defined
enters no mean; how many values a mean has is told beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAN = float("nan")
TOLERANCE_MM = 1.0
"""Distance within which a point of a surface counts as met, for surface Dice."""


@dataclass(frozen=True)
class Agreement:
    """Of one structure in one image; distances are None-like NaN where they are not defined."""

    dice: float
    surface_distance_mm: float
    """Mean distance from each surface's points to the other surface, over the points of both (symmetric)."""
    hausdorff95_mm: float
    """The larger of the two directed 95th percentiles of these distances."""
    surface_dice: float
    """Share of the points of both surfaces within TOLERANCE_MM of the other (Nikolov et al., 2021)."""
    volume_ml: float
    true_volume_ml: float


def dice(predicted: np.ndarray, true: np.ndarray) -> float:
    """Twice the common voxels over the voxels of both, for boolean masks of one shape; NaN where both are empty.

    >>> dice(np.array([1, 1, 0], bool), np.array([1, 0, 0], bool))
    0.6666666666666666
    """
    both = int(predicted.sum()) + int(true.sum())
    return 2 * int((predicted & true).sum()) / both if both else NAN


def agreement(predicted: np.ndarray, true: np.ndarray, spacing_mm: tuple[float, ...] | None) -> Agreement:
    """All measures of boolean masks (slices, rows, columns) or (rows, columns); in mm where the spacing is known.

    Without a spacing, everything in mm and ml is NaN.
    """
    overlap = dice(predicted, true)
    if spacing_mm is None:
        return Agreement(overlap, NAN, NAN, NAN, NAN, NAN)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0 if len(spacing_mm) == 3 else NAN
    volumes = float(predicted.sum()) * voxel_ml, float(true.sum()) * voxel_ml
    if not predicted.any() or not true.any():
        nothing = NAN if predicted.any() == true.any() else 0.0
        return Agreement(overlap, NAN, NAN, nothing, *volumes)
    there, back = surface_distances(predicted, true, spacing_mm)
    every = np.concatenate([there, back])
    return Agreement(
        dice=overlap,
        surface_distance_mm=float(every.mean()),
        hausdorff95_mm=max(float(np.percentile(there, 95)), float(np.percentile(back, 95))),
        surface_dice=float((every <= TOLERANCE_MM).mean()),
        volume_ml=volumes[0],
        true_volume_ml=volumes[1],
    )


def surface_distances(
    one: np.ndarray, other: np.ndarray, spacing_mm: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm from each surface voxel of `one` to the surface of `other`, and the other way round.

    A surface voxel is one with a face neighbour outside the mask; beyond the image is outside. Distances run between
    centres of voxels.
    """
    from scipy.ndimage import distance_transform_edt

    box = _box(one | other)
    surfaces = [_surface(mask[box]) for mask in (one, other)]
    far = [distance_transform_edt(~surface, sampling=spacing_mm) for surface in surfaces]
    return far[1][surfaces[0]], far[0][surfaces[1]]


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    where = np.nonzero(mask)
    return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in where)


def _surface(mask: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_erosion

    inside: np.ndarray = binary_erosion(mask, border_value=0)
    return mask & ~inside
