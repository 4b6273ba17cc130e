"""The points of ROC and precision-recall curves, thinned for drawing."""

from __future__ import annotations

from typing import Any

import numpy as np

_POINTS = 200


def roc_curve(y: np.ndarray, p: np.ndarray, *, points: int = _POINTS) -> dict[str, Any]:
    """False and true positive rate at falling thresholds of scores `p` (n,) for labels `y` (n,) in {0, 1}.

    >>> roc_curve(np.array([0, 1, 1]), np.array([0.1, 0.4, 0.3]))
    {'fpr': [0.0, 0.0, 0.0, 1.0], 'tpr': [0.0, 0.5, 1.0, 1.0]}
    """
    hits, misses = _cumulative(y, p)
    keep = _thin(len(hits), points)
    return {
        "fpr": (misses / max(misses[-1], 1.0))[keep].tolist(),
        "tpr": (hits / max(hits[-1], 1.0))[keep].tolist(),
    }


def precision_recall_curve(y: np.ndarray, p: np.ndarray, *, points: int = _POINTS) -> dict[str, Any]:
    """Recall and precision at falling thresholds, without the undefined point where nothing is called."""
    hits, misses = (part[1:] for part in _cumulative(y, p))
    keep = _thin(len(hits), points)
    return {
        "recall": (hits / max(hits[-1], 1.0))[keep].tolist(),
        "precision": (hits / (hits + misses))[keep].tolist(),
    }


def _cumulative(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events and non-events at or above each distinct score, from the highest, starting with none."""
    order = np.argsort(-p, kind="stable")
    event = np.asarray(y)[order] == 1
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits, misses = np.cumsum(event)[last], np.cumsum(~event)[last]
    return np.append(0.0, hits), np.append(0.0, misses)


def _thin(n: int, points: int) -> np.ndarray:
    return np.arange(n) if n <= points else np.unique(np.linspace(0, n - 1, points).round().astype(int))
