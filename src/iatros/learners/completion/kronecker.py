"""Kernel ridge regression on a table of rows and columns (Pahikkala and others 2015, KronRLS).

The kernel of two pairs is the product of the kernels of their rows and of their columns. With A (rows, columns) the
dual coefficients, 0 where nothing was measured, the predictions are Kr A Kc, so that the kernel of all pairs, which
has the square of their number of entries, is never made.
"""

from __future__ import annotations

import numpy as np

from iatros.core.errors import FitError

TOLERANCE = 1e-3
"""Of the residual over the values, where conjugate gradients end: far below what a measurement can tell."""
MAX_STEPS = 200


def solve(
    row_kernel: np.ndarray, column_kernel: np.ndarray, values: np.ndarray, known: np.ndarray, ridge: float
) -> np.ndarray:
    """The dual coefficients A (rows, columns) of the regression of `values` where `known` is 1.0, else 0.0.

    Both kernels are symmetric and have no negative eigenvalue. A whole table is solved by two eigendecompositions,
    one with gaps by conjugate gradients, each step of which is two matrix products.
    """
    if known.all():
        return Whole(row_kernel, column_kernel).solve(values, ridge)
    return _iterated(row_kernel, column_kernel, values * known, known, ridge)


class Whole:
    """Kernels decomposed once, so that a whole table can be regressed with several ridges."""

    def __init__(self, row_kernel: np.ndarray, column_kernel: np.ndarray) -> None:
        """Negative eigenvalues, of similarities that are no kernels, are taken as 0."""
        of_rows, self.rows = np.linalg.eigh(row_kernel)
        of_columns, self.columns = np.linalg.eigh(column_kernel)
        self.products = np.outer(np.maximum(of_rows, 0.0), np.maximum(of_columns, 0.0))

    def solve(self, values: np.ndarray, ridge: float) -> np.ndarray:
        """The dual coefficients of the regression of `values` (rows, columns)."""
        turned = (self.rows.T @ values @ self.columns) / (self.products + ridge)
        answer: np.ndarray = self.rows @ turned @ self.columns.T
        return answer


def _iterated(
    row_kernel: np.ndarray, column_kernel: np.ndarray, values: np.ndarray, known: np.ndarray, ridge: float
) -> np.ndarray:
    single = np.float32  # half the time; the products are rounded far below the tolerance
    of_rows, of_columns, mask = (one.astype(single) for one in (row_kernel, column_kernel, known))
    left = values.astype(single)
    answer = np.zeros_like(left)
    direction = left.copy()
    size = first = float((left * left).sum(dtype=float))
    if first == 0.0:
        return answer
    for _ in range(MAX_STEPS):
        image = mask * (of_rows @ direction @ of_columns) + single(ridge) * direction
        curvature = float((direction * image).sum(dtype=float))
        if not curvature > 0.0:
            raise FitError("the kernel of rows or of columns has negative eigenvalues")
        step = size / curvature
        answer += single(step) * direction
        left -= single(step) * image
        previous, size = size, float((left * left).sum(dtype=float))
        if size < TOLERANCE**2 * first:
            break
        direction = left + single(size / previous) * direction
    return answer
