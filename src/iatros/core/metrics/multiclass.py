"""Metrics of predicted probabilities of several classes, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from iatros.core.metrics.agreement import bin_starts
from iatros.core.metrics.binary import discrimination

NAMES = ("auroc", "auprc", "log_loss", "brier", "accuracy", "balanced_accuracy", "f1", "ece")


class MulticlassMetrics:
    """The metrics of probabilities `p` (n, k) for class indices `y` (n,), called with weights (b, n).

    AUROC and average precision are macro means of one class against the rest, over the classes that
    occur in `y`; Brier is the sum over classes (0 to 2), as in scikit-learn; the calibration error is that
    of the highest probability, in ten bins of equal size.
    """

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        self.y, self.p = y, p
        self.present = np.unique(y)
        self.top = p.argmax(axis=1)
        tiny = np.finfo(float).eps
        self.log_loss = -np.log(np.clip(p[np.arange(len(y)), y], tiny, 1.0))
        self.brier = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
        confidence = p.max(axis=1)
        self.order = np.argsort(confidence, kind="stable")
        self.bins = bin_starts(confidence[self.order], confidence)
        self.excess = ((self.top == y) - confidence)[self.order]
        self.gaps = np.add.reduceat(self.excess, self.bins) / len(y)
        self.ranked = [self._rank(label) for label in self.present]

    def _rank(self, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        score = self.p[:, label]
        order = np.argsort(score, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
        return order, starts, (self.y[order] == label).astype(float)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        n = weights.sum(axis=1)
        gaps = np.add.reduceat(weights[:, self.order] * self.excess, self.bins, axis=1) / n[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                **self._ranking(weights),
                "log_loss": weights @ self.log_loss / n,
                "brier": weights @ self.brier / n,
                "accuracy": weights @ (self.top == self.y) / n,
                **self._by_class(weights),
                "ece": np.abs(gaps).sum(axis=1),
                "ece_noise": np.abs(gaps - self.gaps).sum(axis=1),
            }

    def _ranking(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        sums = {"auroc": np.zeros(len(weights)), "auprc": np.zeros(len(weights))}
        for order, starts, is_class in self.ranked:
            ordered = weights[:, order]
            events = np.add.reduceat(ordered * is_class, starts, axis=1)
            others = np.add.reduceat(ordered, starts, axis=1) - events
            for name, value in discrimination(events, others).items():
                sums[name] += value / len(self.ranked)
        return sums

    def _by_class(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        recalls, scores = [], []
        for label in np.union1d(self.present, self.top):
            truth, said = self.y == label, self.top == label
            hit, n_truth, n_said = weights @ (truth & said), weights @ truth, weights @ said
            scores.append(np.where(n_truth + n_said > 0, 2 * hit / (n_truth + n_said), np.nan))
            if label in self.present:
                recalls.append(hit / n_truth)
        defined = np.isfinite(scores)
        mean_score = np.where(defined, scores, 0.0).sum(axis=0) / defined.sum(axis=0)
        return {"balanced_accuracy": np.mean(recalls, axis=0), "f1": mean_score}
