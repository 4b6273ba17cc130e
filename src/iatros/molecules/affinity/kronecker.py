"""Kernel ridge regression on a table of drugs and targets (Pahikkala and others 2015, KronRLS).

The kernel of two pairs is the product of the kernels of their drugs and of their targets. With A (drugs, targets) the
dual coefficients, 0 where nothing was measured, the predictions are Kd A Kt, so that the kernel of all pairs, which
has the square of their number of entries, is never made.
"""

from __future__ import annotations

import numpy as np

from iatros.core.errors import FitError

TOLERANCE = 1e-3
"""Of the residual over the values, where conjugate gradients end: far below what an assay can tell."""
MAX_STEPS = 200


def solve(
    drug_kernel: np.ndarray, target_kernel: np.ndarray, values: np.ndarray, known: np.ndarray, ridge: float
) -> np.ndarray:
    """The dual coefficients A (drugs, targets) of the regression of `values` where `known` is 1.0, else 0.0.

    Both kernels are symmetric and have no negative eigenvalue. A whole table is solved by two eigendecompositions,
    one with gaps by conjugate gradients, each step of which is two matrix products.
    """
    if known.all():
        return _closed(drug_kernel, target_kernel, values, ridge)
    return _iterated(drug_kernel, target_kernel, values * known, known, ridge)


def _closed(
    drug_kernel: np.ndarray, target_kernel: np.ndarray, values: np.ndarray, ridge: float
) -> np.ndarray:
    of_drugs, drugs = np.linalg.eigh(drug_kernel)
    of_targets, targets = np.linalg.eigh(target_kernel)
    products = np.outer(np.maximum(of_drugs, 0.0), np.maximum(of_targets, 0.0))
    answer: np.ndarray = drugs @ ((drugs.T @ values @ targets) / (products + ridge)) @ targets.T
    return answer


def _iterated(
    drug_kernel: np.ndarray, target_kernel: np.ndarray, values: np.ndarray, known: np.ndarray, ridge: float
) -> np.ndarray:
    single = np.float32  # half the time; the products are rounded far below the tolerance
    of_drugs, of_targets, mask = (one.astype(single) for one in (drug_kernel, target_kernel, known))
    left = values.astype(single)
    answer = np.zeros_like(left)
    direction = left.copy()
    size = first = float((left * left).sum(dtype=float))
    if first == 0.0:
        return answer
    for _ in range(MAX_STEPS):
        image = mask * (of_drugs @ direction @ of_targets) + single(ridge) * direction
        curvature = float((direction * image).sum(dtype=float))
        if not curvature > 0.0:
            raise FitError("the kernel of drugs or of targets has negative eigenvalues")
        step = size / curvature
        answer += single(step) * direction
        left -= single(step) * image
        previous, size = size, float((left * left).sum(dtype=float))
        if size < TOLERANCE**2 * first:
            break
        direction = left + single(size / previous) * direction
    return answer
