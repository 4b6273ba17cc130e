"""The compiled loops of the Tanimoto kernel; `iatros.learners.compounds.tanimoto` is their only caller.

Compounds are sorted by how many bits they have. Two bounds, both exact, keep most pairs from being computed:

* a pair with a and b bits is at most min(a, b) / max(a, b) similar, so the search begins at the query's own
  number of bits and ends in each direction where that falls below the worst similarity still wanted
  (Swamidass and Baldi 2007);
* each fingerprint is folded to 512 bits by exclusive or. Folding only cancels differences, so the distance d of
  two folded fingerprints is at most |a xor b|, and the similarity at most (a + b - d) / (a + b + d) (Baldi,
  Hirschberg and Nasr 2008). The folded words lie one after the other for all compounds, so that
  one instruction treats several compounds.

What passes both is computed in full. A similarity is the quotient of two small whole numbers in double precision:
equal ratios are equal numbers, unequal ones are not, and nothing depends on the order of the search.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iatros.learners.compounds.compiled import compiled, inlined, ones

FOLDED_WORDS = 8
_CHUNK = 512
"""Compounds whose folded words (32 KB) stay in the first cache while a tile of queries looks at them."""
_STRIP = 256
"""Compounds after which it is asked whether any of them passed."""
_TILE = 32
_ALL = 1 << 30

Words = tuple[int, int, int, int, int, int, int, int]


class Compounds(NamedTuple):
    """What is searched: `bits` (n, words), `folded` (8, n), `rows` (n,) and `starts` of an index."""

    bits: np.ndarray
    folded: np.ndarray
    rows: np.ndarray
    starts: np.ndarray


class Queries(NamedTuple):
    """What is searched for, sorted by number of bits: as before, and for each the row that it must not find."""

    bits: np.ndarray
    folded: np.ndarray
    counts: np.ndarray
    skipped: np.ndarray


class Lists(NamedTuple):
    """The nearest compounds of each query so far (queries, k): similarity -1 where there is none yet."""

    similarities: np.ndarray
    rows: np.ndarray


class Pairs(NamedTuple):
    """Room for pairs: places `first` < `second` and their similarity."""

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray


@compiled
def fold(words: np.ndarray) -> np.ndarray:
    """The folded fingerprints (8, n) of (n, words)."""
    n, width = words.shape
    folded = np.zeros((FOLDED_WORDS, n), dtype=np.uint64)
    for i in range(n):
        for w in range(width):
            folded[w % FOLDED_WORDS, i] ^= words[i, w]
    return folded


@inlined
def _common(a: np.ndarray, i: int, b: np.ndarray, j: int) -> int:
    total = 0
    for w in range(a.shape[1]):
        total += int(np.int64(ones(a[i, w] & b[j, w])))
    return total


@inlined
def _quotient(common: int, total: int) -> float:
    """Similarity of two fingerprints with `total` bits together; two empty ones are not similar."""
    return common / (total - common) if total > common else 0.0


@inlined
def _bound(a: int, b: int) -> float:
    return min(a, b) / max(a, b) if max(a, b) > 0 else 0.0


@inlined
def _furthest(total: int, least: float) -> int:
    """The largest folded distance of a pair with `total` bits that may still be `least` similar."""
    if least <= 0.0:
        return _ALL
    d = int(total * (1.0 - least) / (1.0 + least)) + 2
    while d >= 0 and (total - d) < least * (total + d) * (1.0 - 1e-12):
        d -= 1
    return d


@inlined
def _words(folded: np.ndarray, place: int) -> Words:
    f = folded[:, place]
    return f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]


@inlined
def _strip(
    folded: np.ndarray, start: int, stop: int, query: Words, furthest: int, distance: np.ndarray
) -> int:
    """Folded distances of the compounds start..stop, and how many are near enough."""
    # Slices of whole rows: with folded[0, start + r] the compiler allows for negative places and gathers one by one.
    w0, w1, w2, w3 = (
        folded[0, start:stop],
        folded[1, start:stop],
        folded[2, start:stop],
        folded[3, start:stop],
    )
    w4, w5, w6, w7 = (
        folded[4, start:stop],
        folded[5, start:stop],
        folded[6, start:stop],
        folded[7, start:stop],
    )
    f0, f1, f2, f3, f4, f5, f6, f7 = query
    near = 0
    for r in range(len(w0)):
        low = ones(w0[r] ^ f0) + ones(w1[r] ^ f1) + ones(w2[r] ^ f2) + ones(w3[r] ^ f3)
        high = ones(w4[r] ^ f4) + ones(w5[r] ^ f5) + ones(w6[r] ^ f6) + ones(w7[r] ^ f7)
        d = int(np.int64(low + high))
        distance[r] = d
        near += d <= furthest
    return near


@inlined
def _put(similarity: float, row: int, similarities: np.ndarray, rows: np.ndarray) -> None:
    """Insert into a list sorted by falling similarity, then rising row; its last entry falls out."""
    place = len(rows) - 1
    while place > 0 and (
        similarity > similarities[place - 1]
        or (similarity == similarities[place - 1] and row < rows[place - 1])
    ):
        similarities[place] = similarities[place - 1]
        rows[place] = rows[place - 1]
        place -= 1
    similarities[place] = similarity
    rows[place] = row


@compiled
def _look(
    of: Compounds, start: int, stop: int, level: int, asked: Queries, q: int, threshold: float, found: Lists,
    distance: np.ndarray,
) -> None:  # fmt: skip
    """Let the query q look at the compounds start..stop, which all have `level` bits."""
    similarities, rows = found.similarities[q], found.rows[q]
    last = len(rows) - 1
    query = _words(asked.folded, q)
    total = asked.counts[q] + level
    furthest = _furthest(total, max(threshold, similarities[last]))
    for strip in range(start, stop, _STRIP):
        end = min(strip + _STRIP, stop)
        if _strip(of.folded, strip, end, query, furthest, distance) == 0:
            continue
        for r in range(strip, end):
            row = of.rows[r]
            if distance[r - strip] > furthest or row == asked.skipped[q]:
                continue
            similarity = _quotient(_common(of.bits, r, asked.bits, q), total)
            if similarity < threshold or similarity < similarities[last]:
                continue
            if similarity > similarities[last] or row < rows[last]:
                _put(similarity, row, similarities, rows)
                furthest = _furthest(total, max(threshold, similarities[last]))


@inlined
def _wanted(count: int, level: int, threshold: float, worst: float) -> bool:
    bound = _bound(count, level)
    return bound >= threshold and bound >= worst


@compiled
def _visit(
    of: Compounds, level: int, asked: Queries, low: int, high: int, threshold: float, found: Lists,
    distance: np.ndarray,
) -> tuple[bool, bool]:  # fmt: skip
    """Let the queries low..high look at the compounds with `level` bits; whether any may go on to fewer, to more bits.

    A query has done with a direction once a level that lies further out than its own count is not wanted.
    """
    last = found.rows.shape[1] - 1
    fewer = False
    more = False
    for q in range(low, high):
        wanted = _wanted(asked.counts[q], level, threshold, found.similarities[q, last])
        fewer |= wanted or level > asked.counts[q]
        more |= wanted or level < asked.counts[q]
    for start in range(of.starts[level], of.starts[level + 1], _CHUNK):
        stop = min(start + _CHUNK, of.starts[level + 1])
        for q in range(low, high):
            if _wanted(asked.counts[q], level, threshold, found.similarities[q, last]):
                _look(of, start, stop, level, asked, q, threshold, found, distance)
    return fewer, more


@compiled
def scan(of: Compounds, asked: Queries, threshold: float, found: Lists) -> None:
    """Fill the lists of the nearest compounds; they come in full of -1 and of the largest row number."""
    top = len(of.starts) - 2
    distance = np.empty(_STRIP, dtype=np.int64)
    for low in range(0, len(asked.counts), _TILE):
        high = min(low + _TILE, len(asked.counts))
        middle = asked.counts[(low + high) // 2]
        below = min(middle, top)
        above = below + 1
        while below >= 0 or above <= top:
            downward = above > top or (below >= 0 and _bound(middle, below) >= _bound(middle, above))
            level = below if downward else above
            fewer, more = _visit(of, level, asked, low, high, threshold, found, distance)
            if downward:
                below = level - 1 if fewer else -1
            else:
                above = level + 1 if more else top + 1


@compiled
def _with_room(kept: Pairs, n: int) -> Pairs:
    """Room for another strip after the first n pairs."""
    if n + _STRIP <= len(kept.first):
        return kept
    return Pairs(
        np.concatenate((kept.first, np.empty_like(kept.first))),
        np.concatenate((kept.second, np.empty_like(kept.second))),
        np.concatenate((kept.similarity, np.empty_like(kept.similarity))),
    )


@compiled
def _keep(
    of: Compounds, p: int, begin: int, end: int, total: int, threshold: float, kept: Pairs, n: int,
    distance: np.ndarray,
) -> int:  # fmt: skip
    """Write the pairs of the compound p with begin..end after the first n; how many there are then."""
    furthest = _furthest(total, threshold)
    if _strip(of.folded, begin, end, _words(of.folded, p), furthest, distance) == 0:
        return n
    for r in range(begin, end):
        if distance[r - begin] > furthest:
            continue
        similarity = _quotient(_common(of.bits, r, of.bits, p), total)
        if similarity >= threshold:
            kept.first[n], kept.second[n], kept.similarity[n] = p, r, similarity
            n += 1
    return n


@compiled
def pairs(of: Compounds, counts: np.ndarray, low: int, high: int, threshold: float) -> Pairs:
    """Pairs of places (first in low..high, second after first) that are at least `threshold` similar."""
    kept = Pairs(np.empty(1024, np.int64), np.empty(1024, np.int64), np.empty(1024, np.float64))
    distance = np.empty(_STRIP, dtype=np.int64)
    n = 0
    for start in range(low, high, _TILE):
        stop = min(start + _TILE, high)
        for level in range(counts[start], len(of.starts) - 1):
            if level > counts[stop - 1] and _bound(counts[stop - 1], level) < threshold:
                break
            for strip in range(of.starts[level], of.starts[level + 1], _STRIP):
                end = min(strip + _STRIP, of.starts[level + 1])
                for p in range(start, stop):
                    begin = max(strip, p + 1)
                    if begin < end and _bound(counts[p], level) >= threshold:
                        kept = _with_room(kept, n)
                        n = _keep(of, p, begin, end, counts[p] + level, threshold, kept, n, distance)
    return Pairs(kept.first[:n], kept.second[:n], kept.similarity[:n])


@compiled
def matrix(a: np.ndarray, counts_a: np.ndarray, b: np.ndarray, counts_b: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` (a, b) with all similarities."""
    for i in range(len(a)):
        for j in range(len(b)):
            out[i, j] = _quotient(_common(a, i, b, j), counts_a[i] + counts_b[j])


@compiled
def raised(a: np.ndarray, counts: np.ndarray, place: int, most: np.ndarray) -> None:
    """Raise `most` (a,) to the similarity with the compound at `place` where that is more."""
    for i in range(len(a)):
        found = _quotient(_common(a, i, a, place), counts[i] + counts[place])
        if found > most[i]:
            most[i] = found


@compiled
def sums(
    a: np.ndarray, counts_a: np.ndarray, b: np.ndarray, counts_b: np.ndarray, power: float, out: np.ndarray
) -> None:
    """Fill `out` (a,) with the sum of the similarities, each to the `power`, of a compound with all of b."""
    for i in range(len(a)):
        total = 0.0
        for j in range(len(b)):
            found = _quotient(_common(a, i, b, j), counts_a[i] + counts_b[j])
            total += found if power == 1.0 else found**power
        out[i] = total


@compiled
def count_matrix(
    a: np.ndarray, totals_a: np.ndarray, column: np.ndarray, value: np.ndarray, ends: np.ndarray,
    totals_b: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Fill `out` (a, b) with the sum of the lesser counts over the sum of the greater; b is given by its non-zeros."""
    for i in range(len(a)):
        for j in range(len(totals_b)):
            common = 0
            for k in range(ends[j], ends[j + 1]):
                common += min(a[i, column[k]], value[k])
            out[i, j] = _quotient(common, totals_a[i] + totals_b[j])
