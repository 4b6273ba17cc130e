"""How alike the rows of a sparse table are, from the columns that they have in common, and means over the most alike.

A similarity is never stored: that of one row to all others takes one pass over the cells of its columns, so memory
does not grow with the square of the rows, and a new row is compared like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.completion.compiled import compiled
from iatros.learners.completion.sparse import SparseTable

Likeness = Literal["cosine", "pearson", "pearson-baseline"]
"""Of the values; of the values around their means over what is in common; of what offsets leave of the values."""
_CENTRED = {"cosine": False, "pearson": True, "pearson-baseline": False}


@dataclass(frozen=True)
class Rule:
    """How two rows are compared: their likeness times (n - 1) / (n - 1 + `shrinkage`) with n columns in common."""

    likeness: Likeness
    shrinkage: float

    def __post_init__(self) -> None:
        if self.likeness not in _CENTRED:
            raise InputError(
                f"there is no likeness {self.likeness!r}", hint=f"known: {', '.join(get_args(Likeness))}"
            )
        if not self.shrinkage >= 0.0:
            raise InputError(f"the shrinkage is at least 0, got {self.shrinkage}")


@dataclass(frozen=True)
class Compared:
    """`similarity` (rows,) float32 in -1 to 1 of one row to each row, and the columns `in_common` (rows,) int64."""

    similarity: np.ndarray
    in_common: np.ndarray


def compare(column: np.ndarray, value: np.ndarray, by_column: SparseTable, rule: Rule) -> Compared:
    """One row, with `value` in the columns `column`, beside all rows of the table that `by_column` holds by columns.

    Two rows that share less than two columns have a similarity of 0. For "pearson-baseline" the values of both are what
    the offsets leave (Koren 2010, "Factor in the neighbors", equation 2).
    """
    n = by_column.n_columns
    similarity, sums = np.empty(n, np.float32), np.empty((n, 6))
    _compare(column, value, by_column.start, by_column.column, by_column.value,
             _CENTRED[rule.likeness], rule.shrinkage, sums, similarity)  # fmt: skip
    return Compared(similarity, sums[:, 0].astype(np.int64))


@dataclass(frozen=True)
class Wanted:
    """Pairs whose value is to be estimated by rows that are alike.

    Pair p asks for row `target[p]` of `targets`, whose cells say what it is like, from the cells (row, deviation) in
    row `candidates_of[p]` of `candidates`. `itself` is the place of each target among the rows, -1 for a new one:
    nothing is its own neighbour. Targets below 0 have no answer.
    """

    targets: SparseTable
    itself: np.ndarray
    target: np.ndarray
    candidates: SparseTable
    candidates_of: np.ndarray


def deviations(
    wanted: Wanted, by_column: SparseTable, rule: Rule, *, most: int, least: int, damping: float = 0.0
) -> np.ndarray:
    """The weighted mean deviation of each pair's nearest candidates (pairs,), 0.0 where fewer than `least` are alike.

    At most the `most` most similar ones with a similarity above 0 count, weighted by it; `damping` is the weight of one
    more, whose deviation is 0.
    """
    order = np.argsort(wanted.target, kind="stable")
    order = order[wanted.target[order] >= 0]
    asked, first = np.unique(wanted.target[order], return_index=True)
    start = np.append(first, len(order)).astype(np.int64)
    out = np.zeros(len(wanted.target))
    chosen = wanted.targets.take(asked)
    candidates = wanted.candidates

    def piece(low: int, high: int) -> None:
        _means(
            low, high, chosen.start, chosen.column, chosen.value, wanted.itself[asked],
            by_column.start, by_column.column, by_column.value, by_column.n_columns, _CENTRED[rule.likeness],
            rule.shrinkage, start, order, candidates.start, candidates.column, candidates.value,
            wanted.candidates_of, most, least, damping, out,
        )  # fmt: skip

    chosen.in_pieces(piece)
    return out


@compiled
def _compare(
    column: np.ndarray, value: np.ndarray, start: np.ndarray, row: np.ndarray, other: np.ndarray, centred: bool,
    shrinkage: float, sums: np.ndarray, similarity: np.ndarray,
) -> None:  # fmt: skip
    sums[:] = 0.0
    for cell in range(len(column)):
        x = np.float64(value[cell])
        for at in range(start[column[cell]], start[column[cell] + 1]):
            b, y = row[at], np.float64(other[at])
            sums[b, 0] += 1.0
            sums[b, 1] += x * y
            sums[b, 2] += x * x
            sums[b, 3] += y * y
            if centred:
                sums[b, 4] += x
                sums[b, 5] += y
    for b in range(len(similarity)):
        n = sums[b, 0]
        both, one, two = sums[b, 1], sums[b, 2], sums[b, 3]
        if centred and n > 0.0:
            both -= sums[b, 4] * sums[b, 5] / n
            one -= sums[b, 4] * sums[b, 4] / n
            two -= sums[b, 5] * sums[b, 5] / n
        # where centring leaves no more than rounding, there is nothing to correlate
        sized = one > 1e-10 * sums[b, 2] and two > 1e-10 * sums[b, 3]
        alike = both / np.sqrt(one * two) if n > 1.0 and sized else 0.0
        similarity[b] = min(max(alike, -1.0), 1.0) * (n - 1.0) / (n - 1.0 + shrinkage) if n > 1.0 else 0.0


@compiled
def _nearest(
    row: np.ndarray,
    deviation: np.ndarray,
    similarity: np.ndarray,
    itself: int,
    best: np.ndarray,
    kept: np.ndarray,
) -> int:
    """The most similar candidates in falling order: their similarities and deviations in `best` and `kept`."""
    n = 0
    for cell in range(len(row)):
        alike = similarity[row[cell]]
        if alike <= 0.0 or row[cell] == itself or (n == len(best) and alike <= best[n - 1]):
            continue
        place = n if n < len(best) else n - 1
        n = place + 1
        while place > 0 and best[place - 1] < alike:
            best[place] = best[place - 1]
            kept[place] = kept[place - 1]
            place -= 1
        best[place] = alike
        kept[place] = deviation[cell]
    return n


@compiled
def _means(
    low: int, high: int, own_start: np.ndarray, own_column: np.ndarray, own_value: np.ndarray, itself: np.ndarray,
    start: np.ndarray, row: np.ndarray, value: np.ndarray, n_rows: int, centred: bool, shrinkage: float,
    pair_start: np.ndarray, pair: np.ndarray, near_start: np.ndarray, near_row: np.ndarray, near_value: np.ndarray,
    near_of: np.ndarray, most: int, least: int, damping: float,
    out: np.ndarray,
) -> None:  # fmt: skip
    similarity, sums = np.empty(n_rows, dtype=np.float32), np.empty((n_rows, 6))
    best, kept = np.empty(most, dtype=np.float32), np.empty(most, dtype=np.float32)
    for t in range(low, high):
        cells = slice(own_start[t], own_start[t + 1])
        _compare(own_column[cells], own_value[cells], start, row, value, centred, shrinkage, sums, similarity)
        for at in range(pair_start[t], pair_start[t + 1]):
            p = pair[at]
            near = slice(near_start[near_of[p]], near_start[near_of[p] + 1])
            n = _nearest(near_row[near], near_value[near], similarity, itself[t], best, kept)
            weight, total = 0.0, 0.0
            for j in range(n):
                weight += best[j]
                total += best[j] * kept[j]
            out[p] = total / (weight + damping) if n >= least and weight > 0.0 else 0.0
