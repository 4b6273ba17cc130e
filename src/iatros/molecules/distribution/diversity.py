"""How different the compounds of a set are from each other: for each of them, its mean similarity to all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from iatros.learners.compounds.compiled import compiled, inlined, ones
from iatros.learners.compounds.packing import bit_counts, checked
from iatros.learners.threads import fit_threads

_PIECE = 512


def mean_similarities(words: np.ndarray, *, threads: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The mean similarity (n,) of each compound of `words` (n, words) to all, and the mean of its square (n,).

    A compound is compared with itself too, as MOSES does; two compounds without any bit are then wholly similar, where
    the kernel of searches calls them not similar.

    >>> [part.tolist() for part in mean_similarities(np.array([[3], [1]], dtype=np.uint64))]
    [[0.75, 0.75], [0.625, 0.625]]
    """
    words = checked(words)
    counts = bit_counts(words)
    first, second = np.empty(len(words)), np.empty(len(words))

    def piece(low: int) -> None:
        high = min(low + _PIECE, len(words))
        _sums(words, counts, low, high, first, second)

    with ThreadPoolExecutor(max(1, threads or fit_threads())) as pool:
        for done in [pool.submit(piece, low) for low in range(0, len(words), _PIECE)]:
            done.result()
    return first / len(words), second / len(words)


@inlined
def _common(words: np.ndarray, i: int, j: int) -> int:
    total = 0
    for w in range(words.shape[1]):
        total += int(np.int64(ones(words[i, w] & words[j, w])))
    return total


@compiled
def _sums(
    words: np.ndarray, counts: np.ndarray, low: int, high: int, first: np.ndarray, second: np.ndarray
) -> None:
    """Fill the places low..high with the sum of the similarities to all compounds, and of their squares."""
    for i in range(low, high):
        plain, squared = 0.0, 0.0
        for j in range(len(words)):
            common = _common(words, i, j)
            union = counts[i] + counts[j] - common
            similarity = common / union if union > 0 else 1.0
            plain += similarity
            squared += similarity * similarity
        first[i] = plain
        second[i] = squared
