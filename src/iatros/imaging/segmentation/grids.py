"""Grids of voxels: turned so that the body lies one way, resampled to one spacing, and back to the source's grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

Spacing = tuple[float, ...]

_TOWARDS = np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]])
"""Head, back and left, as directions in RAS+ coordinates."""


@dataclass(frozen=True)
class Turn:
    """Axes reordered, then some reversed. `axes[k]` is the source's axis that becomes axis k."""

    axes: tuple[int, ...]
    reversed_axes: tuple[int, ...] = ()
    """Axes after reordering."""

    def apply(self, array: np.ndarray) -> np.ndarray:
        """`array` (leading axes, *source) turned; the leading axes stay."""
        lead = array.ndim - len(self.axes)
        turned = array.transpose(*range(lead), *(lead + axis for axis in self.axes))
        return np.flip(turned, tuple(lead + axis for axis in self.reversed_axes))

    def undo(self, array: np.ndarray) -> np.ndarray:
        """The reverse of `apply`."""
        lead = array.ndim - len(self.axes)
        straight = np.flip(array, tuple(lead + axis for axis in self.reversed_axes))
        back = np.argsort(self.axes)
        return straight.transpose(*range(lead), *(lead + int(axis) for axis in back))

    def spacing(self, spacing: Spacing) -> Spacing:
        """The spacing of the source's axes in the order of the turned ones."""
        return tuple(spacing[axis] for axis in self.axes)


def canonical(affine: tuple[tuple[float, ...], ...] | None, n_axes: int) -> Turn:
    """The turn after which slices run to the head, rows to the back and columns to the left, as in axial DICOM.

    `affine` is that of an `ImageRecord`. Oblique axes are named after the direction they are nearest to; without an
    affine, and for single images, nothing is turned.

    >>> canonical(((0, 0, -1, 0), (0, 1, 0, 0), (2, 0, 0, 0), (0, 0, 0, 1)), 3)
    Turn(axes=(0, 1, 2), reversed_axes=(1,))
    """
    if affine is None or n_axes != 3:
        return Turn(tuple(range(n_axes)))
    columns = np.asarray(affine, dtype=np.float64)[:3, :3]
    directions = _TOWARDS @ (columns / np.linalg.norm(columns, axis=0))
    best = max(
        permutations(range(3)), key=lambda axes: sum(abs(directions[k, axis]) for k, axis in enumerate(axes))
    )
    return Turn(best, tuple(k for k, axis in enumerate(best) if directions[k, axis] < 0))


def resampled_shape(shape: tuple[int, ...], spacing: Spacing, wanted: Spacing) -> tuple[int, ...]:
    """Voxels along each axis after resampling from `spacing` to `wanted` (both mm), at least one."""
    return tuple(
        max(1, round(length * own / other)) for length, own, other in zip(shape, spacing, wanted, strict=True)
    )


def resize(array: np.ndarray, shape: tuple[int, ...], *, order: int) -> np.ndarray:
    """`array` (k, *spatial) stretched to (k, *shape), float32; the outer faces of the first and last voxels stay.

    `order` of the spline: 1 linear, 3 cubic. Where an axis shrinks, it is smoothed first, so that what
    is finer than the new voxels does not come back as a pattern.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    values = np.asarray(array, dtype=np.float32)
    if values.shape[1:] == tuple(shape):
        return values
    ratio = np.array(values.shape[1:]) / np.array(shape)
    blur = np.maximum(0.0, (ratio - 1) / 2)
    out = np.empty((len(values), *shape), dtype=np.float32)
    for k, channel in enumerate(values):
        smooth = gaussian_filter(channel, blur, mode="nearest") if blur.any() else channel
        affine_transform(
            smooth, ratio, ratio / 2 - 0.5, output_shape=shape, output=out[k], order=order, mode="nearest"
        )
    return out


def resize_labels(labels: np.ndarray, shape: tuple[int, ...], n_labels: int) -> np.ndarray:
    """A label map stretched to `shape`: at each voxel the label with the largest share, uint8."""
    if labels.shape == tuple(shape):
        return labels
    shares = np.stack([labels == value for value in range(n_labels)])
    largest: np.ndarray = resize(shares, shape, order=1).argmax(axis=0)
    return largest.astype(np.uint8)
