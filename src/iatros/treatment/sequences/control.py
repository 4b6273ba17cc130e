"""Sets of medications that miss no more than was promised: risk control of the share of missed medications.

With a set of all medications whose probability is at least a threshold, the share of a visit's medications that the
set misses falls as the threshold falls. The threshold is learned on subjects that the model has not learned from.
Either the mean share over new subjects is promised (conformal risk control; Angelopoulos and others 2024), or, with
`certainty`, that the mean share is at most the promised one with that certainty about the calibration (risk-controlling
prediction sets; Bates and others 2021, by the bound of Hoeffding and Bentkus).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError

_SLACK = 1e-9


@dataclass(frozen=True)
class MissControl:
    """Every medication with a probability of at least `threshold` is in the set; 0 takes all of them.

    `missed` is the promised share, `n` the number of subjects that the threshold was learned on.
    """

    missed: float
    threshold: float
    certainty: float | None
    n: int

    def sets(self, probability: np.ndarray) -> np.ndarray:
        """Which medications are in each set, bool as `probability` (n, m)."""
        inside: np.ndarray = probability >= self.threshold - _SLACK
        return inside

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": "conformal risk control"
            if self.certainty is None
            else "risk-controlling prediction sets",
            "missed": self.missed,
            "threshold": self.threshold,
            "certainty": self.certainty,
            "n_subjects": self.n,
        }

    @classmethod
    def load(cls, document: dict[str, Any]) -> MissControl:
        """The reverse of `document`."""
        return cls(document["missed"], document["threshold"], document["certainty"], document["n_subjects"])


def fit_control(
    probability: np.ndarray,
    truth: np.ndarray,
    subjects: np.ndarray,
    *,
    missed: float = 0.1,
    certainty: float | None = None,
) -> MissControl:
    """The highest threshold that keeps the promise, from probabilities (n, m) and what was given, bool (n, m).

    Each of the `subjects` (n,) weighs the same, its share being the mean over its visits: the promise is for a visit of
    a new subject drawn like these. Visits without a known medication miss nothing.
    """
    if not 0 < missed < 1 or (certainty is not None and not 0 < certainty < 1):
        raise InputError("missed and certainty lie between 0 and 1")
    n = len(np.unique(subjects))
    if not n:
        return MissControl(missed, 0.0, certainty, 0)
    # between two probabilities that occur nothing changes; 0 takes everything
    steps = np.unique(np.append(probability[truth], 0.0))
    low, high = 0, len(steps) - 1
    if not _keeps(_shares(probability, truth, subjects, float(steps[0])), missed, certainty):
        return MissControl(missed, 0.0, certainty, n)
    while low < high:
        middle = (low + high + 1) // 2
        if _keeps(_shares(probability, truth, subjects, float(steps[middle])), missed, certainty):
            low = middle
        else:
            high = middle - 1
    return MissControl(missed, float(steps[low]), certainty, n)


def missed_shares(sets: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The share of each row's medications that its set lacks (n,); 0 where it has none."""
    given = truth.sum(axis=1)
    lacking = (truth & ~sets).sum(axis=1)
    shares: np.ndarray = lacking / np.maximum(given, 1)
    return shares


def hoeffding_bentkus(mean: float, n: int, bound: float) -> float:
    """A p-value against the mean of n independent losses in [0, 1] being above `bound`, from their sample mean.

    Bates and others 2021, section 3.1: the smaller of Hoeffding's bound and e times a binomial tail (Bentkus 2004).
    """
    from scipy.special import bdtr

    a = min(mean, bound)
    b = bound
    entropy = (a * math.log(a / b) if a > 0 else 0.0) + (
        (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    )
    tail = float(bdtr(min(math.ceil(n * mean), n), n, bound))
    return min(math.exp(-n * entropy), math.e * tail, 1.0)


def _shares(probability: np.ndarray, truth: np.ndarray, subjects: np.ndarray, threshold: float) -> np.ndarray:
    """The mean missed share of each subject."""
    shares = missed_shares(probability >= threshold - _SLACK, truth)
    _, codes, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    return np.bincount(codes.reshape(-1), weights=shares) / counts


def _keeps(shares: np.ndarray, missed: float, certainty: float | None) -> bool:
    n, mean = len(shares), float(shares.mean())
    if certainty is None:
        return (n * mean + 1.0) / (n + 1) <= missed
    return hoeffding_bentkus(mean, n, missed) <= 1.0 - certainty
