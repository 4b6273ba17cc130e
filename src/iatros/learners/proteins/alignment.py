"""Local alignment of protein sequences (Smith and Waterman 1981), with affine gaps (Gotoh 1982), and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from iatros.learners.compounds.compiled import compiled
from iatros.learners.proteins.sequences import LETTERS, codes

GAP_OPEN = 11
"""What the first residue of a gap costs, its extension included; BLAST's default for BLOSUM62."""
GAP_EXTEND = 1
_ORDER = "ARNDCQEGHILKMFPSTWYVX"
_BLOSUM62 = """
 4 -1 -2 -2  0 -1 -1  0 -2 -1 -1 -1 -1 -2 -1  1  0 -3 -2  0  0
-1  5  0 -2 -3  1  0 -2  0 -3 -2  2 -1 -3 -2 -1 -1 -3 -2 -3 -1
-2  0  6  1 -3  0  0  0  1 -3 -3  0 -2 -3 -2  1  0 -4 -2 -3 -1
-2 -2  1  6 -3  0  2 -1 -1 -3 -4 -1 -3 -3 -1  0 -1 -4 -3 -3 -1
 0 -3 -3 -3  9 -3 -4 -3 -3 -1 -1 -3 -1 -2 -3 -1 -1 -2 -2 -1 -2
-1  1  0  0 -3  5  2 -2  0 -3 -2  1  0 -3 -1  0 -1 -2 -1 -2 -1
-1  0  0  2 -4  2  5 -2  0 -3 -3  1 -2 -3 -1  0 -1 -3 -2 -2 -1
 0 -2  0 -1 -3 -2 -2  6 -2 -4 -4 -2 -3 -3 -2  0 -2 -2 -3 -3 -1
-2  0  1 -1 -3  0  0 -2  8 -3 -3 -1 -2 -1 -2 -1 -2 -2  2 -3 -1
-1 -3 -3 -3 -1 -3 -3 -4 -3  4  2 -3  1  0 -3 -2 -1 -3 -1  3 -1
-1 -2 -3 -4 -1 -2 -3 -4 -3  2  4 -2  2  0 -3 -2 -1 -2 -1  1 -1
-1  2  0 -1 -3  1  1 -2 -1 -3 -2  5 -1 -3 -1  0 -1 -3 -2 -2 -1
-1 -1 -2 -3 -1  0 -2 -3 -2  1  2 -1  5  0 -2 -1 -1 -1 -1  1 -1
-2 -3 -3 -3 -2 -3 -3 -3 -1  0  0 -3  0  6 -4 -2 -2  1  3 -1 -1
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4  7 -1 -1 -4 -3 -2 -2
 1 -1  1  0 -1  0  0  0 -1 -2 -2  0 -1 -2 -1  4  1 -3 -2 -2  0
 0 -1  0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1  1  5 -2 -2  0  0
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1  1 -4 -3 -2 11  2 -3 -2
-2 -2 -2 -3 -2 -1 -2 -3  2 -1 -1 -2 -1  3 -3 -2 -2  2  7 -1 -1
 0 -3 -3 -3 -1 -2 -2 -3 -3  3  1 -2  1 -1 -2 -2  0 -3 -1  4 -1
 0 -1 -1 -1 -2 -1 -1 -1 -1 -1 -1 -1 -1 -1 -2  0  0 -2 -1 -1 -1
"""


def _scores() -> np.ndarray:
    """BLOSUM62 (Henikoff and Henikoff 1992) in the order of `LETTERS`, int32 (21, 21)."""
    table = np.array([line.split() for line in _BLOSUM62.strip().splitlines()], dtype=np.int32)
    order = [_ORDER.index(letter) for letter in LETTERS]
    return np.ascontiguousarray(table[np.ix_(order, order)])


SCORES = _scores()


MEMORY = 2**20
"""Scores that a process remembers: the folds of a validation ask for the same pairs again."""


def score(one: str, other: str) -> int:
    """The score of the best local alignment of two clean sequences; 0 where nothing is alike.

    >>> score("MKV", "MKV")
    14
    """
    return _score(one, other) if one <= other else _score(other, one)


@lru_cache(MEMORY)
def _score(one: str, other: str) -> int:
    return int(_align(codes(one), codes(other), SCORES, GAP_OPEN, GAP_EXTEND))


def similarities(sequences: Sequence[str], others: Sequence[str] | None = None) -> np.ndarray:
    """Score over the root of the product of the scores with themselves, float64 (n, m), in [0, 1].

    Without `others` each sequence is compared with each. Equal sequences are 1 alike, whatever they hold; otherwise a
    sequence of nothing but X is like no other.
    """
    a, of_a = _distinct(sequences)
    b, of_b = (a, of_a) if others is None else _distinct(others)
    own_a, own_b = self_scores(a), self_scores(b)
    matrix = np.zeros((len(a), len(b)))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            if one == other:
                matrix[i, j] = 1.0
            elif own_a[i] * own_b[j] > 0:
                matrix[i, j] = score(one, other) / np.sqrt(own_a[i] * own_b[j])
    return matrix[np.ix_(of_a, of_b)]


def self_scores(sequences: Sequence[str]) -> np.ndarray:
    """The score of each clean sequence with itself, float64 (n,): the sum over its letters, which nothing exceeds."""
    return np.array([max(0, int(SCORES.diagonal()[codes(text)].sum())) for text in sequences], dtype=float)


def clusters(similarity: np.ndarray, threshold: float) -> np.ndarray:
    """A number for each row, int64 (n,), equal for what a chain of pairs above `threshold` connects.

    Clusters are numbered by their first row. `similarity` is (n, n), symmetric.

    >>> clusters(np.array([[1, 0.7, 0], [0.7, 1, 0], [0, 0, 1]]), 0.6).tolist()
    [0, 0, 1]
    """
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(similarity > threshold, directed=False)
    _, first, place = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    numbered: np.ndarray = rank[place.reshape(-1)].astype(np.int64)
    return numbered


def _distinct(sequences: Sequence[str]) -> tuple[list[str], np.ndarray]:
    known = {text: row for row, text in enumerate(dict.fromkeys(sequences))}
    return list(known), np.array([known[text] for text in sequences], dtype=np.int64)


@compiled
def _align(a: np.ndarray, b: np.ndarray, scores: np.ndarray, gap_open: int, gap_extend: int) -> int:
    """The greatest entry of Gotoh's three matrices, of which one row each is held."""
    m = len(b)
    best = 0
    whole = np.zeros(m + 1, dtype=np.int32)  # ends in a pair, or begins anew
    down = np.full(m + 1, -1_000_000, dtype=np.int32)  # ends in a gap of b
    for i in range(len(a)):
        row = scores[a[i]]
        diagonal = 0
        right = -1_000_000  # ends in a gap of a
        for j in range(m):
            gap = max(down[j + 1] - gap_extend, whole[j + 1] - gap_open)
            down[j + 1] = gap
            right = max(right - gap_extend, whole[j] - gap_open)
            value = max(0, diagonal + row[b[j]], gap, right)
            diagonal = whole[j + 1]
            whole[j + 1] = value
            best = max(best, value)
    return best
