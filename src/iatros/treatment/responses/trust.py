"""How far an answer can be trusted: intervals learned from predictions for pairs that had not been learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.conformal import ConformalInterval, fit_conformal_interval
from iatros.core.intervals import proportion
from iatros.treatment.responses.evaluation import Judged
from iatros.treatment.responses.schema import Outcome

_SHRINK = 10.0
_PARTS = 5
_CELLS = 400


@dataclass(frozen=True)
class ValueIntervals:
    """Intervals of a value: conformal, as wide for a treatment as its own errors ask for.

    `scale` (treatments,) is the size of a treatment's errors, drawn towards that of all, `common`, which also holds for
    a new treatment (normalised residuals: Lei and others 2018).
    """

    conformal: ConformalInterval
    scale: np.ndarray
    common: float

    @classmethod
    def learn(cls, judged: Judged, n_treatments: int, coverage: float) -> ValueIntervals:
        """From predictions of pairs not learned from; subjects are exchangeable, not rows."""
        residual = judged.y - judged.prediction
        common = float(np.sqrt(np.mean(residual**2)))
        sums = np.bincount(judged.treatment, residual**2, minlength=n_treatments)
        n = np.bincount(judged.treatment, minlength=n_treatments)
        common = max(common, 1e-12)
        own = np.sqrt((sums + common**2) / (n + 1.0)) / common
        scale = common * own ** (n / (n + _SHRINK))
        normal = residual / scale[judged.treatment]
        found = fit_conformal_interval(normal, np.zeros(len(normal)), coverage, groups=judged.subject)
        return cls(found, scale, common)

    def apply(self, prediction: np.ndarray, treatment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high (n,); `treatment` (n,) is -1 for one that was not learned from."""
        width = np.where(treatment >= 0, self.scale[np.maximum(treatment, 0)], self.common)
        low, high = self.conformal.quantiles
        return prediction + low * width, prediction + high * width

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {**self.conformal.arrays(), "scale": self.scale, "common": np.array([self.common])}

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> ValueIntervals:
        """The reverse of `arrays`."""
        return cls(ConformalInterval.load(arrays), arrays["scale"], float(arrays["common"][0]))


@dataclass(frozen=True)
class ProbabilityIntervals:
    """Scores to probabilities with bounds, one of which is calibrated whatever the scores (Venn-Abers, Vovk 2014).

    `low` and `high` (cells,) are what isotonic regression gives to a new pair in each cell of scores if it turned out
    0, and if it turned out 1; `edges` (cells - 1,) part the cells.
    """

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def learn(cls, judged: Judged) -> ProbabilityIntervals:
        """From scores of pairs not learned from and what was observed, in cells of equally many pairs."""
        order = np.argsort(judged.prediction, kind="stable")
        score, y = judged.prediction[order], judged.y[order]
        # ones are rare among exposures, so cells are made of them as well as of all pairs
        inner = np.quantile(score, np.linspace(0, 1, _CELLS // 2 + 1)[1:-1])
        ones = score[y > 0.5]
        if len(ones):
            inner = np.concatenate([inner, np.quantile(ones, np.linspace(0, 1, _CELLS // 2 + 1)[1:-1])])
        edges = np.unique(inner)
        cell = np.searchsorted(edges, score, side="right")
        n = np.bincount(cell, minlength=len(edges) + 1).astype(float)
        events = np.bincount(cell, y, minlength=len(edges) + 1)
        bounds = [_with_one_more(n, events, outcome) for outcome in (0.0, 1.0)]
        return cls(edges, bounds[0], bounds[1])

    def apply(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probability, low and high (n,): the first is the one whose log loss is least bad for either bound."""
        cell = np.searchsorted(self.edges, score, side="right")
        low, high = self.low[cell], self.high[cell]
        return high / (1.0 - low + high), low, high

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {"edges": self.edges, "low": self.low, "high": self.high}

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> ProbabilityIntervals:
        """The reverse of `arrays`."""
        return cls(arrays["edges"], arrays["low"], arrays["high"])


def _with_one_more(n: np.ndarray, events: np.ndarray, outcome: float) -> np.ndarray:
    """For each cell its isotonic mean once a pair with `outcome` was added to it."""
    answer = np.empty(len(n))
    for cell in range(len(n)):
        size, ones = n.copy(), events.copy()
        size[cell] += 1.0
        ones[cell] += outcome
        answer[cell] = _isotonic(size, ones)[cell]
    return answer


def _isotonic(n: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Rising means of cells with `n` pairs and `events` of them, by pooling neighbours that fall."""
    sizes: list[float] = []
    sums: list[float] = []
    spans: list[int] = []
    for size, total in zip(n.tolist(), events.tolist(), strict=True):
        sizes.append(size)
        sums.append(total)
        spans.append(1)
        while len(sizes) > 1 and sums[-2] * sizes[-1] >= sums[-1] * sizes[-2]:
            size_2, total_2, span_2 = sizes.pop(), sums.pop(), spans.pop()
            sizes[-1] += size_2
            sums[-1] += total_2
            spans[-1] += span_2
    means = np.array(sums) / np.maximum(np.array(sizes), 1e-12)
    return np.repeat(means, spans)


Intervals = ValueIntervals | ProbabilityIntervals


def learn_intervals(judged: Judged, outcome: Outcome, n_treatments: int, coverage: float) -> Intervals:
    """Intervals of values, or of the probabilities of a binary outcome or an exposure."""
    if outcome == "continuous":
        return ValueIntervals.learn(judged, n_treatments, coverage)
    return ProbabilityIntervals.learn(judged)


def load_intervals(outcome: Outcome, arrays: dict[str, np.ndarray]) -> Intervals:
    """The intervals that `arrays` holds."""
    return ValueIntervals.load(arrays) if outcome == "continuous" else ProbabilityIntervals.load(arrays)


def reached_coverage(
    judged: Judged, n_treatments: int, coverage: float, *, seed: int, confidence_level: float
) -> dict[str, Any]:
    """The share of values inside intervals that were learned from other subjects, and how wide these were."""
    part = np.random.default_rng(seed).integers(_PARTS, size=int(judged.subject.max()) + 1)[judged.subject]
    held = np.zeros(len(judged), dtype=bool)
    width = np.zeros(len(judged))
    for number in range(_PARTS):
        inside = part == number
        if not inside.any() or inside.all():
            continue
        intervals = ValueIntervals.learn(judged.take(np.flatnonzero(~inside)), n_treatments, coverage)
        low, high = intervals.apply(judged.prediction[inside], judged.treatment[inside])
        held[inside] = (low <= judged.y[inside]) & (judged.y[inside] <= high)
        width[inside] = high - low
    found = proportion(held, groups=judged.subject, confidence_level=confidence_level).document()
    finite = width[np.isfinite(width)]
    return {
        "promised": coverage,
        "coverage": found,
        "mean_width": float(finite.mean()) if len(finite) else None,
    }


def calibration_of(judged: Judged, *, seed: int, n_bins: int = 10) -> list[dict[str, float]]:
    """For probabilities learned from other subjects: predicted and observed share in tenths of the pairs."""
    part = np.random.default_rng(seed).integers(_PARTS, size=int(judged.subject.max()) + 1)[judged.subject]
    p = np.zeros(len(judged))
    for number in range(_PARTS):
        inside = part == number
        if inside.any() and not inside.all():
            p[inside] = ProbabilityIntervals.learn(judged.take(np.flatnonzero(~inside))).apply(
                judged.prediction[inside]
            )[0]
    order = np.array_split(np.argsort(p, kind="stable"), n_bins)
    return [
        {"predicted": float(p[rows].mean()), "observed": float(judged.y[rows].mean()), "n": float(len(rows))}
        for rows in order
        if len(rows)
    ]
