"""A large image through a network that takes patches: overlapping windows, weighted towards their middles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

Run = Callable[[np.ndarray], np.ndarray]
"""Logits (n, k, *patch) of patches (n, channels, *patch)."""

_BATCH = 4
_WIDTH = 1 / 8
"""Deviation of the weights, in patches (Isensee et al., 2021)."""


def shares(
    run: Run,
    values: np.ndarray,
    patch: tuple[int, ...],
    *,
    overlap: float = 0.5,
    mirror_axes: tuple[int, ...] = (),
) -> np.ndarray:
    """The share of each label at every voxel of `values` (channels, *shape): (k, *shape), summing to 1.

    Logits of overlapping windows are averaged with Gaussian weights; with `mirror_axes` (spatial axes), those of
    the images mirrored in each of them and their combinations too.
    """
    padded, inner = _padded(values, patch)
    logits = _logits(run, padded, patch, overlap)
    mirrors = [axes for axes in _subsets(mirror_axes) if axes]
    for axes in mirrors:
        flipped = tuple(1 + axis for axis in axes)
        logits += np.flip(_logits(run, np.flip(padded, flipped), patch, overlap), flipped)
    logits = logits[(slice(None), *inner)] / (1 + len(mirrors))
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    summed: np.ndarray = logits / logits.sum(axis=0)
    return summed


def windows(shape: tuple[int, ...], patch: tuple[int, ...], overlap: float) -> Iterator[tuple[slice, ...]]:
    """Windows of the size of `patch` that cover `shape`, evenly spread, neighbours sharing at least `overlap`.

    >>> [window[0].start for window in windows((20, 8), (8, 8), 0.5)]
    [0, 4, 8, 12]
    """
    starts = []
    for length, size in zip(shape, patch, strict=True):
        step = max(1, int(size * (1 - overlap)))
        count = -(-(length - size) // step) + 1
        starts.append(np.round(np.linspace(0, length - size, count)).astype(int).tolist())
    for corner in product(*starts):
        yield tuple(slice(start, start + size) for start, size in zip(corner, patch, strict=True))


def middle_weights(patch: tuple[int, ...]) -> np.ndarray:
    """Gaussian weights of the shape of `patch`, 1 in the middle, never 0."""
    weights = np.ones(patch, dtype=np.float64)
    for axis, size in enumerate(patch):
        place = np.arange(size) - (size - 1) / 2
        curve = np.exp(-0.5 * (place / (size * _WIDTH)) ** 2)
        weights *= curve.reshape([-1 if k == axis else 1 for k in range(len(patch))])
    return np.maximum(weights, 1e-3).astype(np.float32)


def _logits(run: Run, values: np.ndarray, patch: tuple[int, ...], overlap: float) -> np.ndarray:
    places = list(windows(values.shape[1:], patch, overlap))
    weights = middle_weights(patch)
    total: np.ndarray | None = None
    weight = np.zeros(values.shape[1:], dtype=np.float32)
    for begin in range(0, len(places), _BATCH):
        chosen = places[begin : begin + _BATCH]
        found = run(np.stack([values[(slice(None), *place)] for place in chosen]))
        if total is None:
            total = np.zeros((found.shape[1], *values.shape[1:]), dtype=np.float32)
        for place, logits in zip(chosen, found, strict=True):
            total[(slice(None), *place)] += logits * weights
            weight[place] += weights
    assert total is not None
    return total / weight


def _padded(values: np.ndarray, patch: tuple[int, ...]) -> tuple[np.ndarray, tuple[slice, ...]]:
    """`values` with 0, the mean of a normalised image, on both sides where it is smaller than `patch`."""
    missing = [max(0, size - length) for size, length in zip(patch, values.shape[1:], strict=True)]
    before = [gap // 2 for gap in missing]
    inner = tuple(slice(b, b + length) for b, length in zip(before, values.shape[1:], strict=True))
    around = [(0, 0), *((b, gap - b) for b, gap in zip(before, missing, strict=True))]
    return np.pad(values, around), inner


def _subsets(axes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for chosen in product((False, True), repeat=len(axes)):
        yield tuple(axis for axis, taken in zip(axes, chosen, strict=True) if taken)
