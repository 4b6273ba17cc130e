"""The Fréchet distance of two sets of compounds from the moments of what ChemNet makes of them."""

from __future__ import annotations

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.threads import one_blas_thread
from iatros.molecules.distribution.chemnet import Moments


def distance(one: Moments, other: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the two normal distributions (Preuer et al. 2018); 0 or more.

    The trace of the root is the sum of the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric, so
    that no imaginary part has to be cut off. The distance of two samples of one distribution is above 0 and falls with
    their size.
    """
    if min(one.n, other.n) < 2:
        raise InputError(
            f"a covariance needs two compounds at least, got {min(one.n, other.n)}",
            hint="give more compounds, or leave out fcd",
        )
    with one_blas_thread():
        values, vectors = np.linalg.eigh(one.covariance)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        shared = np.linalg.eigvalsh(root @ other.covariance @ root)
        apart = one.mean - other.mean
        found = (
            apart @ apart
            + np.trace(one.covariance)
            + np.trace(other.covariance)
            - 2.0 * np.sqrt(np.maximum(shared, 0.0)).sum()
        )
    return max(float(found), 0.0)
