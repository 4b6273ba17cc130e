"""Overlap: whether subjects like each one are found in every arm, and for whom a comparison can be made at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.treatment.effects.schema import EffectCohort

LOW, HIGH = 0.05, 0.95
"""A propensity outside leaves too few subjects of the other kind to compare with (Crump et al. 2009 give .1 and .9)."""

MOST_OUTSIDE = 0.5
LEAST_EFFECTIVE = 20.0
_BINS = 20


@dataclass(frozen=True)
class Overlap:
    """What the propensities say.

    `inside` (n,) marks subjects whose probability of every arm is at least LOW (and so at most HIGH with two arms).
    `effective` (k,) is the number of equally weighted subjects that each arm is worth after weighting, `counts`
    (k, k, 20) the histogram, over twentieths, of the probability of arm j among the subjects in arm i.
    """

    inside: np.ndarray
    least: float
    greatest: float
    effective: np.ndarray
    counts: np.ndarray

    @property
    def share_outside(self) -> float:
        """Share of subjects for whom some arm is out of reach."""
        return float(1.0 - self.inside.mean())

    def refusal(self, arms: tuple[str, ...]) -> str | None:
        """Why nobody is ranked: most subjects have no counterpart, or an arm is worth too few; else None."""
        if self.share_outside > MOST_OUTSIDE:
            return (
                f"{self.share_outside:.0%} of the subjects have a probability of some arm outside [{LOW}, {HIGH}], "
                f"more than {MOST_OUTSIDE:.0%}: they have no counterpart in the other arm, so subjects are not ranked"
            )
        weakest = int(self.effective.argmin())
        if self.effective[weakest] < LEAST_EFFECTIVE:
            return (
                f"after weighting the arm {arms[weakest]!r} is worth {self.effective[weakest]:.1f} subjects, at least "
                f"{LEAST_EFFECTIVE:.0f} are needed: subjects are not ranked"
            )
        return None

    def document(self, arms: tuple[str, ...]) -> dict[str, Any]:
        """Plain values for the result."""
        return {
            "bounds": [LOW, HIGH],
            "share_outside": self.share_outside,
            "n_outside": int((~self.inside).sum()),
            "least": self.least,
            "greatest": self.greatest,
            "effective_sample_size": dict(zip(arms, self.effective.tolist(), strict=True)),
            "edges": np.linspace(0.0, 1.0, _BINS + 1).tolist(),
            "histogram": {
                of: {among: self.counts[i, j].tolist() for i, among in enumerate(arms)}
                for j, of in enumerate(arms)
            },
        }


def overlap(cohort: EffectCohort, e: np.ndarray) -> Overlap:
    """Overlap of a cohort with propensities `e` (n, k)."""
    k = cohort.n_arms
    own = np.maximum(e[np.arange(len(cohort)), cohort.arm], 1e-12)
    weight = 1.0 / own
    effective = np.array(
        [weight[cohort.arm == a].sum() ** 2 / (weight[cohort.arm == a] ** 2).sum() for a in range(k)]
    )
    counts = np.stack(
        [
            [np.histogram(e[cohort.arm == i, j], bins=_BINS, range=(0.0, 1.0))[0] for j in range(k)]
            for i in range(k)
        ]
    )
    return Overlap(has_overlap(e), float(e.min()), float(e.max()), effective, counts)


def has_overlap(e: np.ndarray) -> np.ndarray:
    """Whether each subject's probabilities `e` (n, k) all lie within [LOW, HIGH]; (n,)."""
    return np.asarray(((e >= LOW) & (e <= HIGH)).all(axis=1))
