"""What the kernel model chooses from its training rows: the weights of features, and the ridge.

Where subjects (treatments) will be new, both are chosen by leaving subjects (treatments) out, in closed form. Where
pairs will be new, the ridge is chosen on hidden responses, and so is the penalty of the factors that fill gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from iatros.learners.completion.leaving_out import RowsLeftOut, choose_weights
from iatros.learners.completion.regression import Plan, Regressed, Side, Table, fill
from iatros.treatment.models.kernel_features import FeatureKernel

RIDGES = (0.2, 0.6, 2.0, 8.0)
PENALTIES = (1.0, 5.0, 25.0)
N_AXES = 25
"""Principal components of the responses that the weights of features are chosen for: the rest is mostly noise."""
LEAST_TO_WEIGH = 20
"""Subjects (treatments) below which every kernel keeps its weight."""
HIDDEN = 0.1
MANY = 5000
"""Responses from which one hidden draw suffices; of fewer, three are made."""


@dataclass(frozen=True)
class Cells:
    """A table: `values` (subjects, treatments) where `known` is 1.0, and what is alike on both sides, or None."""

    values: np.ndarray
    known: np.ndarray
    subjects: FeatureKernel | None
    treatments: FeatureKernel | None

    def kernels(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Kernels of features among the subjects and among the treatments."""
        return _among(self.subjects), _among(self.treatments)


@dataclass(frozen=True)
class Told:
    """What a regression tells, with its weight; with `only_for`, answers below 0 count as 0."""

    regressed: Regressed
    weight: float = 1.0
    only_for: bool = False


def added(told: tuple[Told, ...], rows: Side, columns: Side, known_columns: Side | None = None) -> np.ndarray:
    """The weighted sum of what the regressions tell of each asked row and column, (q, p)."""
    total = np.zeros((len(rows.places), len(columns.places)))
    for one in told:
        answer = one.regressed.ask(rows, columns, known_columns)
        total += one.weight * (np.maximum(answer, 0.0) if one.only_for else answer)
    return total


def _among(kernel: FeatureKernel | None) -> np.ndarray | None:
    return None if kernel is None else kernel.known()


@dataclass(frozen=True)
class Hidden:
    """Predictions of responses that were hidden, and what they were, over all draws."""

    prediction: np.ndarray
    y: np.ndarray


def weigh_features(kernel: FeatureKernel, residual: np.ndarray) -> tuple[FeatureKernel, float, np.ndarray]:
    """`kernel` with weights for new ones, the ridge, and what is left of `residual` (n, m) when each is left out."""
    if len(residual) >= LEAST_TO_WEIGH:
        weights, _ = choose_weights(kernel.among_known(), residual @ _axes(residual))
        kernel = kernel.weighted(weights)
    rows = RowsLeftOut(kernel.known())
    ridge = rows.best(residual).ridge
    return kernel, ridge, rows.residual(residual, ridge)


def _axes(residual: np.ndarray) -> np.ndarray:
    _, vectors = np.linalg.eigh(residual.T @ residual)
    return vectors[:, ::-1][:, :N_AXES]


def choose_penalty(cells: Cells, plan: Plan, *, seed: int) -> float:
    """The penalty under which factors alone predict hidden responses with the smallest squared error."""
    errors = dict.fromkeys(PENALTIES, 0.0)
    for known, at in _hidden_draws(cells, by_value=False, seed=seed):
        for penalty in PENALTIES:
            filled = fill(cells.values * known, known, replace(plan, penalty=penalty), seed=seed)
            told = filled.row_offsets[:, None] + filled.column_offsets[None, :] + filled.profiles
            errors[penalty] += float(((filled.mean + filled.scale * told - cells.values)[at] ** 2).sum())
    return min(PENALTIES, key=lambda penalty: errors[penalty])


def choose_ridge(
    cells: Cells, plan: Plan, ridges: tuple[float, ...], *, by_value: bool, seed: int
) -> tuple[float, Hidden, dict[str, float]]:
    """The ridge with the smallest squared error on hidden responses, its predictions, and the error of each ridge.

    With `by_value` a tenth of the responses of each value is hidden (outcomes of 0 and 1), else a tenth of all.
    """
    kernels = cells.kernels()
    n, m = cells.values.shape
    sides = Side(np.arange(n), kernels[0]), Side(np.arange(m), kernels[1])
    told: dict[float, list[np.ndarray]] = {ridge: [] for ridge in ridges}
    truth = []
    for known, at in _hidden_draws(cells, by_value=by_value, seed=seed):
        table = Table(fill(cells.values * known, known, plan, seed=seed), *kernels, plan)
        truth.append(cells.values[at])
        for ridge in ridges:
            told[ridge].append(table.regress(ridge).ask(*sides)[at])
    y = np.concatenate(truth)
    errors = {ridge: float(((np.concatenate(told[ridge]) - y) ** 2).mean()) for ridge in ridges}
    best = min(ridges, key=lambda ridge: errors[ridge])
    return (
        best,
        Hidden(np.concatenate(told[best]), y),
        {f"{ridge:g}": error for ridge, error in errors.items()},
    )


def _hidden_draws(
    cells: Cells, *, by_value: bool, seed: int
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """What stays known (n, m), and the places of a tenth of the responses that do not: one draw of many, else three."""
    row, column = np.nonzero(cells.known)
    rng = np.random.default_rng(seed)
    value = cells.values[row, column] if by_value else np.zeros(len(row))
    for _ in range(1 if len(row) >= MANY else 3):
        hidden = _tenth(value, rng)
        known = cells.known.copy()
        known[row[hidden], column[hidden]] = 0.0
        yield known, (row[hidden], column[hidden])


def _tenth(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of a tenth of each value, and of at least one."""
    parts = []
    for one in np.unique(value):
        places = rng.permutation(np.flatnonzero(value == one))
        parts.append(places[: max(1, int(HIDDEN * len(places)))])
    return np.sort(np.concatenate(parts))


def placed(n: int, kept: np.ndarray) -> np.ndarray:
    """The place of each of n among the `kept` ones (n,), -1 of one that is not."""
    places = np.full(n, -1, dtype=np.int64)
    places[kept] = np.arange(len(kept))
    return places
