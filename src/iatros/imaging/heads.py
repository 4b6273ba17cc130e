"""From what a network puts out to probabilities or values, by the objective that it was trained with. Numpy only."""

from __future__ import annotations

import numpy as np

from iatros.core.curves import expit, softmax
from iatros.core.task import Target
from iatros.imaging.schema import Objective


def n_outputs(objective: Objective, targets: tuple[Target, ...]) -> int:
    """How many numbers the network puts out: one per class, per label, or per step between grades."""
    if objective == "squared-error":
        return 1
    if objective == "binary-cross-entropy":
        return len(targets)
    return len(targets[0].classes) - (objective == "ordinal")


def predictions(objective: Objective, targets: tuple[Target, ...], logits: np.ndarray) -> list[np.ndarray]:
    """The prediction of each target in the shapes of core/task.py, from logits (n, n_outputs)."""
    logits = np.asarray(logits, dtype=np.float64)
    if objective == "squared-error":
        return [logits[:, 0]]
    if objective == "binary-cross-entropy":
        return [expit(logits[:, k]) for k in range(len(targets))]
    probability = grade_probabilities(logits) if objective == "ordinal" else softmax(logits)
    return [probability[:, 1] if targets[0].task == "binary" else probability]


def grade_probabilities(logits: np.ndarray) -> np.ndarray:
    """Probabilities of k grades (n, k) from the log-odds (n, k - 1) of lying above each grade but the last.

    The odds are sorted first, so that no grade gets a negative share (cumulative link model, McCullagh 1980).
    """
    above = expit(np.minimum.accumulate(logits, axis=1))
    ends = np.column_stack([np.ones(len(above)), above, np.zeros(len(above))])
    return ends[:, :-1] - ends[:, 1:]
