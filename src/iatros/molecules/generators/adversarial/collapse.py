"""Whether a generator writes all of a chemical space or the same few compounds of it: measures of mode collapse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iatros.molecules.generators.library import Library
from iatros.molecules.generators.texts.reading import read_all

JUDGED = ("valid", "unique", "internal_diversity", "coverage")
"""What `Yardstick` measures."""
WRITTEN = 10_000
"""Texts that are written in the end, as MOSES does."""
LOOKED_AT = 1_000
"""Texts that are written whenever a generator is looked at while it learns."""
NEIGHBOURS = 3
"""Neighbour up to which a latent vector's own ground reaches."""
_DIVERSE = 1000
"""Compounds among whom the internal diversity is computed."""


def precision_and_recall(
    real: np.ndarray, made: np.ndarray, neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """Shares of `made` vectors (m, latent) on the ground of `real` ones (n, latent), and of real on that of made.

    The ground of a set is all that is as near to one of its vectors as the `neighbours`-th nearest other of the set is
    (Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2). A collapsed generator may have a precision of 1;
    its recall falls.

    >>> real, made = np.array([[0.0], [1.0], [3.0]]), np.array([[0.4], [0.5], [0.7]])
    >>> precision_and_recall(real, made, 1)
    (1.0, 0.0)
    """
    return _on_ground(real, made, neighbours), _on_ground(made, real, neighbours)


def _on_ground(ground: np.ndarray, asked: np.ndarray, neighbours: int) -> float:
    apart = _squared_distances(ground, ground)
    np.fill_diagonal(apart, 0.0)
    kept = min(neighbours, len(ground) - 1)
    reach = np.partition(apart, kept, axis=1)[:, kept]
    return float((_squared_distances(asked, ground) <= reach).any(axis=1).mean())


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.maximum(squared, 0.0))


class Yardstick:
    """What written compounds are held against: the scaffolds of the tuning compounds, and the library itself.

    `rows` and `tuning` are those of the library that were learned from, and those that were not.
    """

    def __init__(self, library: Library, rows: np.ndarray, tuning: np.ndarray, seed: int) -> None:
        self.library, self.rows, self.seed = library, rows, seed
        self.scaffolds = _scaffolds([library.smiles[row] for row in tuning])

    def measures(self, texts: Sequence[str]) -> dict[str, float]:
        """`JUDGED` of texts: the valid share, the unique share of the valid, their internal diversity, their coverage.

        Internal diversity is that of MOSES over the first 1000 valid ones (1 less the mean Tanimoto similarity of
        Morgan fingerprints of 1024 bits, each with itself too); coverage is the share of the tuning compounds'
        scaffolds that was hit.
        """
        valid = [text for text in read_all(texts) if text]
        hit = len(self.scaffolds & _scaffolds(valid)) / len(self.scaffolds) if self.scaffolds else 0.0
        unique = len(set(valid)) / len(valid) if valid else 0.0
        numbers = (len(valid) / len(texts), unique, _internal_diversity(valid[:_DIVERSE]), hit)
        return dict(zip(JUDGED, numbers, strict=True))

    def of_library(self, n: int) -> dict[str, float]:
        """The same of `n` compounds that were learned from, or all where there are fewer: the best to be hoped for."""
        rng = np.random.default_rng([self.seed, 19])
        drawn = rng.choice(self.rows, min(n, len(self.rows)), replace=False)
        return self.measures([self.library.smiles[row] for row in drawn])


def _scaffolds(smiles: Sequence[str]) -> set[str]:
    """Bemis-Murcko scaffolds of compounds that have a ring."""
    from iatros.molecules.splitting.scaffolds import scaffold

    return {scaffold(text) for text in set(smiles)} - {""}


def _internal_diversity(smiles: Sequence[str]) -> float:
    """In [0, 1]; 0 where there is no compound."""
    from iatros.learners.compounds.fingerprints import Fingerprint, compute
    from iatros.learners.compounds.tanimoto import mean_similarity

    found = compute(smiles, Fingerprint("morgan", n_bits=1024)).values
    return 1.0 - mean_similarity(found, with_self=True) if len(found) else 0.0
