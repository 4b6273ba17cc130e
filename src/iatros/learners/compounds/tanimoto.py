"""The one Tanimoto kernel: exact similarities of compounds, used wherever two compounds are compared.

The Tanimoto similarity of two bit fingerprints is the number of common bits over the number of bits that either
has; of two count fingerprints, the sum of the lesser counts over the sum of the greater. It lies in [0, 1]. Two
compounds without any bit have nothing in common to show, and their similarity is 0 by definition, each with
itself too. Where two compounds are equally similar, the one in the earlier row comes first, so an answer does not
depend on the number of threads nor on how the rows are laid out inside.

Fingerprints are words packed by `iatros.learners.compounds.packing`. Every function is exact; how pairs are
spared is written at the head of `iatros.learners.compounds.loops`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError, LimitError
from iatros.learners.compounds import loops
from iatros.learners.compounds.packing import bit_counts, checked
from iatros.learners.threads import fit_threads

MOST_PAIRS = 200_000_000
_FAR = np.iinfo(np.int64).max
_LEAST_PER_THREAD = 64
_MOST_PER_PIECE = 4096


@dataclass(frozen=True)
class SearchIndex:
    """Compounds sorted by their number of bits, ready to be searched; made by `build_index`.

    `bits` (n, words) and `folded` (8, n) are uint64; `rows` (n,) tells which row was given for each; compounds with
    c bits lie at `starts[c]` up to `starts[c + 1]`.
    """

    bits: np.ndarray
    folded: np.ndarray
    rows: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def compounds(self) -> loops.Compounds:
        """The same for the compiled loops."""
        return loops.Compounds(self.bits, self.folded, self.rows, self.starts)

    def counts(self) -> np.ndarray:
        """How many bits the compound at each place has (n,), int64, rising."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass(frozen=True)
class Neighbours:
    """The nearest compounds of each query, the most similar first: `rows` and `similarities`, both (queries, k).

    Where fewer than k were found, the rest is row -1 with similarity nan.
    """

    rows: np.ndarray
    similarities: np.ndarray


def order_by_count(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order of a `SearchIndex`, and its `starts`."""
    rows = np.argsort(counts, kind="stable").astype(np.int64)
    starts = np.zeros(int(counts.max(initial=0)) + 2, dtype=np.int64)
    np.cumsum(np.bincount(counts, minlength=len(starts) - 1), out=starts[1:])
    return rows, starts


def build_index(words: np.ndarray) -> SearchIndex:
    """The compounds of `words` (n, words) ready to be searched; about half a second for a million.

    >>> len(build_index(np.array([[9], [1]], dtype=np.uint64)))
    2
    """
    words = checked(words)
    rows, starts = order_by_count(bit_counts(words))
    bits = words[rows]
    return SearchIndex(bits, loops.fold(bits), rows, starts)


def search(
    index: SearchIndex,
    queries: np.ndarray,
    k: int = 10,
    *,
    threshold: float = 0.0,
    exclude: np.ndarray | None = None,
    threads: int | None = None,
) -> Neighbours:
    """The `k` nearest compounds of each query that are at least `threshold` similar, exactly.

    `exclude` (queries,) names for each query a row that is not to be found, such as its own; -1 excludes none.
    InputError where the widths differ or a number is out of bounds.

    >>> index = build_index(np.array([[0b1001], [0b0001], [0b0110]], dtype=np.uint64))
    >>> search(index, np.array([[0b1001]], dtype=np.uint64), 2).rows.tolist()
    [[0, 1]]
    """
    queries = _alike(index.bits, queries)
    if k < 1:
        raise InputError(f"at least one neighbour must be asked for, got {k}")
    _check_threshold(threshold)
    skipped = np.full(len(queries), -1, dtype=np.int64) if exclude is None else np.asarray(exclude, np.int64)
    if skipped.shape != (len(queries),):
        raise InputError(
            f"one row to exclude is needed for each of {len(queries)} queries, got {skipped.shape}"
        )
    counts = bit_counts(queries)
    order = np.argsort(counts, kind="stable")
    queries, counts, skipped = queries[order], counts[order], skipped[order]
    folded = loops.fold(queries)
    found = loops.Lists(
        np.full((len(queries), min(k, max(len(index), 1))), -1.0),
        np.full((len(queries), min(k, max(len(index), 1))), _FAR),
    )

    def piece(low: int, high: int) -> None:
        asked = loops.Queries(
            queries[low:high], np.ascontiguousarray(folded[:, low:high]), counts[low:high], skipped[low:high]
        )
        part = loops.Lists(found.similarities[low:high], found.rows[low:high])
        loops.scan(index.compounds(), asked, float(threshold), part)

    _in_pieces(piece, len(queries), threads)
    return _as_given(found, order, k)


def nearest(
    a: np.ndarray, b: np.ndarray | SearchIndex, *, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For each compound of `a` the row of the most similar one of `b` (a,), and that similarity (a,).

    >>> a, b = np.array([[7]], dtype=np.uint64), np.array([[8], [3]], dtype=np.uint64)
    >>> [found.tolist() for found in nearest(a, b)]
    [[1], [0.6666666666666666]]
    """
    index = b if isinstance(b, SearchIndex) else build_index(b)
    if len(index) == 0:
        raise InputError("there is no compound to be near to")
    found = search(index, a, 1, threads=threads)
    return found.rows[:, 0], found.similarities[:, 0]


def pairs_above(
    a: np.ndarray | SearchIndex, threshold: float, *, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of rows (pairs, 2) that are at least `threshold` similar, and their similarity (pairs,).

    The earlier row of a pair comes first, and the pairs are sorted. LimitError where there are more than 200 million.

    >>> pairs_above(np.array([[3], [8], [7]], dtype=np.uint64), 0.6)[0].tolist()
    [[0, 2]]
    """
    index = a if isinstance(a, SearchIndex) else build_index(a)
    _check_threshold(threshold)
    if threshold == 0.0:
        raise InputError("above 0 every pair is similar; ask for `similarities` instead")
    counts = index.counts()
    found: dict[int, loops.Pairs] = {}

    def check() -> None:
        if sum(len(part.first) for part in list(found.values())) > MOST_PAIRS:
            raise LimitError(
                f"more than {MOST_PAIRS} pairs are at least {threshold} similar", hint="raise the threshold"
            )

    def piece(low: int, high: int) -> None:
        check()
        found[low] = loops.pairs(index.compounds(), counts, low, high, float(threshold))

    _in_pieces(piece, len(index), threads)
    check()
    if not found:
        return np.empty((0, 2), dtype=np.int64), np.empty(0)
    first, second, similarity = (np.concatenate(parts) for parts in zip(*found.values(), strict=True))
    ends = np.sort(np.column_stack([index.rows[first], index.rows[second]]), axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    return ends[order], similarity[order]


def similarities(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Similarity of each compound of `a` with each of `b` (a, b): the kernel matrix of bit fingerprints.

    >>> similarities(np.array([[7]], dtype=np.uint64), np.array([[8], [3]], dtype=np.uint64)).round(3).tolist()
    [[0.0, 0.667]]
    """
    a = checked(a)
    b = _alike(a, b)
    out = np.empty((len(a), len(b)))
    loops.matrix(a, bit_counts(a), b, bit_counts(b), out)
    return out


def mean_similarity(
    a: np.ndarray,
    b: np.ndarray | None = None,
    *,
    power: float = 1.0,
    with_self: bool = False,
    threads: int | None = None,
) -> float:
    """How similar the compounds of `a` are to those of `b`, or without `b` to each other; 1 less it is their diversity.

    The mean over a of (mean over b of similarity ** power) ** (1 / power), as MOSES defines it (Polykovskiy 2020).
    A compound is not compared with itself unless `with_self`, which MOSES' internal diversity does.

    >>> mean_similarity(np.array([[3], [3], [12]], dtype=np.uint64)).__round__(3)
    0.333
    """
    a = checked(a)
    other = a if b is None else _alike(a, b)
    counts_a, counts_b = bit_counts(a), bit_counts(other)
    alone = b is None and not with_self
    if not len(a) or len(other) - alone < 1:
        raise InputError(f"a mean needs a pair, got {len(a)} and {len(other) - alone} compounds")
    if power < 1.0:
        raise InputError(f"the power must be at least 1, got {power}")
    out = np.empty(len(a))

    def piece(low: int, high: int) -> None:
        loops.sums(a[low:high], counts_a[low:high], other, counts_b, float(power), out[low:high])

    _in_pieces(piece, len(a), threads)
    if alone:
        out -= counts_a > 0
    return float(np.mean((np.maximum(out, 0.0) / (len(other) - alone)) ** (1.0 / power)))


def count_similarities(a: np.ndarray, b: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Similarity of each count vector of `a` with each of `b` (a, b): the sum of lesser over the sum of greater counts.

    Both are (compounds, features) of whole numbers that are not negative. The matrix is a kernel for a support vector
    machine (Ralaivola 2005).

    >>> count_similarities(np.array([[2, 1, 0]]), np.array([[1, 1, 0], [0, 0, 5]])).round(3).tolist()
    [[0.667, 0.0]]
    """
    a, b = _counts(a), _counts(b)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"count vectors of {a.shape[1]} and {b.shape[1]} features cannot be compared")
    row, column = np.nonzero(b)
    ends = np.zeros(len(b) + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=len(b)), out=ends[1:])
    totals_a, totals_b = a.sum(axis=1, dtype=np.int64), b.sum(axis=1, dtype=np.int64)
    value = b[row, column]
    out = np.empty((len(a), len(b)))

    def piece(low: int, high: int) -> None:
        loops.count_matrix(a[low:high], totals_a[low:high], column, value, ends, totals_b, out[low:high])

    _in_pieces(piece, len(a), threads)
    return out


def _counts(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "iub":
        raise InputError(
            "count fingerprints are a table (compounds, features) of whole numbers,"
            f" got the shape {values.shape} of {values.dtype}"
        )
    if values.size and (values.min() < 0 or values.max() > np.iinfo(np.int32).max):
        raise InputError("counts must not be negative, nor above 2147483647")
    return np.require(values, dtype=np.int32, requirements=["C", "W"])


def _alike(bits: np.ndarray, queries: np.ndarray) -> np.ndarray:
    queries = checked(queries)
    if queries.shape[1] != bits.shape[1]:
        raise InputError(
            f"fingerprints of {bits.shape[1]} and {queries.shape[1]} words cannot be compared",
            hint="compute both with the same kind and number of bits",
        )
    return queries


def _check_threshold(threshold: float) -> None:
    if not 0.0 <= threshold <= 1.0:
        raise InputError(f"a similarity lies between 0 and 1, got the threshold {threshold}")


def _as_given(found: loops.Lists, order: np.ndarray, k: int) -> Neighbours:
    """Back in the order of the queries, k wide."""
    similarities, rows = found
    all_rows = np.full((len(order), k), -1, dtype=np.int64)
    all_similarities = np.full((len(order), k), np.nan)
    width = rows.shape[1]
    all_rows[order, :width] = np.where(rows == _FAR, -1, rows)
    all_similarities[order, :width] = np.where(rows == _FAR, np.nan, similarities)
    return Neighbours(all_rows, all_similarities)


def _in_pieces(piece: Callable[[int, int], Any], n: int, threads: int | None) -> None:
    """Call `piece(low, high)` over 0..n, on several threads where there is enough to do.

    Pieces are short, so that an interrupt or an error ends the work between two of them.
    """
    workers = max(1, min(threads or fit_threads(), n // _LEAST_PER_THREAD))
    size = max(1, min(_MOST_PER_PIECE, -(-n // (workers * 8 if workers > 1 else 1))))
    bounds = [(low, min(low + size, n)) for low in range(0, n, size)]
    if workers == 1:
        for low, high in bounds:
            piece(low, high)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            for done in [pool.submit(piece, low, high) for low, high in bounds]:
                done.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
