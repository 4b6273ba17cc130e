"""Sums over the codes of visits, in numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_BLOCK = 50_000_000
"""Numbers that are gathered at once: 200 MB of float32."""


def bag_sum(table: np.ndarray, start: np.ndarray, bag: np.ndarray) -> np.ndarray:
    """The sum of the rows of `table` (places, d) in each bag, (bags, d); bag k is `bag[start[k]:start[k + 1]]`.

    >>> bag_sum(np.array([[1.0], [10.0]]), np.array([0, 2, 2]), np.array([0, 1])).tolist()
    [[11.0], [0.0]]
    """
    n = len(start) - 1
    found = np.zeros((n, table.shape[1]), dtype=table.dtype)
    step = max(1, int(_BLOCK // max(1, table.shape[1] * max(1.0, len(bag) / max(n, 1)))))
    for at in range(0, n, step):
        own = start[at : at + step + 1]
        full = np.flatnonzero(np.diff(own))
        if len(full):
            rows = table[bag[own[0] : own[-1]]]
            found[at + full] = np.add.reduceat(rows, own[full] - own[0], axis=0)
    return found


def ever_before(start: np.ndarray, bag_start: np.ndarray, bag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes of all earlier visits of each visit's subject, each once: where they begin (visits + 1,), and they."""
    pieces: list[np.ndarray] = []
    size = np.zeros(len(bag_start) - 1, dtype=np.int64)
    for first, end in pairwise(start.tolist()):
        seen = np.empty(0, dtype=np.int64)
        for visit in range(first, end):
            pieces.append(seen)
            size[visit] = len(seen)
            seen = np.union1d(seen, bag[bag_start[visit] : bag_start[visit + 1]])
    joined = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
    return np.concatenate([[0], np.cumsum(size)]).astype(np.int64), joined.astype(np.int64)
