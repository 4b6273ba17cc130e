"""Means over several binary labels of the same rows, each label with unknown truths of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iatros.core.intervals import Metric, group_codes, group_weights
from iatros.core.metrics.binary import discrimination
from iatros.core.metrics.bootstrap import bootstrap_interval

NAMES = ("auroc", "auprc", "accuracy", "brier")


def macro_metrics(
    y: Sequence[np.ndarray],
    prediction: Sequence[np.ndarray],
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """Unweighted means over labels of AUROC, average precision, accuracy (at 0.5) and Brier score.

    For each label `y` is 0, 1 or NaN for unknown, (n,), and `prediction` its probability, (n,). A label without
    both classes is left out of the means, and said. Resamples are of whole groups and the same for all labels,
    so what labels share in a patient widens the interval as it must.
    """
    labels = [_Label(truth, p) for truth, p in zip(y, prediction, strict=True)]
    used = [label for label in labels if label.both]
    n = len(y[0]) if len(y) else 0
    if not used:
        nan = float("nan")
        said = "not defined: no label has both classes"
        return {name: Metric(nan, nan, nan, n, None, said) for name in NAMES}
    values = _means(used, np.ones((1, n)))
    blocks = [_means(used, weights) for weights in group_weights(groups, n_bootstrap, seed, n=n)]
    replicates = {name: np.concatenate([block[name] for block in blocks]) for name in NAMES} if blocks else {}
    codes, _ = group_codes(groups, n)
    rarest = min(label.rarest(codes) for label in used)
    answer = {}
    for name in NAMES:
        low, high, label = bootstrap_interval(
            name,
            float(values[name][0]),
            replicates,
            groups=groups,
            n=n,
            n_smaller=rarest,
            confidence_level=confidence_level,
        )
        said = f"{label}; mean of {len(used)}" + (f" of {len(labels)}" if len(used) < len(labels) else "")
        answer[name] = Metric(float(values[name][0]), low, high, n, None, f"{said} labels")
    return answer


class _Label:
    """One label: rows with a known truth, by rising probability."""

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        known = np.flatnonzero(np.isfinite(np.asarray(y, dtype=float)))
        order = np.argsort(np.asarray(p)[known], kind="stable")
        self.rows = known[order]
        self.p = np.asarray(p, dtype=float)[self.rows]
        self.event = np.asarray(y, dtype=float)[self.rows] == 1
        self.starts = np.flatnonzero(np.r_[True, np.diff(self.p) > 0]) if len(self.p) else np.array([], int)

    @property
    def both(self) -> bool:
        return bool(self.event.any() and not self.event.all())

    def rarest(self, codes: np.ndarray) -> int:
        """Groups in the rarer class."""
        return min(len(np.unique(codes[self.rows[self.event == one]])) for one in (True, False))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        weights = weights[:, self.rows]
        n = weights.sum(axis=1)
        events = np.add.reduceat(weights * self.event, self.starts, axis=1)
        others = np.add.reduceat(weights * ~self.event, self.starts, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                **discrimination(events, others),
                "accuracy": weights @ ((self.p >= 0.5) == self.event) / n,
                "brier": weights @ (self.p - self.event) ** 2 / n,
            }


def _means(labels: Sequence[_Label], weights: np.ndarray) -> dict[str, np.ndarray]:
    found = [label(weights) for label in labels]
    return {name: np.mean([one[name] for one in found], axis=0) for name in NAMES}
