"""Exposures as a table of 0 and 1: two regressions of it, and the ridge that ranks hidden exposures highest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iatros.core.intervals import midranks
from iatros.learners.completion.regression import Mix, Plan, Regressed, Side, Table, smooth
from iatros.treatment.models.kernel_planning import HIDDEN, Cells, Told, added, placed

RIDGES_OF_EXPOSURES = (2.0, 4.0, 8.0)
_FEATURES_BESIDE_ANGLES = 0.1


@dataclass(frozen=True)
class Both:
    """Regressions whose profiles are compared by distance and by angle; each errs where the other does not.

    Their answers are added after each was divided by its spread over the table. Angles with their small ridge tell
    which pairs are likely and little of the rest, so of them only what speaks for a pair counts.
    """

    distance: Table
    angle: Table

    @classmethod
    def of(
        cls, values: np.ndarray, of_rows: np.ndarray | None, of_columns: np.ndarray | None, plan: Plan
    ) -> Both:
        """`plan` is that of the first; the second has mostly profiles, for their angles leave much to the ridge."""
        filled = smooth(values, of_rows, of_columns, plan)
        rows, columns = (
            Mix(cosine=1.0)
            if kernel is None
            else Mix(features=_FEATURES_BESIDE_ANGLES, cosine=1.0 - _FEATURES_BESIDE_ANGLES)
            for kernel in (of_rows, of_columns)
        )
        second = replace(plan, rows=rows, columns=columns)
        return cls(Table(filled, of_rows, of_columns, plan), Table(filled, of_rows, of_columns, second))

    def regress(self, ridge: float) -> tuple[Told, ...]:
        """What both tell; angles are regressed with an eighth of the ridge."""
        distance, angle = self.distance.regress(ridge), self.angle.regress(ridge / 8.0)
        return (
            Told(distance, 1.0 / _spread(distance, self.distance)),
            Told(angle, 1.0 / _spread(angle, self.angle), only_for=True),
        )


def _spread(one: Regressed, table: Table) -> float:
    return max(float((table.of_rows @ one.dual @ table.of_columns).std()), 1e-12)


def choose_ridge_of_exposures(
    cells: Cells, plan: Plan, ridges: tuple[float, ...], newness: str, *, seed: int
) -> tuple[float, dict[str, float]]:
    """The ridge that ranks hidden exposures highest among all pairs without one, and how well each ridge does.

    Hidden are a tenth of the exposures, or all of a tenth of the subjects (treatments) where those will be new. What
    decides is the mean of the AUROC and of the average precision over the best ridge's: the whole of the ranking and
    its top. The precision itself is no scale to add, for pairs that are exposures nobody knows of lower it.
    """
    rng = np.random.default_rng(seed)
    merit: dict[float, list[tuple[float, float]]] = {ridge: [] for ridge in ridges}
    whole = cells.kernels()
    for _ in range(2):
        values, at = _hide(cells.values, newness, rng)
        kept = [np.flatnonzero(one) for one in learned_from(values, newness)]
        of_rows, of_columns = (
            None if kernel is None else kernel[np.ix_(places, places)]
            for kernel, places in zip(whole, kept, strict=True)
        )
        rows, columns = (
            Side(placed(n, places), None if kernel is None else kernel[:, places])
            for kernel, places, n in zip(whole, kept, values.shape, strict=True)
        )
        both = Both.of(values[np.ix_(*kept)], of_rows, of_columns, plan)
        free = _judged(cells.values, newness, at)
        for ridge in ridges:
            told = added(both.regress(ridge), rows, columns)
            merit[ridge].append((auroc(told[at], told[free]), average_precision(told[at], told[free])))
    means = {ridge: np.mean(found, axis=0) for ridge, found in merit.items()}
    highest = max(mean[1] for mean in means.values())
    scores = {ridge: float(mean[0] + mean[1] / max(highest, 1e-12)) / 2.0 for ridge, mean in means.items()}
    best = max(ridges, key=lambda ridge: scores[ridge])
    return best, {f"{ridge:g}": score for ridge, score in scores.items()}


def learned_from(values: np.ndarray, newness: str) -> tuple[np.ndarray, np.ndarray]:
    """Which subjects (n,) and treatments (m,) are learned from: one without an exposure too, unless it stands for new.

    Of a pair without an exposure it is known that there is none: a row of zeros says something, and one that is told
    by its likes alone would be said too much of.
    """
    rows, columns = (np.asarray(values.any(axis=axis)) for axis in (1, 0))
    return rows | (newness != "subjects"), columns | (newness != "treatments")


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


def average_precision(events: np.ndarray, others: np.ndarray) -> float:
    """The mean precision at each of `events` when they are ranked with `others`; equal scores share their precision."""
    higher_events = np.sort(events)[::-1]
    at_least = np.searchsorted(-higher_events, -events, side="right")
    above = len(others) - np.searchsorted(np.sort(others), events, side="left")
    return float((at_least / (at_least + above)).mean()) if len(events) else float("nan")


def auroc(events: np.ndarray, others: np.ndarray) -> float:
    """The share of pairs of an event and another in which the event has the higher score; equal ones count half."""
    n, m = len(events), len(others)
    if n == 0 or m == 0:
        return float("nan")
    ranks = midranks(np.concatenate([events, others]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))
