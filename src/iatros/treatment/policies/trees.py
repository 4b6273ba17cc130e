"""Rules as small trees: of all trees of a depth, the one whose patients are best off by their scores.

The exact search of Zhou, Athey and Wager (2023) for depths 0, 1 and 2: over every pair of columns a table of sums by
their cut points, so that rows are read once for each pair and not once for each cut. Exact over the cut points that
`grid` gives; where a column has at most that many distinct values, those are all there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.errors import FitError, InputError

MAX_CUTS = 100
"""Cut points of a column with more distinct values: quantiles at even steps."""
_TINY = 1e-9
"""Share of the scores' mean size by which a larger tree must be better than a smaller one: sums are rounded."""


@dataclass(frozen=True)
class Leaf:
    """An end of the tree: the arm that its patients are given, and how many of those learned from came here."""

    arm: int
    n: int


@dataclass(frozen=True)
class Split:
    """A question: rows whose `column` is at most `cut` go to `low`, the others to `high`."""

    column: int
    cut: float
    low: Split | Leaf
    high: Split | Leaf


@dataclass(frozen=True)
class PolicyTree:
    """A rule as a tree over named columns; `score` is its mean score on the rows that it was learned from."""

    root: Split | Leaf
    columns: tuple[str, ...]
    arms: tuple[str, ...]
    score: float

    def assign(self, x: np.ndarray) -> np.ndarray:
        """The arm (m,) int64 of each row of `x` (m, p), which may hold no gap."""
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise InputError(f"the rule reads {len(self.columns)} columns, got an array of shape {x.shape}")
        given = np.empty(len(x), dtype=np.int64)
        for leaf, rows in _walk(self.root, x, np.arange(len(x))):
            given[rows] = leaf.arm
        return given

    @property
    def depth(self) -> int:
        """How many questions are asked at most."""
        return _depth(self.root)


@dataclass(frozen=True)
class Bins:
    """The rows by the cut points of each column: `code` (n, p) counts the cuts below a value."""

    cuts: tuple[np.ndarray, ...]
    code: np.ndarray
    exact: bool
    """Whether every distinct value of every column is told apart."""


def grid(x: np.ndarray, max_cuts: int = MAX_CUTS) -> Bins:
    """Cut points of each column of `x` (n, p): half way between neighbouring values, or at most `max_cuts` quantiles.

    FitError where a value is missing.
    """
    if not np.isfinite(x).all():
        raise FitError(
            "a rule as a tree cannot read missing values", hint="fill them, or leave those columns out"
        )
    cuts, exact = [], True
    for values in x.T:
        known = np.unique(values)
        if len(known) > max_cuts + 1:
            exact = False
            steps = np.arange(1, max_cuts + 1) / (max_cuts + 1)
            # the value at or below each quantile: a cut half way to its successor is never a value itself
            places = np.unique(np.searchsorted(known, np.quantile(values, steps, method="lower")))
            places = places[places < len(known) - 1]
        else:
            places = np.arange(len(known) - 1)
        cuts.append(known[places] + (known[places + 1] - known[places]) / 2)
    code = np.column_stack([np.searchsorted(c, v, side="left") for c, v in zip(cuts, x.T, strict=True)])
    return Bins(tuple(cuts), code.astype(np.int64), exact)


def fit_tree(
    x: np.ndarray,
    scores: np.ndarray,
    columns: Sequence[str],
    arms: Sequence[str],
    *,
    depth: int = 2,
    min_leaf: int = 1,
    max_cuts: int = MAX_CUTS,
) -> PolicyTree:
    """The tree of at most `depth` questions (0, 1 or 2) with the highest mean of `scores` (n, k) of the arms it gives.

    `x` is (n, p) without gaps. Every end holds at least `min_leaf` rows. A question is asked only where it raises the
    mean; of equal trees the one with fewer questions, then the earlier column and the lower cut.
    """
    if depth not in (0, 1, 2):
        raise InputError(f"a tree asks at most 0, 1 or 2 questions, got {depth}")
    if not np.isfinite(scores).all() or len(scores) != len(x) or not len(x):
        raise InputError("scores are finite, one row for each row of x and at least one")
    asks = depth > 0 and x.shape[1] > 0
    root = _Search(grid(x, max_cuts), scores, min_leaf).best(depth) if asks else _leaf(scores)
    tree = PolicyTree(root, tuple(columns), tuple(arms), 0.0)
    given = tree.assign(x)
    return PolicyTree(root, tree.columns, tree.arms, float(scores[np.arange(len(x)), given].mean()))


@dataclass(frozen=True)
class _Cut:
    """The best single question for some rows: sum of scores, the column (-1: none), the place of its cut."""

    total: float
    column: int
    place: int


class _Search:
    """Sums of scores by cut points, and the best trees over them."""

    def __init__(self, bins: Bins, scores: np.ndarray, min_leaf: int) -> None:
        self.bins, self.scores, self.min_leaf = bins, scores, min_leaf
        self.least = _TINY * float(np.abs(scores).mean()) * len(scores)
        self.used = [j for j, cuts in enumerate(bins.cuts) if len(cuts)]

    def best(self, depth: int) -> Split | Leaf:
        rows = np.arange(len(self.scores))
        found = self._question(rows)
        if depth == 2 and (pair := self._two_questions()) is not None:
            column, place, total = pair
            if total > found.total + self.least:
                low, high = self._sides(rows, column, place)
                sides = [self._tree(side, self._question(side)) for side in (low, high)]
                return _joined(Split(column, float(self.bins.cuts[column][place]), sides[0], sides[1]))
        return self._tree(rows, found)

    def _tree(self, rows: np.ndarray, found: _Cut) -> Split | Leaf:
        if found.column < 0:
            return _leaf(self.scores[rows])
        low, high = self._sides(rows, found.column, found.place)
        cut = float(self.bins.cuts[found.column][found.place])
        return _joined(Split(found.column, cut, _leaf(self.scores[low]), _leaf(self.scores[high])))

    def _sides(self, rows: np.ndarray, column: int, place: int) -> tuple[np.ndarray, np.ndarray]:
        goes_low = self.bins.code[rows, column] <= place
        return rows[goes_low], rows[~goes_low]

    def _question(self, rows: np.ndarray) -> _Cut:
        """The best single question for `rows`; none where no question is better than the best arm for all."""
        scores = self.scores[rows]
        best = _Cut(float(scores.sum(axis=0).max()), -1, -1)
        for j in self.used:
            size = len(self.bins.cuts[j]) + 1
            sums, counts = _sums(self.bins.code[rows, j], scores, size)
            below, n_below = np.cumsum(sums, axis=1)[:, :-1], np.cumsum(counts)[:-1]
            total = below.max(axis=0) + (sums.sum(axis=1)[:, None] - below).max(axis=0)
            allowed = np.minimum(n_below, len(rows) - n_below) >= self.min_leaf
            total = np.where(allowed, total, -np.inf)
            place = int(np.argmax(total))
            if total[place] > best.total + self.least:
                best = _Cut(float(total[place]), j, place)
        return best

    def _two_questions(self) -> tuple[int, int, float] | None:
        """Column and place of the first question of the best tree of depth 2, and its sum; None where there is none."""
        low = [self._starting(j) for j in self.used]
        high = [self._starting(j) for j in self.used]
        for a, j in enumerate(self.used):
            for b in range(a, len(self.used)):
                table, counts = self._table(j, self.used[b])
                _raise(low[a], high[a], table, counts, self.min_leaf)
                if b > a:
                    _raise(low[b], high[b], np.swapaxes(table, 1, 2), counts.T, self.min_leaf)
        best: tuple[int, int, float] | None = None
        for a, j in enumerate(self.used):
            total = low[a] + high[a]
            place = int(np.argmax(total))
            if np.isfinite(total[place]) and (best is None or total[place] > best[2] + self.least):
                best = (j, place, float(total[place]))
        return best

    def _starting(self, j: int) -> np.ndarray:
        return np.full(len(self.bins.cuts[j]), -np.inf)

    def _table(self, j: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Sums (k, a, b) of scores, and counts (a, b), of the rows at or below each cut of both columns."""
        a, b = len(self.bins.cuts[j]) + 1, len(self.bins.cuts[other]) + 1
        sums, counts = _sums(self.bins.code[:, j] * b + self.bins.code[:, other], self.scores, a * b)
        table = np.cumsum(np.cumsum(sums.reshape(-1, a, b), axis=1), axis=2)
        return table, np.cumsum(np.cumsum(counts.reshape(a, b), axis=0), axis=1)


def _sums(codes: np.ndarray, scores: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums (k, size) of the scores (n, k) and counts (size,) of the rows by their code."""
    sums = np.stack([np.bincount(codes, weights=arm, minlength=size) for arm in scores.T])
    return sums, np.bincount(codes, minlength=size)


def _raise(low: np.ndarray, high: np.ndarray, table: np.ndarray, counts: np.ndarray, min_leaf: int) -> None:
    """Raise the best sums `low` and `high` (cuts of the first column,) by questions about the second column."""
    for side, (sums, n) in zip(
        (low, high),
        (
            (table[:, :-1, :], counts[:-1, :]),
            (table[:, -1:, :] - table[:, :-1, :], counts[-1:, :] - counts[:-1, :]),
        ),
        strict=True,
    ):
        whole, n_whole = sums[:, :, -1], n[:, -1]
        undivided = np.where(n_whole >= min_leaf, whole.max(axis=0), -np.inf)
        below, n_below = sums[:, :, :-1], n[:, :-1]
        divided = below.max(axis=0) + (whole[:, :, None] - below).max(axis=0)
        allowed = np.minimum(n_below, n_whole[:, None] - n_below) >= min_leaf
        divided = np.where(allowed, divided, -np.inf).max(axis=1, initial=-np.inf)
        np.maximum(side, np.maximum(undivided, divided), out=side)


def _leaf(scores: np.ndarray) -> Leaf:
    return Leaf(int(np.argmax(scores.sum(axis=0))), len(scores))


def _joined(split: Split) -> Split | Leaf:
    """One end in place of a question whose both ends give the same arm."""
    low, high = split.low, split.high
    if isinstance(low, Leaf) and isinstance(high, Leaf) and low.arm == high.arm:
        return Leaf(low.arm, low.n + high.n)
    return split


def _walk(node: Split | Leaf, x: np.ndarray, rows: np.ndarray) -> Iterator[tuple[Leaf, np.ndarray]]:
    if isinstance(node, Leaf):
        yield node, rows
        return
    goes_low = x[rows, node.column] <= node.cut
    yield from _walk(node.low, x, rows[goes_low])
    yield from _walk(node.high, x, rows[~goes_low])


def _depth(node: Split | Leaf) -> int:
    return 0 if isinstance(node, Leaf) else 1 + max(_depth(node.low), _depth(node.high))
