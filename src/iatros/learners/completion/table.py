"""What a table with gaps tells of a pair: means, kernel regressions, factors, neighbours.

Two kernel regressions stand behind each other. The first knows structures and sequences. It fills the gaps of the
table, and so gives each row a profile over the columns and each column one over the rows, new ones too; the second
adds how alike those profiles are to the kernels (Gaussian interaction profiles, van Laarhoven and others 2011). Nothing
of a pair itself enters what is said of it, unless the pair is in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.learners.completion.factorisation import Factors, factorise
from iatros.learners.completion.kernels import gaussian, mean_square
from iatros.learners.completion.kronecker import solve

SHRINK = 5.0
"""As many measurements at the mean as a row or column is given, before its own mean is believed."""
N_NEAREST = 3


@dataclass(frozen=True)
class Settings:
    """How the regressions are made.

    `identity` is added to a row's or column's kernel with itself: what it has in common with none. Column kernels
    enter to the power of `column_power`. `profile_weight` is the share of the profiles in the second kernel and
    `profile_width` the factor of the squared distance over its mean. `ridge` penalises both.
    Without `with_offsets` nothing is taken away before the regressions but the mean: right where a row or a column
    will be new, for likeness cannot give back an offset that was taken away.
    """

    identity: float = 0.1
    column_power: float = 0.7
    ridge: float = 0.2
    profile_weight: float = 0.5
    profile_width: float = 1.0
    n_factors: int = 8
    with_offsets: bool = True
    factor_penalty: float = 4.0


@dataclass(frozen=True)
class Asked:
    """The similarities of q rows and p columns to the known ones, and their places among these, -1 for new ones.

    `of_rows` (q, rows), `of_columns` (p, columns), `rows` (q,), `columns` (p,).
    """

    of_rows: np.ndarray
    of_columns: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def known(cls, of_rows: np.ndarray, of_columns: np.ndarray) -> Asked:
        """The known rows and columns themselves."""
        return cls(of_rows, of_columns, np.arange(len(of_rows)), np.arange(len(of_columns)))


@dataclass(frozen=True)
class Answered:
    """What the table tells of the q rows and p columns that were asked for; tables are (q, p).

    `base` is the mean with the offsets of row and column, `first` and `second` are the two regressions, `factors` is
    the factorisation (0 beyond `base` for what is new). The kernels are the second one's, (q, rows), (p, columns).
    """

    base: np.ndarray
    first: np.ndarray
    second: np.ndarray
    factors: np.ndarray
    row_kernel: np.ndarray
    column_kernel: np.ndarray


@dataclass(frozen=True)
class Completion:
    """A table (rows, columns) that was learned from; arrays only, so that it can be stored."""

    settings: Settings
    values: np.ndarray
    known: np.ndarray
    mean: float
    row_offsets: np.ndarray
    column_offsets: np.ndarray
    first_dual: np.ndarray
    second_dual: np.ndarray
    row_profiles: np.ndarray
    column_profiles: np.ndarray
    row_width: float
    column_width: float
    factors: Factors
    column_kernel: np.ndarray
    """The first kernel among the known columns, and below of the known rows: profiles of new ones need them."""
    row_kernel: np.ndarray

    def ask(self, asked: Asked) -> Answered:
        """Everything that is known of each pair of the rows and the columns asked for."""
        base = (
            self.mean
            + _taken(self.row_offsets, asked.rows)[:, None]
            + _taken(self.column_offsets, asked.columns)[None, :]
        )
        of_rows = _with_identity(asked.of_rows, asked.rows, self.settings.identity)
        of_columns = _with_identity(
            asked.of_columns**self.settings.column_power, asked.columns, self.settings.identity
        )
        from_rows, from_columns = of_rows @ self.first_dual, self.first_dual @ of_columns.T
        first = from_rows @ of_columns.T
        row_profiles = _own(self.row_profiles, asked.rows, from_rows @ self.column_kernel)
        column_profiles = _own(self.column_profiles, asked.columns, (self.row_kernel @ from_columns).T)
        width = self.settings.profile_width
        row_kernel = self._mixed(of_rows, gaussian(row_profiles, self.row_profiles, width / self.row_width))
        column_kernel = self._mixed(
            of_columns, gaussian(column_profiles, self.column_profiles, width / self.column_width)
        )
        second = row_kernel @ self.second_dual @ column_kernel.T
        factors = _taken(self.factors.rows, asked.rows) @ _taken(self.factors.columns, asked.columns).T
        return Answered(base, base + first, base + second, base + factors, row_kernel, column_kernel)

    def _mixed(self, structure: np.ndarray, profile: np.ndarray) -> np.ndarray:
        weight = self.settings.profile_weight
        return (1.0 - weight) * structure + weight * profile

    def arrays(self) -> dict[str, Any]:
        """What is stored; numbers as arrays of no dimension."""
        names = (
            "values", "known", "mean", "row_offsets", "column_offsets", "first_dual", "second_dual", "row_profiles",
            "column_profiles", "row_width", "column_width", "column_kernel", "row_kernel",
        )  # fmt: skip
        own = {name: np.asarray(getattr(self, name)) for name in names}
        return own | {"factor_rows": self.factors.rows, "factor_columns": self.factors.columns}

    @classmethod
    def load(cls, settings: Settings, arrays: dict[str, Any]) -> Completion:
        """The completion that `arrays` gave."""
        fields = dict(arrays)
        factors = Factors(fields.pop("factor_rows"), fields.pop("factor_columns"))
        for name in ("mean", "row_width", "column_width"):
            fields[name] = float(fields[name])
        return cls(settings, factors=factors, **fields)


def complete(
    values: np.ndarray,
    known: np.ndarray,
    row_similarity: np.ndarray,
    column_similarity: np.ndarray,
    settings: Settings,
    *,
    seed: int,
) -> Completion:
    """Learn from `values` (rows, columns) where `known` is 1.0; similarities are symmetric, 1 on the diagonal."""
    mean, row_offsets, column_offsets = offsets(values, known)
    if not settings.with_offsets:
        row_offsets, column_offsets = np.zeros_like(row_offsets), np.zeros_like(column_offsets)
    residual = (values - mean - row_offsets[:, None] - column_offsets[None, :]) * known
    eye = settings.identity
    of_rows = row_similarity + eye * np.eye(len(values))
    of_columns = column_similarity**settings.column_power + eye * np.eye(values.shape[1])
    first_dual = solve(of_rows, of_columns, residual, known, settings.ridge)
    filled = np.where(known > 0, residual, of_rows @ first_dual @ of_columns)
    row_width, column_width = mean_square(filled), mean_square(filled.T)
    weight, width = settings.profile_weight, settings.profile_width
    second = [
        (1.0 - weight) * kernel + weight * gaussian(profiles, profiles, width / scale)
        for kernel, profiles, scale in (
            (of_rows, filled, row_width),
            (of_columns, filled.T, column_width),
        )
    ]
    second_dual = solve(second[0], second[1], residual, known, settings.ridge)
    factors = factorise(residual, known, settings.n_factors, settings.factor_penalty, seed=seed)
    return Completion(
        settings, values, known, mean, row_offsets, column_offsets, first_dual, second_dual, filled,
        np.ascontiguousarray(filled.T), row_width, column_width, factors, of_columns, of_rows,
    )  # fmt: skip


def offsets(values: np.ndarray, known: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The mean, and what each row (rows,) and each column (columns,) adds to it, shrunk towards 0."""
    mean = float((values * known).sum() / known.sum())
    rows, columns = np.zeros(len(values)), np.zeros(values.shape[1])
    for _ in range(10):
        rows = ((values - mean - columns[None, :]) * known).sum(axis=1) / (known.sum(axis=1) + SHRINK)
        columns = ((values - mean - rows[:, None]) * known).sum(axis=0) / (known.sum(axis=0) + SHRINK)
    return mean, rows, columns


def _with_identity(similarity: np.ndarray, places: np.ndarray, identity: float) -> np.ndarray:
    kernel = similarity.copy()
    rows = np.flatnonzero(places >= 0)
    kernel[rows, places[rows]] += identity
    return kernel


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows of `values`, zeros where a place is -1."""
    found = values[np.maximum(places, 0)]
    found[places < 0] = 0.0
    return found


def _own(profiles: np.ndarray, places: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.where((places >= 0)[:, None], profiles[np.maximum(places, 0)], predicted)
