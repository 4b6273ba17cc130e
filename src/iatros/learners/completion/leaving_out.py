"""What a kernel regression says of each row of a table when that row is left out, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import FitError

RIDGES = tuple(float(one) for one in np.geomspace(0.1, 30.0, 8))


@dataclass(frozen=True)
class LeftOut:
    """The ridge with the smallest error, and that error: the mean square over the cells of rows left out."""

    error: float
    ridge: float


class RowsLeftOut:
    """Regressions of tables on one kernel of the rows (n, n), symmetric without negative eigenvalues."""

    def __init__(self, kernel: np.ndarray) -> None:
        sizes, self.vectors = np.linalg.eigh(kernel)
        self.sizes = np.maximum(sizes, 0.0)

    def dual(self, values: np.ndarray, ridge: float) -> np.ndarray:
        """The coefficients (n, m) of the regression of `values` (n, m), every column on its own."""
        answer: np.ndarray = self.vectors @ ((self.vectors.T @ values) / (self.sizes + ridge)[:, None])
        return answer

    def residual(self, values: np.ndarray, ridge: float) -> np.ndarray:
        """`values` less what the other rows predict of each (Allen 1974): dual over the inverse's diagonal."""
        inverse = (self.vectors**2) @ (1.0 / (self.sizes + ridge))
        answer: np.ndarray = self.dual(values, ridge) / inverse[:, None]
        return answer

    def best(self, values: np.ndarray, ridges: tuple[float, ...] = RIDGES) -> LeftOut:
        """The ridge of `ridges` under which rows left out are predicted best."""
        errors = [float((self.residual(values, ridge) ** 2).mean()) for ridge in ridges]
        place = int(np.argmin(errors))
        return LeftOut(errors[place], ridges[place])


def choose_weights(
    kernels: list[np.ndarray],
    values: np.ndarray,
    *,
    passes: int = 2,
    steps: tuple[float, ...] = (0.0, 0.4, 2.5),
) -> tuple[np.ndarray, LeftOut]:
    """Weights of the kernels, summing to 1, with which rows of `values` (n, m) left out are predicted best.

    From equal weights, each kernel's in turn is multiplied by each of `steps`, and the change is kept where the error
    falls by more than a two-thousandth. Few steps on purpose: a fine search would fit the noise of the rows.
    """
    if not kernels:
        raise FitError("no kernel to weigh")
    weights = np.full(len(kernels), 1.0 / len(kernels))
    found = _of(kernels, weights).best(values)
    for _ in range(passes if len(kernels) > 1 else 0):
        for place in range(len(kernels)):
            for step in steps:
                tried = weights.copy()
                tried[place] *= step
                if tried.sum() <= 0.0 or tried[place] == weights[place]:
                    continue
                tried /= tried.sum()
                new = _of(kernels, tried).best(values)
                if new.error < found.error * 0.9995:
                    weights, found = tried, new
    return weights, found


def _of(kernels: list[np.ndarray], weights: np.ndarray) -> RowsLeftOut:
    total = sum(weight * kernel for weight, kernel in zip(weights, kernels, strict=True) if weight > 0)
    return RowsLeftOut(np.asarray(total))
