"""Targets of a compound in order: by the similarity ensemble, and by the nearest ligand alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iatros.learners.compounds.tanimoto import similarities
from iatros.molecules.fishing.background import Background, chance


@dataclass(frozen=True)
class Ligands:
    """n compounds and which of them are the ligands of each of t targets, as in `Pairs`."""

    words: np.ndarray
    members: np.ndarray
    starts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many ligands each target has, (t,)."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class Scores:
    """Of q compounds against t targets, each (q, t): the sum of similarities, its z-score, the nearest ligand's
    similarity and (where it was asked for) which row of the ligands that is."""

    raw: np.ndarray
    z: np.ndarray
    nearest: np.ndarray
    nearest_rows: np.ndarray | None = None


def score(ligands: Ligands, background: Background, queries: np.ndarray, *, rows: bool = False) -> Scores:
    """How the compounds `queries` (q, words) relate to each target; with `rows` also to which ligand most.

    >>> three = Ligands(np.array([[7], [3], [8]], dtype=np.uint64), np.array([0, 1, 2]), np.array([0, 2, 3]))
    >>> found = score(three, Background(0.3, 0.1, 0.2, 0.5, 0.0), np.array([[7]], dtype=np.uint64))
    >>> found.raw.round(3).tolist(), found.nearest.tolist()
    ([[1.667, 0.0]], [[1.0, 0.0]])
    """
    similar = similarities(queries, ligands.words)[:, ligands.members]
    begin = ligands.starts[:-1]
    raw = np.add.reduceat(np.where(similar >= background.threshold, similar, 0.0), begin, axis=1)
    nearest = np.maximum.reduceat(similar, begin, axis=1)
    found = None
    if rows:
        owner = np.repeat(np.arange(len(begin)), ligands.sizes)
        hit = similar == nearest[:, owner]
        place = np.where(hit, np.arange(similar.shape[1]), similar.shape[1])
        found = ligands.members[np.minimum.reduceat(place, begin, axis=1)]
    return Scores(raw, background.z(raw, ligands.sizes), nearest, found)


def by_ensemble(scores: Scores, query: int, sizes: np.ndarray) -> np.ndarray:
    """Targets of a query, the least likely by chance first; of equals the nearer, then the one with more ligands."""
    return np.lexsort((-sizes, -scores.nearest[query], -scores.z[query]))


def by_sum(scores: Scores, query: int, sizes: np.ndarray) -> np.ndarray:
    """Targets of a query, the largest raw score first: many ligands count, which the ensemble takes off again."""
    return np.lexsort((-sizes, -scores.nearest[query], -scores.raw[query]))


def by_nearest(scores: Scores, query: int, sizes: np.ndarray) -> np.ndarray:
    """Targets of a query, the one with the most similar ligand first; of equals the one with more ligands."""
    return np.lexsort((-sizes, -scores.nearest[query]))


def by_popularity(_: Scores, __: int, sizes: np.ndarray) -> np.ndarray:
    """The targets with the most ligands first, whatever the query: what any ranking must beat."""
    return np.argsort(-sizes, kind="stable")


RANKINGS: dict[str, Callable[[Scores, int, np.ndarray], np.ndarray]] = {
    "ensemble": by_ensemble,
    "sum": by_sum,
    "nearest": by_nearest,
    "popularity": by_popularity,
}
"""Orders of targets by name; the first three can be asked for."""


def significance(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the targets' z-scores (t,): p by chance, E (targets that chance alone would put as high) and q.

    q is the least false discovery rate at which the target is named (Benjamini and Hochberg 1995).

    >>> [one.round(4).tolist() for one in significance(np.array([4.0, 0.0]))]
    [[0.0033, 0.4296], [0.0066, 0.8592], [0.0066, 0.4296]]
    """
    p = chance(z)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return p, p * len(p), q
