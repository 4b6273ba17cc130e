"""What is known of a pair as one line of numbers, for trees to learn from."""

from __future__ import annotations

import numpy as np

from iatros.learners.completion.table import N_NEAREST, Answered, Asked, Completion

SHARPNESS = (4, 12)
"""Powers to which similarities are raised before neighbours are averaged: wide and narrow."""


def pair_features(
    completion: Completion, asked: Asked, drug: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """One line for each pair of `drug[i]` and `target[i]` (places in `asked`), float64 (n, p), and its columns' names.

    nan where there is nothing: no measurement of a new target to average. What the table holds of the pair itself is
    part of the answer, so pairs to be learned from must not be in it.
    """
    answered = completion.ask(asked)
    columns = {name: getattr(answered, name)[drug, target] for name in ("base", "first", "second", "factors")}
    columns |= _side("drug", completion.values, completion.known, completion.row_offsets, asked.rows, drug)
    columns |= _side(
        "target", completion.values.T, completion.known.T, completion.column_offsets, asked.columns, target
    )
    columns |= _neighbours(completion, asked, answered, drug, target)
    return np.stack(list(columns.values()), axis=1), tuple(columns)


def _side(
    side: str, values: np.ndarray, known: np.ndarray, offset: np.ndarray, places: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """How many measurements a drug or target has, and their offset, spread and ends; nan for a new one."""
    n = known.sum(axis=1)
    mean = (values * known).sum(axis=1) / np.maximum(n, 1.0)
    spread = np.sqrt((known * (values - mean[:, None]) ** 2).sum(axis=1) / np.maximum(n, 1.0))
    lowest = np.where(known > 0, values, np.inf).min(axis=1)
    highest = np.where(known > 0, values, -np.inf).max(axis=1)
    at_lowest = (known * (values <= lowest[:, None] + 1e-9)).sum(axis=1) / np.maximum(n, 1.0)
    described = np.stack([n, offset, mean, spread, lowest, highest, at_lowest], axis=1)
    described[n == 0, 1:] = np.nan
    lines = np.full((len(places), described.shape[1]), np.nan)
    lines[:, 0] = 0.0
    lines[places >= 0] = described[places[places >= 0]]
    names = ("n", "offset", "mean", "spread", "lowest", "highest", "share_at_lowest")
    return {f"{side}_{name}": lines[rows, k] for k, name in enumerate(names)}


def _neighbours(
    completion: Completion, asked: Asked, answered: Answered, drug: np.ndarray, target: np.ndarray
) -> dict[str, np.ndarray]:
    residual = completion.known * (
        completion.values
        - completion.mean
        - completion.row_offsets[:, None]
        - completion.column_offsets[None, :]
    )
    sides = {
        "drugs": (residual, completion.known, drug, target, asked.columns),
        "targets": (residual.T, completion.known.T, target, drug, asked.rows),
    }
    kernels = {
        "drugs": {"structure": asked.of_rows, "profile": answered.row_kernel},
        "targets": {"structure": asked.of_columns, "profile": answered.column_kernel},
    }
    columns: dict[str, np.ndarray] = {}
    for side, (values, known, own, other, other_places) in sides.items():
        for kind, kernel in kernels[side].items():
            found = _averages(kernel, values, known, own, other, other_places)
            found |= _nearest(kernel, values, known, own, other, other_places)
            columns |= {f"{side}_{kind}_{name}": column for name, column in found.items()}
    return columns


def _averages(
    kernel: np.ndarray,
    values: np.ndarray,
    known: np.ndarray,
    own: np.ndarray,
    other: np.ndarray,
    places: np.ndarray,
) -> dict[str, np.ndarray]:
    """The mean residual of what is alike and was measured with the same partner, at each sharpness."""
    column = places[other]
    columns = {}
    for power in SHARPNESS:
        weights = np.maximum(kernel, 0.0) ** power
        total, weight = weights @ values, weights @ known
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(weight > 1e-12, total / weight, np.nan)
        picked = mean[own, np.maximum(column, 0)]
        columns[f"mean_{power}"] = np.where(column >= 0, picked, np.nan)
    return columns


def _nearest(
    kernel: np.ndarray,
    values: np.ndarray,
    known: np.ndarray,
    own: np.ndarray,
    other: np.ndarray,
    other_places: np.ndarray,
) -> dict[str, np.ndarray]:
    """The nearest that were measured with the same partner: their similarity and residual."""
    found = np.full((len(own), 2 * N_NEAREST), np.nan)
    column = other_places[other]
    for place in np.unique(column[column >= 0]):
        rows = np.flatnonzero(column == place)
        candidates = np.flatnonzero(known[:, place] > 0)
        k = min(N_NEAREST, len(candidates))
        if k == 0:
            continue
        similar = kernel[np.ix_(own[rows], candidates)]
        # equal similarities in the order of the table, so that no answer depends on a sorting algorithm
        order = np.argsort(-similar, axis=1, kind="stable")[:, :k]
        found[rows, :k] = np.take_along_axis(similar, order, axis=1)
        found[rows, N_NEAREST : N_NEAREST + k] = values[candidates[order], place]
    names = [f"similarity_{k}" for k in range(1, N_NEAREST + 1)]
    names += [f"residual_{k}" for k in range(1, N_NEAREST + 1)]
    return {name: found[:, k] for k, name in enumerate(names)}
