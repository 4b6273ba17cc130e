"""A table regressed on kernels of its rows and columns that hold features and profiles, and asked about new ones.

The kernel of a side is a mix of features (given) and of Gaussian interaction profiles: how alike two rows are in the
table itself (van Laarhoven and others 2011). Before profiles are compared, gaps are filled: by factors where cells are
measured, by what the likes of a row and a column have where cells are 0 or 1. The dual coefficients are those of
`kronecker`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.learners.completion.factorisation import factorise
from iatros.learners.completion.kernels import cosine, gaussian, likes, mean_square, smoothed
from iatros.learners.completion.kronecker import Whole, solve
from iatros.learners.completion.table import SHRINK, offsets


@dataclass(frozen=True)
class Mix:
    """The kernel of a side: these weights of features, profiles, and what a known one shares with itself alone.

    `gaussian` compares profiles by their distance, `cosine` by their angle.
    """

    features: float = 0.0
    gaussian: float = 0.0
    cosine: float = 0.0
    itself: float = 0.0

    def of_profiles(self, profiles: np.ndarray, known: np.ndarray, width: float) -> np.ndarray:
        """The part of the kernel that profiles (q, m) and those of the known (n, m) make, (q, n)."""
        kernel = np.zeros((len(profiles), len(known)))
        if self.gaussian > 0.0:
            kernel += self.gaussian * gaussian(profiles, known, width / mean_square(known))
        if self.cosine > 0.0:
            kernel += self.cosine * cosine(profiles, known)
        return kernel


@dataclass(frozen=True)
class Plan:
    """How a table is regressed.

    `rows` and `columns` say what their kernels are made of, `width` is that of Gaussian profiles. Without `row_offsets`
    (`column_offsets`) the mean of a row (column) stays in what is regressed: right where rows (columns) will be new.
    `whole` regresses the filled table, else the measured cells alone. `exposures`: cells are 0 or 1, every one is
    known, and the share `smoothing` of what is learned from is the smoothed table; else `n_factors` factors with
    `penalty` fill the gaps.
    """

    rows: Mix
    columns: Mix
    ridge: float = 1.0
    width: float = 1.0
    row_offsets: bool = True
    column_offsets: bool = True
    whole: bool = False
    exposures: bool = False
    smoothing: float = 0.15
    n_factors: int = 30
    penalty: float = 25.0

    @classmethod
    def load(cls, document: dict[str, Any]) -> Plan:
        """The plan of which `dataclasses.asdict` gave `document`."""
        return cls(**{**document, "rows": Mix(**document["rows"]), "columns": Mix(**document["columns"])})


@dataclass(frozen=True)
class History:
    """Past responses of the asked rows: of row k the columns `column[start[k]:start[k + 1]]`, with `value`."""

    start: np.ndarray
    column: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Side:
    """Asked rows, or columns: their places among the known (q,), -1 for new, and their similarities (q, n) to them.

    `similarity` is None where no features are known, of the asked ones or of the known ones.
    """

    places: np.ndarray
    similarity: np.ndarray | None = None
    history: History | None = None

    def likes(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights (q, n) of the likes of new ones, and how near the nearest is (q,): 0 where nothing is known."""
        if self.similarity is None:
            return np.zeros((len(self.places), n)), np.zeros(len(self.places))
        near = np.clip(self.similarity.max(axis=1), 0.0, 1.0)
        return likes(self.similarity, self.places), near


@dataclass(frozen=True)
class Regressed:
    """A table that was learned from; arrays and a plan only, so that it can be stored."""

    plan: Plan
    mean: float
    scale: float
    row_offsets: np.ndarray
    column_offsets: np.ndarray
    profiles: np.ndarray
    """(rows, columns): what is regressed, its gaps filled."""
    dual: np.ndarray
    column_factors: np.ndarray

    def ask(self, rows: Side, columns: Side, known_columns: Side | None = None) -> np.ndarray:
        """What is said of each asked row with each asked column, (q, p), in the unit of the table.

        `known_columns` are all known ones with their similarities among each other; past responses of rows need them.
        """
        plan = self.plan
        row_offsets, row_profiles, row_near = self._described(rows, self.row_offsets, self.profiles)
        if plan.exposures and rows.history is not None:
            row_profiles, row_near = _own_profiles(rows.history, row_profiles, row_near)
        of_rows = self._kernel(rows, row_profiles, row_near, self.profiles, plan.rows)
        told = of_rows @ self.dual
        answer = row_offsets[:, None] + self._of_columns(columns, told)
        if rows.history is not None and not plan.exposures:
            known = known_columns or Side(np.arange(len(self.column_offsets)))
            said = row_offsets[:, None] + self._of_columns(known, told)
            answer += self._folded_in(rows.history, columns, said)
        return self.mean + self.scale * answer

    def _of_columns(self, columns: Side, told: np.ndarray) -> np.ndarray:
        profiles = self.profiles.T
        offset, own, near = self._described(columns, self.column_offsets, profiles)
        kernel = self._kernel(columns, own, near, profiles, self.plan.columns)
        answer: np.ndarray = offset[None, :] + told @ kernel.T
        return answer

    def _described(
        self, side: Side, offset: np.ndarray, profiles: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets (q,), profiles (q, m) and nearness (q,) of the asked: their own, or those of their likes."""
        weights, near = side.likes(len(profiles))
        found, of_likes = weights @ profiles, (weights @ offset) * near
        own = np.flatnonzero(side.places >= 0)
        found[own], of_likes[own], near[own] = profiles[side.places[own]], offset[side.places[own]], 1.0
        return of_likes, found, near

    def _kernel(
        self, side: Side, profiles: np.ndarray, near: np.ndarray, known: np.ndarray, mix: Mix
    ) -> np.ndarray:
        """The kernel (q, n) of the asked with the known; profiles that likes gave count as far as these are near."""
        kernel = near[:, None] * mix.of_profiles(profiles, known, self.plan.width)
        if mix.features > 0.0 and side.similarity is not None:
            kernel += mix.features * side.similarity
        own = np.flatnonzero(side.places >= 0)
        kernel[own, side.places[own]] += mix.itself
        return kernel

    def _folded_in(self, history: History, columns: Side, said: np.ndarray) -> np.ndarray:
        """What past responses add (q, p) to what is `said` (q, m): a shrunk offset, and factors by a ridge solve."""
        own = np.flatnonzero(columns.places >= 0)
        asked = np.zeros((len(columns.places), self.column_factors.shape[1]))
        asked[own] = self.column_factors[columns.places[own]]
        added = np.zeros((len(said), len(columns.places)))
        for row in np.flatnonzero(np.diff(history.start)):
            at = slice(history.start[row], history.start[row + 1])
            column = history.column[at]
            left = (history.value[at] - self.mean) / self.scale - said[row, column]
            offset = left.sum() / (len(left) + SHRINK)
            factors = self.column_factors[column]
            normal = factors.T @ factors + self.plan.penalty * np.eye(factors.shape[1])
            added[row] = offset + asked @ np.linalg.solve(normal, factors.T @ (left - offset))
        return added

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored; numbers as arrays of no dimension."""
        names = ("mean", "scale", "row_offsets", "column_offsets", "profiles", "dual", "column_factors")
        return {name: np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def load(cls, plan: Plan, arrays: dict[str, Any]) -> Regressed:
        """What `arrays` gave, under the same plan."""
        numbers = {name: float(arrays[name]) for name in ("mean", "scale")}
        return cls(plan, **{**arrays, **numbers})


def _own_profiles(history: History, profiles: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    profiles, near = profiles.copy(), near.copy()
    row = np.repeat(np.arange(len(near)), np.diff(history.start))
    profiles[row, history.column] = np.maximum(profiles[row, history.column], 1.0)
    near[row] = 1.0
    return profiles, near


@dataclass(frozen=True)
class Filled:
    """A table whose gaps are filled: `learned` (n, m) is regressed, `profiles` (n, m) are compared.

    Both are less `mean` and offsets, and over `scale`. `column_factors` (m, k) filled the gaps.
    """

    mean: float
    scale: float
    row_offsets: np.ndarray
    column_offsets: np.ndarray
    profiles: np.ndarray
    learned: np.ndarray
    known: np.ndarray
    column_factors: np.ndarray


def fill(values: np.ndarray, known: np.ndarray, plan: Plan, *, seed: int) -> Filled:
    """`values` (n, m) where `known` is 1.0, with what factors say elsewhere."""
    mean, rows, columns = offsets(values, known)
    left = (values - mean) * known
    scale = max(float(np.sqrt((left**2).sum() / known.sum())), 1e-12)
    if not plan.row_offsets:
        rows, columns = np.zeros(len(rows)), left.sum(axis=0) / (known.sum(axis=0) + SHRINK)
    elif not plan.column_offsets:
        rows, columns = left.sum(axis=1) / (known.sum(axis=1) + SHRINK), np.zeros(len(columns))
    residual = (left - rows[:, None] - columns[None, :]) * known / scale
    factors = factorise(residual, known, min(plan.n_factors, *values.shape), plan.penalty, seed=seed)
    profiles = np.where(known > 0, residual, factors.rows @ factors.columns.T)
    learned, mask = (profiles, np.ones_like(known)) if plan.whole else (residual, known)
    return Filled(mean, scale, rows / scale, columns / scale, profiles, learned, mask, factors.columns)


def smooth(
    values: np.ndarray, of_rows: np.ndarray | None, of_columns: np.ndarray | None, plan: Plan
) -> Filled:
    """A table of 0 and 1, with what the likes of rows and columns have.

    A row or column of zeros is learned as its likes are: it is one of which nothing was tried yet.
    """
    n, m = values.shape
    rows = np.zeros((n, n)) if of_rows is None else likes(of_rows, np.arange(n))
    columns = np.zeros((m, m)) if of_columns is None else likes(of_columns, np.arange(m))
    profiles = smoothed(values, rows, columns)
    rows_empty, columns_empty = (values == 0.0).all(axis=1), (values == 0.0).all(axis=0)
    empty = rows_empty[:, None] | columns_empty[None, :]
    share = np.where(empty, 1.0, plan.smoothing)
    learned = (1.0 - share) * values + share * profiles
    return Filled(
        0.0, 1.0, np.zeros(n), np.zeros(m), profiles, learned, np.ones_like(values), np.zeros((m, 0))
    )


class Table:
    """A filled table with its kernels, that can be regressed with several ridges."""

    def __init__(
        self, filled: Filled, of_rows: np.ndarray | None, of_columns: np.ndarray | None, plan: Plan
    ) -> None:
        """`of_rows` (n, n) and `of_columns` (m, m) are kernels of features."""
        self.filled, self.plan = filled, plan
        self.of_rows = _among(of_rows, filled.profiles, plan.rows, plan.width)
        self.of_columns = _among(of_columns, filled.profiles.T, plan.columns, plan.width)
        self.decomposed = Whole(self.of_rows, self.of_columns) if filled.known.all() else None

    def regress(self, ridge: float) -> Regressed:
        """The regression with this ridge."""
        filled = self.filled
        if self.decomposed is None:
            dual = solve(self.of_rows, self.of_columns, filled.learned, filled.known, ridge)
        else:
            dual = self.decomposed.solve(filled.learned, ridge)
        return Regressed(
            replace(self.plan, ridge=ridge), filled.mean, filled.scale, filled.row_offsets, filled.column_offsets,
            filled.profiles, dual, filled.column_factors,
        )  # fmt: skip


def _among(features: np.ndarray | None, profiles: np.ndarray, mix: Mix, width: float) -> np.ndarray:
    kernel = mix.of_profiles(profiles, profiles, width) + mix.itself * np.eye(len(profiles))
    return kernel if features is None else kernel + mix.features * features
