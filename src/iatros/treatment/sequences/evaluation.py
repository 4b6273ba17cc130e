"""How good predicted sets of medications are, with intervals that draw subjects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.intervals import Metric, group_codes, group_weights
from iatros.core.metrics.bootstrap import bootstrap_interval
from iatros.core.metrics.result import NAN
from iatros.treatment.sequences.interactions import pair_counts

NAMES = (
    "jaccard", "f1", "precision", "recall", "prauc", "recall_at_k", "ndcg_at_k", "brier", "oe_ratio",
    "calibration_slope", "interaction_rate", "interaction_rate_prescribed", "set_size", "set_size_prescribed",
    "missed_share", "controlled_size",
)  # fmt: skip
_BINS = 50


@dataclass(frozen=True)
class Judged:
    """Answers for n visits by models that had not learned from their subjects, over `medications` (m names).

    `rows` (n,) are visits, `subjects` (n,) whose. `truth`, `chosen` and `controlled` are bool (n, m): what was given,
    the predicted set, and the set with a promise. `outside` (n,) counts medications that no model knew, which count as
    missed. `probability` and `spread` are (n, m); `known` bool (n, m) says which medications the model of the row knew.
    """

    rows: np.ndarray
    subjects: np.ndarray
    medications: tuple[str, ...]
    truth: np.ndarray
    outside: np.ndarray
    probability: np.ndarray
    spread: np.ndarray
    chosen: np.ndarray
    controlled: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


class SetMetrics:
    """Every metric of `judged`, called with weights (b, n); `interactions` is bool (m, m) or None.

    Sets are compared visit by visit and averaged over visits (Jaccard, F1, precision, recall; average precision of the
    ranking, called PRAUC in this literature; recall and NDCG of the first `k`). Rates of interaction are the share of
    all pairs in the sets. Calibration is over all visits and known medications together.
    """

    def __init__(self, judged: Judged, *, k: int, interactions: np.ndarray | None = None) -> None:
        self.rows = per_visit(judged, k)
        self.pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if interactions is not None:
            self.pairs = {
                "interaction_rate": pair_counts(judged.chosen, interactions),
                "interaction_rate_prescribed": pair_counts(judged.truth, interactions),
            }
        known = judged.known
        self.events = (judged.truth & known).sum(axis=1).astype(float)
        self.expected = np.where(known, judged.probability, 0.0).sum(axis=1)
        self.bins, self.logit = _binned(judged)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            n = weights.sum(axis=1)
            found = {name: weights @ values / n for name, values in self.rows.items()}
            found["oe_ratio"] = (weights @ self.events) / (weights @ self.expected)
            found["calibration_slope"] = _slope(weights @ self.bins[0], weights @ self.bins[1], self.logit)
            for name, (interacting, pairs) in self.pairs.items():
                found[name] = (weights @ interacting) / (weights @ pairs)
        return found


def evaluate(
    judged: Judged,
    *,
    k: int = 10,
    interactions: np.ndarray | None = None,
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Metric]:
    """Each metric with its interval over resamples of subjects."""
    n = len(judged)
    metrics = SetMetrics(judged, k=k, interactions=interactions)
    whole = metrics(np.ones((1, n)))
    blocks = [metrics(weights) for weights in group_weights(judged.subjects, n_bootstrap, seed, n=n)]
    drawn = {name: np.concatenate([block[name] for block in blocks]) for name in whole} if blocks else {}
    n_subjects = group_codes(judged.subjects, n)[1]
    found = {}
    for name in NAMES:
        if name not in whole:
            continue
        value = float(whole[name][0])
        if not np.isfinite(value):
            found[name] = Metric(NAN, NAN, NAN, n, None, "not defined: nothing to count")
            continue
        low, high, said = bootstrap_interval(
            name,
            value,
            drawn,
            groups=judged.subjects,
            n=n,
            n_smaller=n_subjects,
            confidence_level=confidence_level,
        )
        found[name] = Metric(value, low, high, n, None, said)
    return found


def differences(
    judged: Judged,
    other: Judged,
    *,
    k: int = 10,
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
    names: tuple[str, ...] = ("jaccard", "prauc"),
) -> dict[str, dict[str, Any]]:
    """`judged` less `other` on the same visits, with paired percentile intervals over subjects."""
    if not np.array_equal(judged.rows, other.rows):
        raise ValueError("the two have judged different visits")
    one, two = per_visit(judged, k), per_visit(other, k)
    found = {}
    for name in names:
        gap = one[name] - two[name]
        drawn = [weights @ gap / weights.sum(axis=1)
                 for weights in group_weights(judged.subjects, n_bootstrap, seed, n=len(gap))]  # fmt: skip
        low, high = (NAN, NAN)
        if drawn:
            tail = (1 - confidence_level) / 2
            low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
        found[name] = {"value": float(gap.mean()), "low": float(low), "high": float(high)}
    return found


def per_visit(judged: Judged, k: int) -> dict[str, np.ndarray]:
    """What is averaged over visits, by name, each (n,)."""
    truth, chosen, known = judged.truth, judged.chosen, judged.known
    given = truth.sum(axis=1) + judged.outside
    hit = (truth & chosen).sum(axis=1)
    size = chosen.sum(axis=1)
    n_known = np.maximum(known.sum(axis=1), 1)
    error = np.where(known, judged.probability - truth, 0.0)
    lacking = (truth & known & ~judged.controlled).sum(axis=1)
    return {
        "jaccard": hit / np.maximum(given + size - hit, 1),
        "f1": 2 * hit / np.maximum(given + size, 1),
        "precision": hit / np.maximum(size, 1),
        "recall": hit / np.maximum(given, 1),
        **_ranked(judged, given, k),
        "brier": (error**2).sum(axis=1) / n_known,
        "set_size": size.astype(float),
        "set_size_prescribed": given.astype(float),
        "missed_share": lacking / np.maximum((truth & known).sum(axis=1), 1),
        "controlled_size": judged.controlled.sum(axis=1).astype(float),
    }


def _ranked(judged: Judged, given: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Average precision, recall and NDCG of the first k (n,); equal probabilities in the order of the names."""
    score = np.where(judged.known, judged.probability, -1.0)
    order = np.argsort(-score, axis=1, kind="stable")
    hits = np.take_along_axis(judged.truth & judged.known, order, axis=1)
    rank = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / rank
    first = hits[:, :k]
    gain = (first / np.log2(rank[:k] + 1)).sum(axis=1)
    best = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.clip(given, 1, k) - 1]
    return {
        "prauc": (precision * hits).sum(axis=1) / np.maximum(given, 1),
        "recall_at_k": first.sum(axis=1) / np.maximum(given, 1),
        "ndcg_at_k": gain / best,
    }


def _binned(judged: Judged) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Events and cells of each visit (n, bins) by the log-odds of their probability, and the log-odds of the bins."""
    p = np.clip(judged.probability, 1e-6, 1 - 1e-6)
    logit = np.log(p / (1 - p))
    inside = logit[judged.known]
    edges = np.unique(np.quantile(inside, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(inside) else np.empty(0)
    place = np.searchsorted(edges, logit, side="right")
    n_bins = len(edges) + 1
    flat = (np.arange(len(judged))[:, None] * n_bins + place)[judged.known]
    cells = np.bincount(flat, minlength=len(judged) * n_bins).reshape(-1, n_bins).astype(float)
    events = np.bincount(flat, weights=judged.truth[judged.known], minlength=len(judged) * n_bins)
    total = np.bincount(place[judged.known], weights=inside, minlength=n_bins)
    return (events.reshape(-1, n_bins), cells), total / np.maximum(cells.sum(axis=0), 1)


def _slope(events: np.ndarray, cells: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """The slope of a logistic regression of the events on the log-odds, (b,), by Newton's steps."""
    mean = np.clip(events.sum(axis=1) / cells.sum(axis=1), 1e-9, 1 - 1e-9)
    a, s = np.log(mean / (1 - mean)), np.zeros(len(events))
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(a[:, None] + s[:, None] * logit, -30, 30)))
        residual, weight = events - cells * p, cells * p * (1 - p)
        g0, g1 = residual.sum(axis=1), residual @ logit
        h00, h01, h11 = weight.sum(axis=1), weight @ logit, weight @ logit**2
        det = h00 * h11 - h01**2
        a, s = a + (h11 * g0 - h01 * g1) / det, s + (h00 * g1 - h01 * g0) / det
    return np.where(np.ptp(logit) > 0, s, NAN)


def documents(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics by name as JSON-ready documents."""
    return {name: metric.document() for name, metric in metrics.items()}


def reliability(judged: Judged, n_bins: int = 10) -> list[dict[str, float]]:
    """Mean probability and observed share of the known medications of all visits, by tenths of the probability."""
    p, y = judged.probability[judged.known], judged.truth[judged.known]
    edges = np.unique(np.quantile(p, np.linspace(0, 1, n_bins + 1)[1:-1])) if len(p) else np.empty(0)
    place = np.searchsorted(edges, p, side="right")
    return [
        {"predicted": float(p[at].mean()), "observed": float(y[at].mean()), "n": int(at.sum())}
        for b in range(len(edges) + 1)
        if (at := place == b).any()
    ]
