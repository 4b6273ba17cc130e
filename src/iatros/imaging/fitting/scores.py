"""How good an epoch is on the tuning side."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from iatros.core.curves import softmax
from iatros.imaging.schema import Objective


def tuning_score(objective: Objective, logits: np.ndarray, y: np.ndarray) -> float:
    """The mean AUROC over classes (one against the others), labels, or steps between grades; NaN where none is.

    Classes and labels of which the tuning side has no example, or nothing else, are left out. For a quantity
    there is no AUROC, and the answer is NaN.
    """
    if objective == "squared-error" or not len(y):
        return math.nan
    if objective == "binary-cross-entropy":
        parts = [_known_auroc(y[:, k], logits[:, k]) for k in range(logits.shape[1])]
    elif objective == "ordinal":
        parts = [auroc(y > k, logits[:, k]) for k in range(logits.shape[1])]
    elif logits.shape[1] == 2:
        parts = [auroc(y == 1, logits[:, 1] - logits[:, 0])]
    else:
        shares = softmax(logits.astype(np.float64))
        parts = [auroc(y == k, shares[:, k]) for k in range(logits.shape[1])]
    defined = [part for part in parts if not math.isnan(part)]
    return float(np.mean(defined)) if defined else math.nan


def auroc(event: np.ndarray, score: np.ndarray) -> float:
    """Probability that an event has a higher score than a non-event, ties counted half; NaN without both."""
    n_events = int(np.sum(event))
    n_others = len(event) - n_events
    if not n_events or not n_others:
        return math.nan
    ranks = rankdata(score)[np.asarray(event, dtype=bool)].sum()
    return float((ranks - n_events * (n_events + 1) / 2) / (n_events * n_others))


def _known_auroc(label: np.ndarray, score: np.ndarray) -> float:
    known = ~np.isnan(label)
    return auroc(label[known] > 0.5, score[known])
