"""What the towers are given: features on one scale, past responses as sums, and what is kept for early stopping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import InputError
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Features, Outcome, Responses

_FARTHEST = 8.0
"""Deviations from the mean that a number may lie at; beyond, it counts as this far."""
SHRUNK = 5.0
"""Responses that the overall mean counts for in the mean of one treatment."""
_TUNING_SHARE = 0.1


@dataclass(frozen=True)
class Scaling:
    """Features less `centre` and over `scale`, both (k,); `within` (k,) is true where the result is clipped."""

    centre: np.ndarray
    scale: np.ndarray
    within: np.ndarray

    def __call__(self, features: Features | None, n: int) -> np.ndarray:
        """Float32 (n, k); 0, the mean, where there are no features."""
        width = len(self.centre)
        if features is None or not width:
            return np.zeros((n, width), dtype=np.float32)
        if features.values.shape != (n, width):
            raise InputError(
                f"features have {features.values.shape[1]} columns, the model learned from {width}",
                hint="give the features that the model was trained on",
            )
        scaled = (features.values - self.centre) / self.scale
        clipped = np.where(self.within, np.clip(scaled, -_FARTHEST, _FARTHEST), scaled)
        return clipped.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {"centre": self.centre, "scale": self.scale, "within": self.within}


def fit_scaling(features: Features | None, rows: np.ndarray) -> Scaling:
    """Numbers to mean 0 and deviation 1 each; other blocks to mean 0 and variance 1 on average over their columns."""
    if features is None or not features.blocks:
        return Scaling(np.zeros(0), np.ones(0), np.zeros(0, dtype=bool))
    values = features.values[rows]
    centre, scale = values.mean(axis=0), values.std(axis=0)
    within = np.zeros(len(centre), dtype=bool)
    for block in features.blocks:
        columns = slice(block.start, block.stop)
        if block.kind == "numbers":
            within[columns] = True
        else:
            scale[columns] = np.sqrt(np.mean(scale[columns] ** 2))
    scale = np.where(scale > 1e-9 * np.maximum(1.0, np.abs(centre)), scale, 1.0)
    return Scaling(centre, scale, within)


@dataclass(frozen=True)
class Past:
    """The responses of each of s subjects: those of k are at `start[k]:start[k + 1]`.

    `treatment` (n,) int64; `residual` (n,) float32 is by how much each outcome was above its treatment's mean.
    """

    start: np.ndarray
    treatment: np.ndarray
    residual: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """Responses of each subject (s,)."""
        return np.diff(self.start)

    def level(self) -> np.ndarray:
        """Mean residual of each subject (s,), shrunk towards 0; 0 where there is none."""
        return self.total() / (self.count + SHRUNK)

    def total(self) -> np.ndarray:
        """Sum of the residuals of each subject (s,)."""
        owner = np.repeat(np.arange(len(self.start) - 1), self.count)
        return np.bincount(owner, weights=self.residual, minlength=len(self.start) - 1)

    def pooled(self, table: np.ndarray) -> np.ndarray:
        """The rows of `table` (treatments, d) times residual, summed, over the root of their number (s, d)."""
        total = np.zeros((len(self.start) - 1, table.shape[1]), dtype=np.float32)
        for k in np.flatnonzero(self.count):
            rows = slice(self.start[k], self.start[k + 1])
            total[k] = np.einsum("i,ij->j", self.residual[rows], table[self.treatment[rows]])
        scaled: np.ndarray = total / np.sqrt(np.maximum(self.count, 1))[:, None].astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Scale:
    """How outcomes become what is learned: (y - mean) / spread; a binary outcome and an exposure stay 0 or 1.

    `typical` (treatments,) is the shrunken mean of each treatment on that scale, 0 for exposures.
    """

    outcome: Outcome
    mean: float
    spread: float
    typical: np.ndarray

    def learned(self, y: np.ndarray) -> np.ndarray:
        """Float32 (n,)."""
        if self.outcome == "implicit":
            return np.ones(len(y), dtype=np.float32)
        return ((y - self.mean) / self.spread).astype(np.float32)

    def residual(self, treatment: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Float32 (n,): above the treatment's mean."""
        return self.learned(y) - self.typical[treatment].astype(np.float32)

    def past(self, start: np.ndarray, treatment: np.ndarray, y: np.ndarray) -> Past:
        """The responses of subjects as the towers take them."""
        return Past(start, treatment, self.residual(treatment, y))


def fit_scale(responses: Responses) -> Scale:
    """The scale that `responses` are learned on."""
    n_treatments = responses.shape[1]
    if responses.outcome == "implicit":
        return Scale("implicit", 0.0, 1.0, np.zeros(n_treatments))
    binary = responses.outcome == "binary"
    mean = 0.0 if binary else float(responses.y.mean())
    spread = 1.0 if binary else max(float(responses.y.std()), 1e-12)
    learned = (responses.y - mean) / spread
    overall = float(learned.mean())
    total = np.bincount(responses.treatment, weights=learned, minlength=n_treatments)
    count = np.bincount(responses.treatment, minlength=n_treatments)
    return Scale(responses.outcome, mean, spread, (total + SHRUNK * overall) / (count + SHRUNK))


def past_of(responses: Responses, scale: Scale) -> tuple[Past, np.ndarray]:
    """The responses by subject, and the order (n,) that brings the rows of `responses` into it."""
    order = np.argsort(responses.subject, kind="stable")
    start = np.searchsorted(responses.subject[order], np.arange(responses.shape[0] + 1))
    return scale.past(start.astype(np.int64), responses.treatment[order], responses.y[order]), order


def tuning_rows(responses: Responses, newness: Newness, seed: int) -> np.ndarray:
    """Rows that only say when to stop, about a tenth, new in the way in which predictions will be: bool (n,)."""
    rng = np.random.default_rng(seed)
    n = len(responses)
    if newness == "time" and responses.time is not None:
        latest = np.argsort(responses.time, kind="stable")[-max(1, round(_TUNING_SHARE * n)) :]
        chosen = np.zeros(n, dtype=bool)
        chosen[latest] = True
        return chosen
    if newness in ("subjects", "treatments"):
        names = responses.subject if newness == "subjects" else responses.treatment
        there = np.unique(names)
        if len(there) > 1:
            out = rng.permutation(there)[: max(1, round(_TUNING_SHARE * len(there)))]
            return np.isin(names, out)
    chosen = np.zeros(n, dtype=bool)
    if n > 1:
        chosen[rng.permutation(n)[: max(1, round(_TUNING_SHARE * n))]] = True
    return chosen
