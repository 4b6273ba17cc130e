"""A table of rows and columns as the product of few factors of each (alternating least squares)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = 15


@dataclass(frozen=True)
class Factors:
    """`rows` (rows, k) and `columns` (columns, k): their product is the table."""

    rows: np.ndarray
    columns: np.ndarray


def factorise(values: np.ndarray, known: np.ndarray, k: int, penalty: float, *, seed: int) -> Factors:
    """Factors of `values` (rows, columns) where `known` is 1.0; `penalty` times the squared factors is added.

    Zhou and others 2008, with one penalty for all. A row or column of which nothing is known has factors of 0.
    """
    rng = np.random.default_rng(seed)
    columns = rng.normal(0.0, 0.1, (values.shape[1], k))
    held = values * known
    for _ in range(STEPS):
        rows = _half(columns, known, held, penalty)
        columns = _half(rows, known.T, held.T, penalty)
    return Factors(rows, columns)


def _half(fixed: np.ndarray, known: np.ndarray, held: np.ndarray, penalty: float) -> np.ndarray:
    k = fixed.shape[1]
    squares = (fixed[:, :, None] * fixed[:, None, :]).reshape(len(fixed), k * k)
    normal = (known @ squares).reshape(-1, k, k) + penalty * np.eye(k)
    solved: np.ndarray = np.linalg.solve(normal, (held @ fixed)[:, :, None])[:, :, 0]
    return solved
