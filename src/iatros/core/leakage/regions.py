"""Regions of a column in which the outcome never, or almost never, varies.

A column can give the answer away for part of the patients only: nobody with 340 days of follow-up died
in hospital. No score of the whole column shows that. Here each level, each frequent value, each tail and
the missing rows of a column are asked: how many events were there (k), and how many were expected (E)?
First against the overall rate, which names candidates; then against a model of the other columns, which
keeps strong but honest predictors out. The evidence is the Poisson log likelihood ratio
E - k + k ln(k / E), in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.leakage.columns import Coded

MIN_ROWS = 20
MAX_RATIO = 0.02
"""A region is (almost) constant if at most this share of the expected events happened in it."""
MIN_EVIDENCE = 12.0
"""Nats; a chance region is that extreme once in e^12 = 160 000 looks."""


@dataclass(frozen=True)
class Region:
    """Rows of one column: a set of values, a tail, or the missing ones."""

    column: str
    words: str
    rows: np.ndarray
    missing: bool
    n: int
    happened: float
    expected: float

    @property
    def evidence(self) -> float:
        """Nats against `expected`."""
        return float(evidence(np.asarray(self.happened), np.asarray(self.expected)))


def evidence(happened: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Poisson log likelihood ratio for fewer events than expected; 0 where there were more."""
    k, e = np.asarray(happened, dtype=np.float64), np.maximum(expected, 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = e - k + np.where(k > 0, k * np.log(np.maximum(k, 1e-300) / e), 0.0)
    return np.where(k < e, nats, 0.0)


def regions(
    column: Coded, happened: np.ndarray, expected: np.ndarray, max_ratio: float = MAX_RATIO
) -> list[Region]:
    """The regions of `column` that are almost free of events, though `expected` (n,) sums to many.

    `max_ratio` is the largest share of the expected events that may have happened.
    """
    asked = _Asked(column, happened, expected, max_ratio)
    found = [*_missing_region(asked), *_level_region(asked)]
    if not column.categorical:
        found += [*_tail(asked, low=True), *_tail(asked, low=False)]
    return found


@dataclass(frozen=True)
class _Asked:
    """One column, what happened (n,) and what was expected (n,)."""

    column: Coded
    happened: np.ndarray
    expected: np.ndarray
    max_ratio: float

    def region(self, words: str, rows: np.ndarray, *, missing: bool = False) -> list[Region]:
        """The region, in a list, if it is almost free of events beyond chance."""
        k, e = float(self.happened[rows].sum()), float(self.expected[rows].sum())
        region = Region(self.column.name, words, rows, missing, int(rows.sum()), k, e)
        pure = k <= self.max_ratio * e
        return [region] if region.n >= MIN_ROWS and pure and region.evidence >= MIN_EVIDENCE else []

    def pure(self, happened: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Which of several counts are almost free of events."""
        return np.asarray(happened <= self.max_ratio * expected)


def _missing_region(asked: _Asked) -> list[Region]:
    """The rows where the column is missing, and those where it is not."""
    missing, name = asked.column.missing, asked.column.name
    if not missing.any() or missing.all():
        return []
    return [
        *asked.region(f"{name} is missing", missing, missing=True),
        *asked.region(f"{name} is present", ~missing, missing=True),
    ]


def _level_region(asked: _Asked) -> list[Region]:
    """All levels (or frequent values) that are each almost free of events, as one region."""
    column = asked.column
    levels, counts = column.distinct
    few = column.categorical or len(levels) <= 30
    frequent = counts >= max(MIN_ROWS, (0.005 if few else 0.02) * counts.sum())
    if len(levels) < 2 or not frequent.any():
        return []
    present = np.flatnonzero(~column.missing)
    code = np.searchsorted(levels, column.values[present])
    k = np.bincount(code, weights=asked.happened[present], minlength=len(levels))
    e = np.bincount(code, weights=asked.expected[present], minlength=len(levels))
    chosen = frequent & asked.pure(k, e) & (evidence(k, e) >= 5.0 + np.log(int(frequent.sum())))
    if not chosen.any():
        return []
    rows = np.zeros(len(column.values), dtype=bool)
    rows[present] = chosen[code]
    shown = [column.show(v) for v in levels[chosen][:4]] + (["..."] if chosen.sum() > 4 else [])
    return asked.region(f"{column.name} is {' or '.join(shown)}", rows)


def _tail(asked: _Asked, *, low: bool) -> list[Region]:
    """The tail that is almost free of events with the strongest evidence."""
    column = asked.column
    present = np.flatnonzero(~column.missing)
    values = column.values[present]
    order = present[np.argsort(values if low else -values, kind="stable")]
    ordered = column.values[order]
    ends = np.flatnonzero(np.diff(ordered) != 0)
    if len(ends) < 2:
        return []
    k, e = np.cumsum(asked.happened[order])[ends], np.cumsum(asked.expected[order])[ends]
    nats = np.where(asked.pure(k, e) & (ends + 1 >= MIN_ROWS), evidence(k, e), 0.0)
    best = int(np.argmax(nats))
    rows = np.zeros(len(column.values), dtype=bool)
    rows[order[: ends[best] + 1]] = True
    words = f"{column.name} is {'at most' if low else 'at least'} {column.show(ordered[ends[best]])}"
    return asked.region(words, rows)
