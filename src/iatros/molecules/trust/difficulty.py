"""How large an error to expect of a compound, so that an interval can be wide where the model knows little.

Conformal prediction with residuals in units of their expected size (Papadopoulos et al. 2002, "Inductive confidence
machines for regression"): coverage holds as before, and the width follows the compound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import InputError

_LEAST = 0.25
"""Share of the mean error below which no compound's expected error falls."""


@dataclass(frozen=True)
class Difficulty:
    """Expected absolute error, in the endpoint's unit: a constant, more with the distance to what was learned from,
    and more with the disagreement of the models.

    `coefficients` (3,) of 1, of 1 less the similarity, and of the disagreement; none is negative.
    """

    coefficients: np.ndarray
    least: float

    def of(self, similarity: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
        """(n,), for the similarity to the nearest compounds that were learned from (nan: not known) and the spread.

        >>> rises = Difficulty(np.array([0.1, 1.0, 0.0]), 0.2)
        >>> rises.of(np.array([1.0, 0.4]), np.zeros(2)).round(3).tolist()
        [0.2, 0.7]
        """
        found: np.ndarray = np.maximum(_design(similarity, disagreement) @ self.coefficients, self.least)
        return found

    @classmethod
    def fit(cls, errors: np.ndarray, similarity: np.ndarray, disagreement: np.ndarray) -> Difficulty:
        """From absolute errors (n,) of predictions for unseen compounds, by least squares without negative terms."""
        from scipy.optimize import nnls

        errors = np.asarray(errors, dtype=float)
        if not errors.shape == np.shape(similarity) == np.shape(disagreement) or not len(errors):
            raise InputError("errors, similarity and disagreement need one entry for each of some compounds")
        coefficients, _ = nnls(_design(similarity, disagreement), errors)
        mean = float(errors.mean())
        return cls(coefficients, _LEAST * mean if mean > 0.0 else 1.0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {"coefficients": self.coefficients, "least": np.array([self.least])}

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> Difficulty:
        """The reverse of `arrays`; where there are none, every compound is as difficult as another."""
        if not arrays:
            return cls(np.zeros(3), 1.0)
        return cls(np.asarray(arrays["coefficients"], dtype=float), float(arrays["least"][0]))


def _design(similarity: np.ndarray, disagreement: np.ndarray) -> np.ndarray:
    distance = np.nan_to_num(1.0 - np.asarray(similarity, dtype=float), nan=0.0)
    return np.column_stack([np.ones(len(distance)), distance, np.asarray(disagreement, dtype=float)])
