"""A guess of the score from the structure, which sorts candidates before they are asked for.

A Gaussian process on the compounds that were scored so far; the kernel is the mean of two Tanimoto similarities, of
circular environments and of atom pairs with their distances, both with counts. As in Tripp et al. 2021 (A fresh look at
de novo molecular design benchmarks), where it made a genetic algorithm far more economical with calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from iatros.molecules.generators.texts.reading import parsed

_BITS = 2048


class Surrogate:
    """Scores by similarity to those that are known; `describe` what is given to `fit` and `predict`.

    `noise` is the share of the variance that structures do not explain.
    """

    def __init__(self, noise: float = 0.01) -> None:
        self._noise = noise
        self._known = np.empty((0, 2, _BITS // 64), dtype=np.uint64)
        self._weights, self._mean, self._scale = np.empty(0), 0.0, 1.0
        self._factor: Any = None

    def fit(self, known: np.ndarray, scores: np.ndarray) -> None:
        """Learn from compounds (n, 2, words), as `describe` gives them, and their finite scores (n,)."""
        from scipy.linalg import cho_factor, cho_solve

        self._known = known
        self._mean, self._scale = float(scores.mean()), float(scores.std()) or 1.0
        matrix = kernel(known, known)
        matrix[np.diag_indices_from(matrix)] += self._noise
        self._factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        self._weights = cho_solve(self._factor, (scores - self._mean) / self._scale, check_finite=False)

    def predict(self, compounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The expected score (n,) of each compound, and its standard deviation (n,)."""
        from scipy.linalg import solve_triangular

        across = kernel(compounds, self._known)
        expected = across @ self._weights * self._scale + self._mean
        half = solve_triangular(self._factor[0], across.T, lower=True, check_finite=False)
        spread = np.sqrt(np.maximum(1.0 + self._noise - (half**2).sum(axis=0), 1e-12))
        return expected, spread * self._scale


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The mean (a, b) of the two similarities."""
    from iatros.learners.compounds.tanimoto import similarities

    found = [similarities(np.ascontiguousarray(a[:, k]), np.ascontiguousarray(b[:, k])) for k in range(2)]
    return 0.5 * (found[0] + found[1])


class Describer:
    """Compounds as the surrogate sees them, each computed once."""

    def __init__(self) -> None:
        self._of: dict[str, np.ndarray] = {}

    def __call__(self, smiles: Sequence[str]) -> np.ndarray:
        """Packed bits (n, 2, words) of valid SMILES."""
        for text in smiles:
            if text not in self._of:
                self._of[text] = _words(text)
        if not smiles:
            return np.empty((0, 2, _BITS // 64), dtype=np.uint64)
        return np.stack([self._of[text] for text in smiles])

    def forget(self, kept: set[str]) -> None:
        """Drop all but those of `kept`."""
        self._of = {text: words for text, words in self._of.items() if text in kept}


def _words(smiles: str) -> np.ndarray:
    from rdkit import DataStructs

    molecule = parsed(smiles)
    if molecule is None:  # like nothing else
        return np.zeros((2, _BITS // 64), dtype=np.uint64)
    lines = [DataStructs.BitVectToBinaryText(one.GetFingerprint(molecule)) for one in _generators()]
    return np.frombuffer(b"".join(lines), dtype="<u8").astype(np.uint64).reshape(2, -1)


@lru_cache(maxsize=1)
def _generators() -> tuple[Any, Any]:
    from rdkit.Chem import rdFingerprintGenerator

    return (
        rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_BITS, countSimulation=True),
        rdFingerprintGenerator.GetAtomPairGenerator(fpSize=_BITS, countSimulation=True, maxDistance=12),
    )
