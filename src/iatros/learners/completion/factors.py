"""A sparse table as a level, an offset of each row and column, and a product of a few factors of both.

The factors are learned by variational Bayes with a posterior in which each number stands for itself (Raiko, Ilin and
Karhunen 2007, "Principal component analysis for large scale problems with lots of missing values"; Lim and Teh 2007,
"Variational Bayesian approach to movie rating prediction"). The variances of the noise, of the offsets and of each
factor are learned too, so that no penalty has to be chosen, and factors that the table does not support fade to 0
and are left out. Rows and columns take turns, and each row is updated on its own by coordinate descent: nothing
depends on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import FitError, InputError
from iatros.learners.completion import factor_loops as loops
from iatros.learners.completion.factor_loops import Kind, Prior, Side, Totals
from iatros.learners.completion.sparse import SparseTable

_SETTLING = 3
"""Sweeps with the first guess of the variances: learned from factors that are still random, all would fade."""
_OFFSET_SWEEPS = 3
_EXPLAINED = 0.6
"""Share of the values' variance that all factors together are guessed to explain at first."""
_DECAY = 1.0
"""The first guess of factor f is f ** -_DECAY of that of the first: equal ones would share what one can explain."""
_ABOVE_FLOOR = 4.0
"""Log-odds of the mean above the floor on which positive factors of 0 and 1 stand: its odds are those / 55."""
_FADED = 1e-6
"""Variance that a factor gives to the predictions, in parts of the noise, below which it is left out."""
_TOLERANCE = 1e-6
_MOST_PASSES = 500


@dataclass(frozen=True)
class Factorisation:
    """A fitted table: level + row offset + column offset + product of factors, or the log-odds of 1.

    `rows` (rows, 1 + k) float32 are the offset and factors of each row; `columns` the same of columns, with variances.
    A row of which nothing is known has the mean `prior.mean` (1, 1 + k), `prior.precision` says how surely. `given`
    (columns, 1 + k), where learned, replaces that mean by its sum over the row's cells / root of their number.
    `new_column` (1 + k,) is what is believed of a column without cells.
    """

    kind: Kind
    rows: np.ndarray
    columns: Side
    prior: Prior
    new_column: np.ndarray
    given: np.ndarray | None = None

    def fold_in(self, table: SparseTable) -> np.ndarray:
        """Offsets and factors (rows, 1 + k) float32 of new rows, given their cells; the columns stay as they are.

        Where cells are not 0 or 1 this is the ridge regression of a row's cells on the factors of its columns.
        """
        if table.n_columns != len(self.columns.mean):
            raise InputError(
                f"the new rows have {table.n_columns} columns, {len(self.columns.mean)} were learned"
            )
        width = self.columns.mean.shape[1]
        own = Side(np.zeros((table.n_rows, width), np.float32), np.zeros((table.n_rows, width), np.float32))
        prior = Prior(self.prior.mean, self.prior.precision)
        if self.given is not None:
            believed = np.zeros((table.n_rows, width), dtype=np.float32)
            loops.add_given(table.start, table.column, self.given, believed)
            prior = Prior(
                np.vstack([believed, believed[:1]]), self.prior.precision
            )  # two rows at least: one each
        totals = _no_totals(table.n_rows)

        def piece(low: int, high: int) -> None:
            loops.settle(table.start, table.column, table.value, low, high, self.kind, own, self.columns,
                         prior, totals, _TOLERANCE, _MOST_PASSES)  # fmt: skip

        table.in_pieces(piece)
        return own.mean


def factorise(
    table: SparseTable,
    k: int,
    *,
    n_sweeps: int,
    seed: int,
    logistic: bool = False,
    positive: bool = False,
    given: bool = False,
    threads: int | None = None,
) -> Factorisation:
    """`table` as at most `k` factors. Its values should have a variance near 1, or be 0 and 1 with `logistic`.

    With `positive` there are no offsets, values are distances above a floor (the log-odds above one for `logistic`) and
    no factor is negative. With `given` a row's factors are expected where the columns that it has cells in
    put them, whatever their values: the implicit feedback of SVD++ (Koren 2008), written as a prior.
    FitError where the numbers run away.
    """
    if not len(table):
        raise InputError("a table without a known cell cannot be completed")
    if positive and given:
        raise InputError("factors that are not negative are not learned together with what was given")
    turns = (_PositiveTurns if positive else _Turns)(
        table, k, seed, logistic=logistic, given=given, threads=threads
    )
    for turn in range(n_sweeps):
        turns.take(learn=turn >= _SETTLING)
    return turns.result()


class _Turns:
    """The two sides while they take turns."""

    def __init__(
        self, table: SparseTable, k: int, seed: int, *, logistic: bool, given: bool, threads: int | None
    ) -> None:
        self.by_row, self.by_column = table, table.transposed()
        self.threads = threads
        rng = np.random.default_rng(seed)
        self.rows, self.columns = (_side(part.n_rows, 1 + k) for part in (self.by_row, self.by_column))
        self.given = _side(table.n_columns, 1 + k) if given else None
        self.given_precision = np.ones(1 + k, np.float32)
        self.begin(k, rng, logistic)

    def begin(self, k: int, rng: np.random.Generator, logistic: bool) -> None:
        """The level, the offsets alone, so that no factor has to stand in for them, and random factors of columns."""
        mean = float(np.mean(self.by_row.value, dtype=np.float64))
        level = float(np.log(mean / (1.0 - mean))) if logistic else mean
        self.kind = Kind(level, 1.0, logistic, False)
        first = Prior(np.zeros((1, 1), np.float32), np.ones(1, np.float32))
        self.row_prior, self.column_prior = first, Prior(first.mean, first.precision.copy())
        wide, given = (self.rows, self.columns), self.given
        self.rows, self.columns, self.given = _side(len(wide[0].mean), 1), _side(len(wide[1].mean), 1), None
        for turn in range(_OFFSET_SWEEPS):
            self.take(learn=turn > 0)
        for full, narrow in zip(wide, (self.rows, self.columns), strict=True):
            full.mean[:, :1], full.variance[:, :1] = narrow
        self.rows, self.columns, self.given = *wide, given
        guess = np.arange(1, k + 1) ** -_DECAY
        guess = (_EXPLAINED * guess / guess.sum()).astype(np.float32)
        self.columns.mean[:, 1:] = rng.standard_normal((len(self.columns.mean), k), np.float32) * np.sqrt(
            guess
        )
        n_means = len(self.rows.mean) if self.given is not None else 1
        ones = np.ones(k, np.float32)
        self.row_prior = Prior(
            np.zeros((n_means, 1 + k), np.float32), np.concatenate([self.row_prior.precision, ones])
        )
        self.column_prior = Prior(
            np.zeros((1, 1 + k), np.float32), np.concatenate([self.column_prior.precision, 1.0 / guess])
        )

    def take(self, *, learn: bool) -> None:
        """Rows, then columns; with `learn` also how far each may be from what is believed, and which fade."""
        self.rows_turn(learn)
        self.columns_turn(learn)
        if learn:
            self._leave_out()

    def rows_turn(self, learn: bool) -> None:
        """Update the rows, and what is given."""
        self.sweep(self.by_row, self.rows, self.columns, self.row_prior)
        if learn:
            _learn(self.by_row, self.rows, self.row_prior)
        if self.given is None:
            return
        table = self.by_column
        loops.sweep_given(self.by_row.counts(), table.start, table.column, self.rows.mean, self.row_prior.mean,
                          self.row_prior.precision, self.given, self.given_precision)  # fmt: skip
        if learn:
            nothing = np.zeros((1, len(self.given_precision)), np.float32)
            _learn(table, self.given, Prior(nothing, self.given_precision))

    def columns_turn(self, learn: bool) -> None:
        """Update the columns."""
        self.sweep(self.by_column, self.columns, self.rows, self.column_prior)
        if learn:
            _learn(self.by_column, self.columns, self.column_prior)

    def sweep(self, table: SparseTable, own: Side, other: Side, prior: Prior) -> None:
        """Update all members of one side, then the level and the noise."""
        totals, kind = _no_totals(table.n_rows), self.kind

        def piece(low: int, high: int) -> None:
            loops.sweep(table.start, table.column, table.value, low, high, kind, own, other, prior, totals)

        table.in_pieces(piece, self.threads)
        squares = float(totals.squares.sum())
        if not np.isfinite(squares) or squares <= 0.0:
            raise FitError(
                "the factorisation ran away",
                hint="use fewer factors, or look for outcomes far from all others",
            )
        level = kind.level if kind.positive else kind.level + float(totals.left.sum() / totals.weight.sum())
        self.kind = kind._replace(level=level, noise=1.0 if kind.logistic else len(table) / squares)

    def _leave_out(self) -> None:
        """Drop the factors that give the predictions next to nothing."""
        power = np.square(self.rows.mean).mean(axis=0, dtype=np.float64)
        power *= np.square(self.columns.mean).mean(axis=0, dtype=np.float64) * self.kind.noise
        kept = power >= _FADED
        kept[0] = True
        if kept.all():
            return
        self.rows, self.columns = _narrowed(self.rows, kept), _narrowed(self.columns, kept)
        self.row_prior, self.column_prior = (
            Prior(np.compress(kept, prior.mean, axis=1), prior.precision[kept])
            for prior in (self.row_prior, self.column_prior)
        )
        if self.given is not None:
            self.given, self.given_precision = _narrowed(self.given, kept), self.given_precision[kept]

    def result(self) -> Factorisation:
        """What has been learned so far."""
        new_row = np.zeros_like(self.row_prior.mean[:1]) if self.given is not None else self.row_prior.mean
        return Factorisation(
            self.kind,
            self.rows.mean,
            self.columns,
            Prior(new_row, self.row_prior.precision),
            self.column_prior.mean[0],
            None if self.given is None else self.given.mean,
        )


class _PositiveTurns(_Turns):
    """Factors that are not negative, each expected at the mean of its side."""

    def begin(self, k: int, rng: np.random.Generator, logistic: bool) -> None:
        """Factors of about equal parts of the mean, near to each other at random."""
        mean = float(np.mean(self.by_row.value, dtype=np.float64))
        level = float(np.log(mean / (1.0 - mean))) - _ABOVE_FLOOR if logistic else 0.0
        mean = _ABOVE_FLOOR if logistic else mean
        self.kind = Kind(level, 1.0, logistic, True)
        for side in (self.rows, self.columns):
            drawn = np.exp(0.5 * rng.standard_normal((len(side.mean), k), np.float32))
            side.mean[:, 1:] = drawn * np.float32(np.sqrt(max(mean, 1e-3) / k))
        wide = np.full(1 + k, k / max(mean, 1e-3), np.float32)
        self.row_prior, self.column_prior = (
            Prior(side.mean.mean(axis=0, keepdims=True), wide.copy()) for side in (self.rows, self.columns)
        )

    def take(self, *, learn: bool) -> None:
        """Rows, then columns, and the means that they are expected at."""
        super().take(learn=learn)
        for table, side, prior in (
            (self.by_row, self.rows, self.row_prior), (self.by_column, self.columns, self.column_prior)
        ):  # fmt: skip
            prior.mean[:] = side.mean[table.counts() > 0].mean(axis=0)


def _side(members: int, width: int) -> Side:
    return Side(np.zeros((members, width), np.float32), np.zeros((members, width), np.float32))


def _narrowed(side: Side, kept: np.ndarray) -> Side:
    return Side(np.compress(kept, side.mean, axis=1), np.compress(kept, side.variance, axis=1))


def _no_totals(n: int) -> Totals:
    return Totals(np.zeros(n), np.zeros(n), np.zeros(n))


def _learn(table: SparseTable, side: Side, prior: Prior) -> None:
    """The precision with which the members that have cells lie around what was believed of them."""
    squares = (np.square(side.mean - prior.mean) + side.variance)[table.counts() > 0]
    prior.precision[:] = 1.0 / np.maximum(squares.mean(axis=0, dtype=np.float64), 1e-6)
