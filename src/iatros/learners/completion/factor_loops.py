"""The compiled loops of the factorisation; `iatros.learners.completion.factors` is their only caller.

A side (the rows, or the columns) has an offset and k factors for each of its members, together `width` = 1 + k numbers,
each with a mean and a variance. A sweep updates the members of one side while the other side stands still, so that
members need nothing of each other and their order does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iatros.learners.completion.compiled import compiled


class Side(NamedTuple):
    """Means and variances (members, width) float32 of one side; column 0 is the offset."""

    mean: np.ndarray
    variance: np.ndarray


class Prior(NamedTuple):
    """What is believed before any cell: `mean` (members or 1, width) and `precision` (width,), float32."""

    mean: np.ndarray
    precision: np.ndarray


class Kind(NamedTuple):
    """What a cell is. `level` is added to every sum and `noise` is the precision of a cell around its sum.

    With `logistic` the cells are 0 or 1, the sums their log-odds and `noise` is 1. With `positive` no factor falls
    below 0 and offsets stay as they are.
    """

    level: float
    noise: float
    logistic: bool
    positive: bool


class Totals(NamedTuple):
    """Sums over the cells of each row (rows,) float64, taken after its update.

    `weight`: weights; `left`: weight times what is left to explain; `squares`: expected squares of that.
    """

    weight: np.ndarray
    left: np.ndarray
    squares: np.ndarray


@compiled
def sweep(
    start: np.ndarray, column: np.ndarray, value: np.ndarray, low: int, high: int, kind: Kind,
    own: Side, other: Side, prior: Prior, totals: Totals,
) -> None:  # fmt: skip
    """Update the rows low..high of `own`, one number after another (coordinate descent), each exactly.

    A 0 or 1 counts as a normal value whose weight touches the logistic likelihood at the present sum (Jaakkola and
    Jordan 2000, "Bayesian parameter estimation via variational methods", section 3).
    """
    width = own.mean.shape[1]
    longest = 0
    for u in range(low, high):
        longest = max(longest, start[u + 1] - start[u])
    room = longest - longest % 16 + 32  # so that no two lines of the block share a place in the cache
    block = np.empty((width, room), dtype=np.float32)
    left = np.empty(room, dtype=np.float32)
    root = np.empty(room, dtype=np.float32)
    squares = np.empty(width, dtype=np.float32)
    spread = np.empty(width, dtype=np.float32)
    for u in range(low, high):
        before = prior.mean[u if prior.mean.shape[0] > 1 else 0]
        if start[u + 1] == start[u]:
            for f in range(width):
                own.mean[u, f] = before[f]
                own.variance[u, f] = np.float32(1.0) / prior.precision[f]
            continue
        cells, values = column[start[u] : start[u + 1]], value[start[u] : start[u + 1]]
        _gather(cells, other, block, squares, spread)
        _leave(cells, values, kind.level, own.mean[u], other, block, left)
        if kind.logistic:
            _weigh(cells, values, own, u, other, block, left, root, squares, spread)
        _descend(
            len(cells),
            kind,
            own.mean[u],
            own.variance[u],
            before,
            prior.precision,
            block,
            left,
            squares,
            spread,
        )
        _total(u, cells, kind.logistic, own, other, left, root, squares, spread, totals)


@compiled
def settle(
    start: np.ndarray, column: np.ndarray, value: np.ndarray, low: int, high: int, kind: Kind,
    own: Side, other: Side, prior: Prior, totals: Totals, tolerance: float, most: int,
) -> None:  # fmt: skip
    """Sweep each of the rows low..high by itself until none of its numbers moves by more than `tolerance`."""
    width = own.mean.shape[1]
    last = np.empty(width, dtype=np.float32)
    for u in range(low, high):
        for _ in range(most):
            last[:] = own.mean[u]
            sweep(start, column, value, u, u + 1, kind, own, other, prior, totals)
            moved = np.float32(0.0)
            for f in range(width):
                moved = max(moved, abs(own.mean[u, f] - last[f]))
            if moved <= tolerance:
                break


@compiled
def _gather(
    cells: np.ndarray, other: Side, block: np.ndarray, squares: np.ndarray, spread: np.ndarray
) -> None:
    """The other side's members of a row, number by number; sums of their squares and variances."""
    width = len(squares)
    squares[:] = 0.0
    spread[:] = 0.0
    for j in range(len(cells)):
        mean, variance = other.mean[cells[j]], other.variance[cells[j]]
        for f in range(width):
            block[f, j] = mean[f]
            squares[f] += mean[f] * mean[f]
            spread[f] += variance[f]
    for j in range(len(cells)):
        block[0, j] = np.float32(1.0)
    squares[0] = len(cells)
    spread[0] = 0.0


@compiled
def _leave(
    cells: np.ndarray, values: np.ndarray, level: float, mean: np.ndarray, other: Side, block: np.ndarray,
    left: np.ndarray,
) -> None:  # fmt: skip
    """What the present numbers leave of the values."""
    n = len(cells)
    base = np.float32(level) + mean[0]
    for j in range(n):
        left[j] = values[j] - base - other.mean[cells[j], 0]
    for f in range(1, len(mean)):
        p = mean[f]
        line = block[f]
        for j in range(n):
            left[j] -= p * line[j]


@compiled
def _weigh(
    cells: np.ndarray, values: np.ndarray, own: Side, u: int, other: Side, block: np.ndarray, left: np.ndarray,
    root: np.ndarray, squares: np.ndarray, spread: np.ndarray,
) -> None:  # fmt: skip
    """Turn 0 / 1 values into normal ones: every line of the block, and what is left, times the root of the weight."""
    width = len(squares)
    squares[:] = 0.0
    spread[:] = 0.0
    for j in range(len(cells)):
        i = cells[j]
        odds = values[j] - left[j]
        uncertain = own.variance[u, 0] + other.variance[i, 0]
        for f in range(1, width):
            q, p, v = block[f, j], own.mean[u, f], other.variance[i, f]
            uncertain += p * p * v + own.variance[u, f] * (q * q + v)
        bound = max(np.sqrt(odds * odds + uncertain), np.float32(1e-3))
        weight = np.tanh(np.float32(0.5) * bound) / (np.float32(2.0) * bound)
        root[j] = np.sqrt(weight)
        left[j] = (values[j] - np.float32(0.5) - weight * odds) / root[j]
        for f in range(width):
            q = block[f, j]
            squares[f] += weight * q * q
            block[f, j] = root[j] * q
        for f in range(1, width):
            spread[f] += weight * other.variance[i, f]


@compiled
def _descend(
    n: int, kind: Kind, mean: np.ndarray, variance: np.ndarray, before: np.ndarray, precision: np.ndarray,
    block: np.ndarray, left: np.ndarray, squares: np.ndarray, spread: np.ndarray,
) -> None:  # fmt: skip
    """Each number at its best while the others stand, from the offset to the last factor."""
    noise = np.float32(kind.noise)
    for f in range(1 if kind.positive else 0, len(mean)):
        line = block[f]
        along = np.float32(0.0)
        for j in range(n):
            along += left[j] * line[j]
        total = noise * (squares[f] + spread[f]) + precision[f]
        found = (noise * (along + mean[f] * squares[f]) + precision[f] * before[f]) / total
        if kind.positive:
            found = max(found, np.float32(0.0))
        step = found - mean[f]
        mean[f] = found
        variance[f] = np.float32(1.0) / total
        for j in range(n):
            left[j] -= step * line[j]


@compiled
def _total(
    u: int, cells: np.ndarray, logistic: bool, own: Side, other: Side, left: np.ndarray, root: np.ndarray,
    squares: np.ndarray, spread: np.ndarray, totals: Totals,
) -> None:  # fmt: skip
    weight, remains, total = np.float64(0.0), np.float64(0.0), np.float64(0.0)
    for j in range(len(cells)):
        w = root[j] if logistic else np.float32(1.0)
        weight += w * w
        remains += w * left[j]
        total += left[j] * left[j] + w * w * other.variance[cells[j], 0]
    for f in range(len(squares)):
        p, v = own.mean[u, f], own.variance[u, f]
        total += p * p * spread[f] + v * (squares[f] + spread[f])
    totals.weight[u] = weight
    totals.left[u] = remains
    totals.squares[u] = total


@compiled
def add_given(start: np.ndarray, column: np.ndarray, given: np.ndarray, believed: np.ndarray) -> None:
    """Put into `believed` (rows, width) `given` (columns, width) summed over each row's cells / root of their count."""
    width = given.shape[1]
    for u in range(len(start) - 1):
        believed[u] = 0.0
        scale = np.float32(1.0 / np.sqrt(max(start[u + 1] - start[u], 1)))
        for cell in range(start[u], start[u + 1]):
            line = given[column[cell]]
            for f in range(width):
                believed[u, f] += line[f]
        for f in range(width):
            believed[u, f] *= scale


@compiled
def sweep_given(
    counts: np.ndarray, start: np.ndarray, row: np.ndarray, means: np.ndarray, believed: np.ndarray,
    precision: np.ndarray, given: Side, own_precision: np.ndarray,
) -> None:  # fmt: skip
    """Update `given` column after column so that `believed` comes near to the rows' `means`; `believed` follows.

    `counts` (rows,) are the cells of each row; `start` and `row` are the cells by columns.
    """
    width = means.shape[1]
    along = np.empty(width, dtype=np.float32)
    for i in range(len(start) - 1):
        along[:] = 0.0
        weight = np.float32(0.0)
        for cell in range(start[i], start[i + 1]):
            u = row[cell]
            w = np.float32(1.0 / np.sqrt(counts[u]))
            weight += w * w
            for f in range(width):
                along[f] += w * (means[u, f] - believed[u, f])
        for f in range(width):
            total = precision[f] * weight + own_precision[f]
            found = precision[f] * (along[f] + given.mean[i, f] * weight) / total
            along[f] = found - given.mean[i, f]
            given.mean[i, f] = found
            given.variance[i, f] = np.float32(1.0) / total
        for cell in range(start[i], start[i + 1]):
            u = row[cell]
            w = np.float32(1.0 / np.sqrt(counts[u]))
            for f in range(width):
                believed[u, f] += w * along[f]
