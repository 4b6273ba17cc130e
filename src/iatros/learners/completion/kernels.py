"""Kernels of the rows, or of the columns, of a table: how alike two of them are, by features or by profiles."""

from __future__ import annotations

import numpy as np

N_LIKES = 10
DECAY = 0.7
"""Each next neighbour counts so much less (WKNKN: Ezzat and others 2017)."""


def gaussian(profiles: np.ndarray, others: np.ndarray, factor: float) -> np.ndarray:
    """exp(-factor d^2) between the rows of `profiles` (q, k) and of `others` (n, k), as (q, n)."""
    square = (profiles**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :]
    square -= 2.0 * profiles @ others.T
    kernel: np.ndarray = np.exp(-factor * np.maximum(square, 0.0))
    return kernel


def cosine(profiles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cosine of the angle between the rows of `profiles` (q, k) and of `others` (n, k), 0 of a row of zeros."""
    lengths = [np.maximum(np.linalg.norm(one, axis=1), 1e-12) for one in (profiles, others)]
    kernel: np.ndarray = (profiles / lengths[0][:, None]) @ (others / lengths[1][:, None]).T
    return kernel


def mean_square(profiles: np.ndarray) -> float:
    """The mean squared length of the rows, above 0: the width of Gaussian interaction profiles."""
    return max(float((profiles * profiles).sum(axis=1).mean()), 1e-12)


def mean_distance(values: np.ndarray) -> float:
    """The mean squared distance between two different rows of `values` (n, k), above 0."""
    n = len(values)
    centred = values - values.mean(axis=0)
    return max(float(2.0 * (centred * centred).sum() / max(n - 1, 1)), 1e-12)


def tanimoto(bits: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bits in common over bits in either, (q, n); 0 where neither has any."""
    common = bits @ others.T
    either = bits.sum(axis=1)[:, None] + others.sum(axis=1)[None, :] - common
    kernel: np.ndarray = np.where(either > 0, common / np.maximum(either, 1e-12), 0.0)
    return kernel


def likes(similarity: np.ndarray, itself: np.ndarray, k: int = N_LIKES, decay: float = DECAY) -> np.ndarray:
    """The weights (q, n) with which the known ones speak for each asked one: its `k` most similar, less and less.

    `similarity` (q, n); `itself` (q,) is the place of an asked one among the known, which does not speak for itself,
    or -1. The weights are similarities times `decay` to the rank, over the sum of these similarities; none where
    nothing is similar. Equal similarities stand in the order of the table.
    """
    given = np.maximum(similarity, 0.0)
    own = np.flatnonzero(itself >= 0)
    given[own, itself[own]] = 0.0
    k = min(k, given.shape[1])
    order = np.argsort(-given, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(given, order, axis=1)
    total = nearest.sum(axis=1, keepdims=True)
    weights = np.zeros_like(given)
    shares = nearest * decay ** np.arange(k) / np.where(total > 0, total, 1.0)
    np.put_along_axis(weights, order, shares, axis=1)
    return weights


def smoothed(values: np.ndarray, of_rows: np.ndarray, of_columns: np.ndarray) -> np.ndarray:
    """A table of 0 and 1 with what the likes of its rows and columns have where it has 0 (Ezzat and others 2017).

    `of_rows` (n, n) and `of_columns` (m, m) are weights from `likes`; where both are given the two are averaged.
    """
    told: np.ndarray = (of_rows @ values + values @ of_columns.T) / 2.0
    return np.maximum(values, told)
