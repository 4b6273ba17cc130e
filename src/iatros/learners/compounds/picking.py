"""Groups of similar compounds and diverse picks, on the one Tanimoto kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.compounds import loops
from iatros.learners.compounds.packing import bit_counts, checked
from iatros.learners.compounds.tanimoto import pairs_above


@dataclass(frozen=True)
class Clusters:
    """`labels` (n,) numbers each row's cluster from 0; `centres` (clusters,) the row each was built around."""

    labels: np.ndarray
    centres: np.ndarray


def butina(words: np.ndarray, similarity: float = 0.6, *, threads: int | None = None) -> Clusters:
    """Clusters of compounds at least `similarity` similar to the cluster's centre (Butina 1999).

    The compound with the most neighbours becomes a centre and takes those that no cluster has yet, and so on; of two
    with as many, the earlier row. Two members of one cluster may be less similar to each other than `similarity`, and
    two compounds of different clusters may be more.

    >>> butina(np.array([[7], [15], [16], [3]], dtype=np.uint64), 0.6).labels.tolist()
    [0, 0, 1, 0]
    """
    words = checked(words)
    n = len(words)
    ends, _ = pairs_above(words, similarity, threads=threads)
    centre = np.concatenate([ends[:, 0], ends[:, 1]])
    neighbour = np.concatenate([ends[:, 1], ends[:, 0]])
    size = np.bincount(centre, minlength=n)
    start = np.concatenate([[0], np.cumsum(size)])
    neighbour = neighbour[np.argsort(centre, kind="stable")]
    labels = np.full(n, -1, dtype=np.int64)
    centres: list[int] = []
    for row in np.argsort(-size, kind="stable").tolist():
        if labels[row] >= 0:
            continue
        around = neighbour[start[row] : start[row + 1]]
        labels[around[labels[around] < 0]] = len(centres)
        labels[row] = len(centres)
        centres.append(row)
    return Clusters(labels, np.array(centres, dtype=np.int64))


def max_min(words: np.ndarray, n: int, *, first: Sequence[int] = (0,)) -> np.ndarray:
    """The rows of `n` diverse compounds: `first`, then always the one least similar to its nearest among the picked.

    Of two that are as far away, the earlier row is picked (MaxMin, Ashton 2002).

    >>> max_min(np.array([[7], [15], [48], [3]], dtype=np.uint64), 3).tolist()
    [0, 2, 3]
    """
    words = checked(words)
    picks = list(dict.fromkeys(int(row) for row in first))
    if not picks or min(picks) < 0 or max(picks) >= len(words):
        raise InputError(f"the first picks must be rows from 0 to {len(words) - 1}, got {list(first)[:5]}")
    if not len(picks) <= n <= len(words):
        raise InputError(f"between {len(picks)} and {len(words)} compounds can be picked, got {n}")
    counts = bit_counts(words)
    most = np.full(len(words), -1.0)
    for row in picks:
        loops.raised(words, counts, row, most)
    most[picks] = np.inf
    while len(picks) < n:
        row = int(np.argmin(most))
        picks.append(row)
        loops.raised(words, counts, row, most)
        most[row] = np.inf
    return np.array(picks, dtype=np.int64)
