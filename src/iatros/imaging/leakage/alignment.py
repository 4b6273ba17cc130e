"""Are two small pictures the same picture? They are laid over each other first, then compared place by place.

The second picture may be cropped, shifted and stretched along rows and columns, so its place is four numbers: for
rows and for columns a shift and a stretch, in units of half the picture. They are found by Gauss-Newton steps with
the first picture's gradient, coarse to fine (Baker and Matthews 2004, inverse compositional form).
"""

from __future__ import annotations

import numpy as np

_STEPS = {16: 6, 32: 4, 64: 3}
_FURTHEST = 0.3
"""Largest shift and stretch, in half pictures."""
_CLIP = 1.5
"""Differences beyond this count as this: marks and letters do not pull the pictures out of place."""
_SMOOTH = 0.7
_BLOCKS = 8
_SHARE_OF_STRONGEST = 0.15
_CELLS = 1 << 19


def place(
    first: np.ndarray, second: np.ndarray, one: np.ndarray, two: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Where `second[two]` lies on `first[one]`: four numbers a pair (m, 4), from `start` (m, 4)."""
    side = first.shape[-1]
    found = np.array(start, dtype=np.float32)
    for rows in _portions(len(one), side):
        found[rows] = _placed(_smoothed(first[one[rows]]), _smoothed(second[two[rows]]), found[rows])
    return found


def likeness(
    first: np.ndarray, second: np.ndarray, one: np.ndarray, two: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """How alike each pair is once `second` lies `where` it fits best, -1 to 1, shape (m,).

    The median over 8 x 8 blocks of the correlation in the block. Blocks without texture in either picture do not
    count, and marks over some blocks do not change the median.
    """
    side = first.shape[-1]
    found = np.empty(len(one), dtype=np.float64)
    for rows in _portions(len(one), side):
        inside = _inside(where[rows, :2], side)[:, :, None] & _inside(where[rows, 2:], side)[:, None, :]
        found[rows] = _median_block(first[one[rows]] * inside, _laid(second[two[rows]], where[rows]) * inside)
    return found


def _portions(n: int, side: int) -> list[slice]:
    size = max(1, _CELLS // side**2)
    return [slice(begin, begin + size) for begin in range(0, n, size)]


def _smoothed(pictures: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(pictures, (0, _SMOOTH, _SMOOTH)))


def _placed(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Gauss-Newton steps for pairs (b, side, side)."""
    side = first.shape[-1]
    slope = _slopes(first)
    curvature = slope @ slope.transpose(0, 2, 1)
    ridge = 0.01 * np.trace(curvature, axis1=1, axis2=2) + 1e-3
    inverse = np.linalg.inv(curvature + ridge[:, None, None] * np.eye(4, dtype=np.float32))
    for _ in range(_STEPS[side]):
        apart = np.clip(first - _laid(second, where), -_CLIP, _CLIP).reshape(len(first), -1, 1)
        step = (inverse @ (slope @ apart))[:, :, 0]
        where = np.clip(where + np.clip(step, -0.06, 0.06), -_FURTHEST, _FURTHEST).astype(np.float32)
    return where


def _slopes(pictures: np.ndarray) -> np.ndarray:
    """How each pixel changes with the four numbers, (b, 4, side * side)."""
    side = pictures.shape[-1]
    down, across = np.zeros_like(pictures), np.zeros_like(pictures)
    down[:, 1:-1] = (pictures[:, 2:] - pictures[:, :-2]) * (side / 4)
    across[:, :, 1:-1] = (pictures[:, :, 2:] - pictures[:, :, :-2]) * (side / 4)
    at = _centres(side)
    stacked = np.stack([down, down * at[:, None], across, across * at[None, :]], axis=1)
    return np.asarray(stacked.reshape(len(pictures), 4, side * side))


def _centres(side: int) -> np.ndarray:
    """Pixel centres from -1 to 1."""
    return np.asarray((np.arange(side) + 0.5) / side * 2.0 - 1.0, dtype=np.float32)


def _positions(where: np.ndarray, side: int) -> np.ndarray:
    """Which pixel position of the second picture lies on each pixel of the first along one axis, (b, side)."""
    at = _centres(side)[None] * (1.0 + where[:, 1:]) + where[:, :1]
    return np.asarray((at + 1.0) / 2.0 * side - 0.5, dtype=np.float32)


def _inside(where: np.ndarray, side: int) -> np.ndarray:
    position = _positions(where, side)
    return (position >= -0.5) & (position <= side - 0.5)


def _weights(where: np.ndarray, side: int) -> np.ndarray:
    """Linear interpolation along one axis as matrices (b, side, side)."""
    position = np.clip(_positions(where, side), 0, side - 1)
    return np.maximum(1.0 - np.abs(position[:, :, None] - np.arange(side, dtype=np.float32)), 0.0)


def _laid(pictures: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Pictures (b, side, side) cropped, shifted and stretched: rows, then columns, each a matrix product."""
    side = pictures.shape[-1]
    rows, columns = _weights(where[:, :2], side), _weights(where[:, 2:], side)
    return np.asarray(rows @ pictures @ columns.transpose(0, 2, 1))


def _median_block(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    both, ones, twos = _by_block(first * second), _by_block(first * first), _by_block(second * second)
    strength = np.maximum(ones, twos)
    counted = strength > _SHARE_OF_STRONGEST * strength.max(axis=1, keepdims=True)
    agreed = np.where(counted, both / np.sqrt(ones * twos + 1e-6), np.nan)
    empty = ~counted.any(axis=1)
    agreed[empty] = 0.0
    return np.asarray(np.nanmedian(agreed, axis=1))


def _by_block(values: np.ndarray) -> np.ndarray:
    """Sums over 8 x 8 blocks, (b, 64)."""
    n, side, _ = values.shape
    edge = side // _BLOCKS
    return np.asarray(values.reshape(n, _BLOCKS, edge, _BLOCKS, edge).sum(axis=(2, 4)).reshape(n, -1))
