"""Metrics of a predicted probability of an event, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from iatros.core.metrics.agreement import AgreementMetrics

NAMES = (
    "auroc", "auprc", "brier", "brier_skill", "log_loss", "calibration_slope", "calibration_intercept",
    "oe_ratio", "ece", "ici", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv",
    "f1", "mcc",
)  # fmt: skip


class BinaryMetrics:
    """The metrics of probabilities `p` (n,) for labels `y` in {0, 1} (n,).

    Called with weights (b, n) it gives each metric as (b,), nan where it is not defined. Rows with equal
    `p` are first added up, since every metric depends on a row only through its label and its `p`.
    Calibration regressions run on at most `max_points` points: exact for the value itself (None), and with
    a thousand far finer than the noise of a resample.
    """

    def __init__(
        self, y: np.ndarray, p: np.ndarray, *, threshold: float = 0.5, max_points: int | None = None
    ) -> None:
        self.order = np.argsort(p, kind="stable")
        ordered = p[self.order]
        self.y = y[self.order].astype(float)
        self.starts = np.flatnonzero(np.r_[True, np.diff(ordered) > 0])
        self.tied = len(self.starts) < len(p)
        self.p = ordered[self.starts]
        self.cut = int(np.searchsorted(self.p, threshold, side="left"))
        events = np.add.reduceat(self.y, self.starts)
        others = np.diff(np.r_[self.starts, len(p)]) - events
        self.agreement = AgreementMetrics(self.p, events, others, max_points=max_points)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        weights = weights[:, self.order]
        events = weights * self.y
        others = weights - events
        if self.tied:
            events = np.add.reduceat(events, self.starts, axis=1)
            others = np.add.reduceat(others, self.starts, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                **discrimination(events, others),
                **self._scores(events, others),
                **self.agreement(events, others),
                **_decisions(events[:, self.cut :], others[:, self.cut :], events, others),
            }

    def _scores(self, events: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
        p = self.p
        tiny = np.finfo(float).eps
        clipped = np.clip(p, tiny, 1 - tiny)
        n_events, n = events.sum(axis=1), events.sum(axis=1) + others.sum(axis=1)
        brier = (events @ (1 - p) ** 2 + others @ p**2) / n
        prevalence = n_events / n
        reference = prevalence * (1 - prevalence)
        return {
            "brier": brier,
            "brier_skill": np.where(reference > 0, 1 - brier / reference, np.nan),
            "log_loss": -(events @ np.log(clipped) + others @ np.log1p(-clipped)) / n,
        }


def discrimination(events: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    """AUROC (ties count half) and average precision, from weights by rising probability."""
    n_events, n_others = events.sum(axis=1), others.sum(axis=1)
    below_others = np.cumsum(others, axis=1)
    auroc = (events * (below_others - others / 2)).sum(axis=1) / (n_events * n_others)
    true_positives = n_events[:, None] - np.cumsum(events, axis=1) + events
    false_positives = n_others[:, None] - below_others + others
    flagged = true_positives + false_positives
    precision = true_positives / np.where(flagged > 0, flagged, 1.0)
    auprc = (events * precision).sum(axis=1) / n_events
    both = (n_events > 0) & (n_others > 0)
    return {"auroc": np.where(both, auroc, np.nan), "auprc": np.where(both, auprc, np.nan)}


def _decisions(
    flagged_events: np.ndarray, flagged_others: np.ndarray, events: np.ndarray, others: np.ndarray
) -> dict[str, np.ndarray]:
    tp, fp = flagged_events.sum(axis=1), flagged_others.sum(axis=1)
    fn, tn = events.sum(axis=1) - tp, others.sum(axis=1) - fp
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    both = (tp + fn > 0) & (tn + fp > 0)
    mcc = np.where(spread > 0, (tp * tn - fp * fn) / spread, 0.0)
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "f1": np.where(tp + fp + fn > 0, 2 * tp / (2 * tp + fp + fn), 0.0),
        "mcc": np.where(both, mcc, np.nan),
    }
