"""What the kernel model chooses from its training rows: the weights of features, and the ridge.

Where subjects (treatments) will be new, both are chosen by leaving subjects (treatments) out, in closed form. Where
pairs will be new, the ridge is chosen on hidden responses; of exposures, by how high hidden ones are ranked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.learners.completion.leaving_out import RowsLeftOut, choose_weights
from iatros.learners.completion.regression import Plan, Side, Table, fill, smooth
from iatros.treatment.models.kernel_features import FeatureKernel

RIDGES = (0.2, 0.6, 2.0, 8.0)
RIDGES_OF_EXPOSURES = (1.0, 2.0, 4.0, 8.0)
N_AXES = 25
"""Principal components of the responses that the weights of features are chosen for: the rest is mostly noise."""
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


def _among(kernel: FeatureKernel | None) -> np.ndarray | None:
    return None if kernel is None else kernel.known()


@dataclass(frozen=True)
class Hidden:
    """Predictions of responses that were hidden, and what they were, over all draws."""

    prediction: np.ndarray
    y: np.ndarray


def weigh_features(kernel: FeatureKernel, residual: np.ndarray) -> tuple[FeatureKernel, float, np.ndarray]:
    """`kernel` with weights for new ones, the ridge, and what is left of `residual` (n, m) when each is left out."""
    axes = _axes(residual)
    weights, _ = choose_weights(kernel.among_known(), residual @ axes)
    kernel = kernel.weighted(weights)
    rows = RowsLeftOut(kernel.known())
    ridge = rows.best(residual).ridge
    return kernel, ridge, rows.residual(residual, ridge)


def _axes(residual: np.ndarray) -> np.ndarray:
    _, vectors = np.linalg.eigh(residual.T @ residual)
    return vectors[:, ::-1][:, :N_AXES]


def choose_ridge(
    cells: Cells, plan: Plan, ridges: tuple[float, ...], *, by_value: bool, seed: int
) -> tuple[float, Hidden, dict[str, float]]:
    """The ridge with the smallest squared error on hidden responses, its predictions, and the error of each ridge.

    With `by_value` a tenth of the responses of each value is hidden (outcomes of 0 and 1), else a tenth of all.
    """
    row, column = np.nonzero(cells.known)
    rng = np.random.default_rng(seed)
    kernels = cells.kernels()
    value = cells.values[row, column] if by_value else np.zeros(len(row))
    told: dict[float, list[np.ndarray]] = {ridge: [] for ridge in ridges}
    truth = []
    for _ in range(1 if len(row) >= MANY else 3):
        hidden = _tenth(value, rng)
        at = row[hidden], column[hidden]
        known = cells.known.copy()
        known[at] = 0.0
        table = Table(fill(cells.values * known, known, plan, seed=seed), *kernels, plan)
        sides = Side(np.arange(known.shape[0]), kernels[0]), Side(np.arange(known.shape[1]), kernels[1])
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


def _tenth(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of a tenth of each value, and of at least one."""
    parts = []
    for one in np.unique(value):
        places = rng.permutation(np.flatnonzero(value == one))
        parts.append(places[: max(1, int(HIDDEN * len(places)))])
    return np.sort(np.concatenate(parts))


def choose_ridge_of_exposures(
    cells: Cells, plan: Plan, ridges: tuple[float, ...], newness: str, *, seed: int
) -> tuple[float, dict[str, float]]:
    """The ridge that ranks hidden exposures highest among all pairs without one, and the precision of each ridge.

    Hidden are a tenth of the exposures, or all of a tenth of the subjects (treatments) where those will be new.
    """
    rng = np.random.default_rng(seed)
    precision: dict[float, list[float]] = {ridge: [] for ridge in ridges}
    whole = cells.kernels()
    for _ in range(2):
        values, at = _hide(cells.values, newness, rng)
        kept = [np.flatnonzero(values.any(axis=1)), np.flatnonzero(values.any(axis=0))]
        of_rows, of_columns = (
            None if kernel is None else kernel[np.ix_(places, places)]
            for kernel, places in zip(whole, kept, strict=True)
        )
        rows, columns = (
            Side(_placed(n, places), None if kernel is None else kernel[:, places])
            for kernel, places, n in zip(whole, kept, values.shape, strict=True)
        )
        smoothed = smooth(values[np.ix_(*kept)], of_rows, of_columns, plan)
        table = Table(smoothed, of_rows, of_columns, plan)
        free = _judged(cells.values, newness, at)
        for ridge in ridges:
            told = table.regress(ridge).ask(rows, columns)
            precision[ridge].append(average_precision(told[at], told[free]))
    means = {ridge: float(np.mean(found)) for ridge, found in precision.items()}
    best = max(ridges, key=lambda ridge: means[ridge])
    return best, {f"{ridge:g}": mean for ridge, mean in means.items()}


def _hide(
    values: np.ndarray, newness: str, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The table (n, m) without the hidden exposures, and the places of these."""
    row, column = np.nonzero(values)
    if newness in ("subjects", "treatments"):
        side = row if newness == "subjects" else column
        names = np.unique(side)
        chosen = np.isin(side, rng.permutation(names)[: max(1, int(HIDDEN * len(names)))])
    else:
        chosen = np.zeros(len(row), dtype=bool)
        chosen[rng.permutation(len(row))[: max(1, int(HIDDEN * len(row)))]] = True
    at = row[chosen], column[chosen]
    left = values.copy()
    left[at] = 0.0
    return left, at


def _judged(
    values: np.ndarray, newness: str, at: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs without an exposure that hidden ones are ranked among."""
    free = values == 0.0
    if newness == "subjects":
        free &= np.isin(np.arange(values.shape[0]), at[0])[:, None]
    if newness == "treatments":
        free &= np.isin(np.arange(values.shape[1]), at[1])[None, :]
    row, column = np.nonzero(free)
    return row, column


def _placed(n: int, places: np.ndarray) -> np.ndarray:
    placed = np.full(n, -1, dtype=np.int64)
    placed[places] = np.arange(len(places))
    return placed


def average_precision(events: np.ndarray, others: np.ndarray) -> float:
    """The mean precision at each of `events` when they are ranked with `others`; equal scores share their precision."""
    higher_events = np.sort(events)[::-1]
    at_least = np.searchsorted(-higher_events, -events, side="right")
    above = len(others) - np.searchsorted(np.sort(others), events, side="left")
    return float((at_least / (at_least + above)).mean()) if len(events) else float("nan")
