"""How good predicted responses are: over all pairs, within treatments, within subjects, and as ranked lists.

The correlation over all pairs is mostly the difference between treatments: whoever knows that one works better than
another for everybody scores high, and has told nothing about a patient. So correlations within treatments and within
subjects stand beside it, and the normalised one, from which the means of both are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from iatros.core.metrics.binary import BinaryMetrics
from iatros.core.metrics.continuous import ContinuousMetrics
from iatros.core.metrics.result import Metric
from iatros.core.metrics.two_way import two_way_evaluate, two_way_weights
from iatros.treatment.responses.ranking import Lists, list_metrics
from iatros.treatment.responses.schema import Outcome, Responses

CONTINUOUS = ("rmse", "mae", "r2", "pearson", "spearman", "calibration_slope")
BINARY = ("auroc", "auprc", "brier", "log_loss", "calibration_slope", "calibration_intercept")
SCORES = ("auroc", "auprc")
LEAST_WITHIN = 5
"""Judged pairs below which a treatment or a subject has no correlation of its own."""
_MANY = 20_000
_RESAMPLES_OF_MANY = 100


@dataclass(frozen=True)
class Judged:
    """Predictions (n,) of the pairs at `subject` and `treatment` (n,), by models that had not learned from them.

    `y` (n,) is what was observed (of exposures 1.0, and 0.0 of pairs that no one was seen to have), `base` (n,) what
    means of treatment and subject alone predict, `fold` (n,) which fold judged the pair.
    """

    subject: np.ndarray
    treatment: np.ndarray
    y: np.ndarray
    prediction: np.ndarray
    base: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> Judged:
        """The judged pairs at `rows`."""
        return Judged(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def drawn(self, seed: int, most: int = 1000) -> dict[str, list[float]]:
        """Predicted and observed outcomes of at most `most` pairs drawn at random, for a picture."""
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:most])
        return {
            "predicted": self.prediction[rows].round(4).tolist(),
            "observed": self.y[rows].round(4).tolist(),
        }


@dataclass(frozen=True)
class _Within:
    """The mean over blocks of the correlation inside each, under row weights; small or constant blocks are left out."""

    membership: sparse.csr_matrix
    y: np.ndarray
    p: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, block: np.ndarray, y: np.ndarray, p: np.ndarray) -> _Within | None:
        """None where no block has enough rows."""
        codes = np.unique(block, return_inverse=True)[1].reshape(-1)
        size = np.bincount(codes)
        varies = np.array([_varies(y, codes == k) for k in range(len(size))]) if len(size) <= 5000 else None
        kept = size >= LEAST_WITHIN if varies is None else (size >= LEAST_WITHIN) & varies
        if not kept.any():
            return None
        rows = np.flatnonzero(kept[codes])
        places = np.cumsum(kept) - 1
        shape = (len(y), int(kept.sum()))
        membership = sparse.csr_matrix((np.ones(len(rows)), (rows, places[codes[rows]])), shape=shape)
        sums = membership.T @ np.column_stack([y, p]) / size[kept][:, None]
        means = membership @ sums
        return cls(membership, y - means[:, 0], p - means[:, 1], size[kept].astype(float))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        n = np.asarray(weights @ self.membership)
        with np.errstate(divide="ignore", invalid="ignore"):
            my, mp = (
                np.asarray((weights * self.y) @ self.membership) / n,
                np.asarray((weights * self.p) @ self.membership) / n,
            )
            vy = np.asarray((weights * self.y**2) @ self.membership) / n - my**2
            vp = np.asarray((weights * self.p**2) @ self.membership) / n - mp**2
            covariance = np.asarray((weights * self.y * self.p) @ self.membership) / n - my * mp
            r = np.where(vp > 1e-18, covariance / np.sqrt(np.maximum(vy * vp, 1e-36)), 0.0)
        r = np.where((vy > 1e-18) & (n > 0), r, np.nan)
        weight = np.where(np.isnan(r), 0.0, n / self.size)
        total = weight.sum(axis=1)
        return np.where(total > 0, np.nansum(r * weight, axis=1) / np.where(total > 0, total, 1.0), np.nan)


def _varies(y: np.ndarray, rows: np.ndarray) -> bool:
    inside = y[rows]
    return bool(len(inside) and inside.max() > inside.min())


@dataclass(frozen=True)
class ResponseMetrics:
    """Every metric of judged pairs, called with row weights (b, n)."""

    outcome: Outcome
    judged: Judged
    parts: dict[str, _Within] = field(default_factory=dict)
    whole: Any = None

    @classmethod
    def of(cls, judged: Judged, outcome: Outcome) -> ResponseMetrics:
        """What can be computed once, is."""
        y, p = judged.y, judged.prediction
        whole = ContinuousMetrics(y, p) if outcome == "continuous" else BinaryMetrics(y, p, max_points=1000)
        parts: dict[str, _Within | None] = {}
        for name, block in (("treatment", judged.treatment), ("subject", judged.subject)):
            parts[f"within_{name}"] = _Within.of(block, y, p)
            if outcome == "continuous":
                parts[f"spearman_within_{name}"] = _Within.of(block, *_ranked(block, y, p))
        if outcome == "continuous":
            everything = np.zeros(len(y), dtype=np.int64)
            parts["normalised_pearson"] = _Within.of(everything, y - judged.base, p - judged.base)
        return cls(outcome, judged, {name: part for name, part in parts.items() if part is not None}, whole)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        names = {"continuous": CONTINUOUS, "binary": BINARY, "implicit": SCORES}[self.outcome]
        found = self.whole(weights)
        answer = {name: found[name] for name in names}
        return answer | {name: part(weights) for name, part in self.parts.items()}


def _ranked(block: np.ndarray, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Midranks of both within each block."""
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(block[order]) != 0])
    ranks = np.empty((2, len(y)))
    for begin, end in zip(starts, np.r_[starts[1:], len(y)], strict=True):
        rows = order[begin:end]
        ranks[0, rows], ranks[1, rows] = rankdata(y[rows]), rankdata(p[rows])
    return ranks[0], ranks[1]


def evaluate(
    judged: Judged, outcome: Outcome, lists: Lists, *, n_bootstrap: int, confidence_level: float, seed: int
) -> dict[str, Metric]:
    """Every metric with an interval for new subjects and new treatments; metrics of lists for new subjects."""
    if len(judged) > _MANY:
        n_bootstrap = min(n_bootstrap, _RESAMPLES_OF_MANY)
    found = two_way_evaluate(
        ResponseMetrics.of(judged, outcome),
        judged.subject,
        judged.treatment,
        names=("subjects", "treatments"),
        n_bootstrap=n_bootstrap,
        confidence_level=confidence_level,
        seed=seed,
    )
    return found | list_metrics(lists, n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed)


def point_metrics(judged: Judged, outcome: Outcome) -> dict[str, float]:
    """The values alone, without intervals."""
    found = ResponseMetrics.of(judged, outcome)(np.ones((1, len(judged))))
    return {name: float(values[0]) for name, values in found.items()}


def main_metric(outcome: Outcome) -> str:
    """What decides between models: RMSE, log loss, or of exposures the area under the precision-recall curve."""
    return {"continuous": "rmse", "binary": "log_loss", "implicit": "auprc"}[outcome]


def difference(
    judged: Judged, other: Judged, outcome: Outcome, *, n_bootstrap: int, confidence_level: float, seed: int
) -> dict[str, dict[str, float]]:
    """The main metric and the one within treatments of `judged`, less those of `other` on the same pairs, paired."""
    if not np.array_equal(judged.y, other.y):
        raise ValueError("the two have judged different pairs")
    if len(judged) > _MANY:
        n_bootstrap = min(n_bootstrap, _RESAMPLES_OF_MANY)
    one, two = ResponseMetrics.of(judged, outcome), ResponseMetrics.of(other, outcome)
    names = [main_metric(outcome), *(["within_treatment"] if "within_treatment" in one.parts else [])]
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for weights in two_way_weights(judged.subject, judged.treatment, n_bootstrap, seed):
        a, b = one(weights), two(weights)
        for name in names:
            drawn[name].append(a[name] - b[name])
    whole = np.ones((1, len(judged)))
    at_one, at_two = one(whole), two(whole)
    tail = (1 - confidence_level) / 2
    answer = {}
    for name in names:
        low, high = (
            np.nanquantile(np.concatenate(drawn[name]), [tail, 1 - tail]) if drawn[name] else (np.nan, np.nan)
        )
        answer[name] = {
            "value": float(at_one[name][0] - at_two[name][0]), "low": float(low), "high": float(high)
        }  # fmt: skip
    return answer


def with_base(judged: Judged, base: np.ndarray) -> Judged:
    """The same with what the means predict."""
    return replace(judged, base=base)


def observed_lists(responses: Responses, judged: Judged, better: str, k: int) -> Lists:
    """For each judged subject the treatments ranked by what was predicted, among those that were judged."""
    sign = -1.0 if better == "lower" else 1.0
    gain = sign * judged.y
    if responses.outcome == "continuous":
        gain = gain - gain.min()
    return Lists(
        judged.subject, judged.treatment, sign * judged.prediction, gain, k, len(responses.treatments)
    )
