"""Which pictures could be the same: nearest neighbours of a whitened sketch, without looking at every pair twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_COMPONENTS = 128
_FLOOR = 0.3
"""Share of the middle component's variance that is added to all: small components are mostly noise."""
_SKETCH_SIDE = 32
_SMOOTH = 0.7
_LEARNED_FROM = 6000
_BLOCK_CELLS = 40_000_000
_STRIDE = 64


@dataclass(frozen=True)
class Sketcher:
    """Turns evened thumbnails into unit vectors that say how a picture differs from the others.

    What all pictures of a kind share (two lungs and a heart, say) is their mean and their strongest principal
    components; whitening takes it away, so that pictures of different patients lie far apart.
    """

    mean: np.ndarray
    """(1024,)"""
    directions: np.ndarray
    """(1024, k), k at most 128."""

    @staticmethod
    def learned(evened: np.ndarray) -> Sketcher:
        """From thumbnails (n, 32, 32); at most 6000 of them, evenly spread."""
        flat = _flat(evened[:: max(1, len(evened) // _LEARNED_FROM)])
        mean = flat.mean(axis=0)
        centred = flat - mean
        variance, axes = np.linalg.eigh((centred.T @ centred / len(flat)).astype(np.float64))
        k = max(1, min(_COMPONENTS, len(flat) - 1))
        variance, axes = np.maximum(variance[::-1][:k], 0.0), axes[:, ::-1][:, :k]
        scaled = axes / np.sqrt(variance + _FLOOR * variance[k // 2] + 1e-9)
        return Sketcher(mean, scaled.astype(np.float32))

    def __call__(self, evened: np.ndarray) -> np.ndarray:
        """Unit vectors (n, k)."""
        sketch = (_flat(evened) - self.mean) @ self.directions
        return np.asarray(sketch / np.maximum(np.linalg.norm(sketch, axis=1, keepdims=True), 1e-6))


def _flat(evened: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(evened, (0, _SMOOTH, _SMOOTH)).reshape(len(evened), -1))


def nearest(
    asked: np.ndarray, known: np.ndarray, k: int, *, but_itself: bool
) -> tuple[np.ndarray, np.ndarray]:
    """At least `k` nearest of `known` (n, d) for each of `asked` (m, d): row of `asked`, row of `known`.

    With `but_itself`, both are the same and a row is not its own neighbour. In blocks of matrix products; the limit
    of a row is the k-th largest of the maxima of n / 64 sets of columns, which costs a pass instead of a sort.
    """
    rows, columns = [], []
    n = len(known)
    block = max(1, _BLOCK_CELLS // max(n, 1))
    for begin in range(0, len(asked), block):
        close = asked[begin : begin + block] @ known.T
        if but_itself:
            close[np.arange(len(close)), begin + np.arange(len(close))] = -2.0
        row, column = np.nonzero(close >= _limits(close, min(k, n - but_itself))[:, None])
        rows.append(row + begin)
        columns.append(column)
    return np.concatenate(rows), np.concatenate(columns)


def _limits(close: np.ndarray, k: int) -> np.ndarray:
    n = close.shape[1]
    sets = n // _STRIDE
    if sets < 4 * k:
        return np.asarray(np.partition(close, n - k, axis=1)[:, n - k])
    best = close[:, : sets * _STRIDE].reshape(len(close), _STRIDE, sets).max(axis=1)
    return np.asarray(np.partition(best, sets - k, axis=1)[:, sets - k])


def unordered(one: np.ndarray, two: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pair once, smaller row first, sorted."""
    codes = np.unique(np.minimum(one, two).astype(np.int64) * n + np.maximum(one, two))
    return codes // n, codes % n
