"""Individual effects with intervals, for the subjects themselves and for new ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iatros.core.context import Context
from iatros.core.intervals import normal_quantile
from iatros.core.splits import folds as split_folds
from iatros.core.splits import task_seed
from iatros.learners.threads import one_blas_thread
from iatros.treatment.effects.learners import NEED_SCORES, Learned, Pieces
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.effects.selection import (
    INNER_FOLDS,
    PLAIN,
    Candidate,
    NuisanceModels,
    fit_candidate,
    pieces_of,
)

OWN = {
    "constant": "normal, from the standard error of the average effect",
    "causal-forest": "normal, from the forest's own standard error (bootstrap of little bags)",
    "t-gp": "normal, from the posterior of the two Gaussian processes",
}
"""Candidates that know the error of their effects, and how."""


@dataclass(frozen=True)
class IndividualEffects:
    """Effects of each arm against the reference with `low` and `high`, each (n, k - 1), and how these were made."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    method: str

    def rows(self, rows: slice) -> IndividualEffects:
        """The effects of some of the subjects."""
        return replace(self, value=self.value[rows], low=self.low[rows], high=self.high[rows])


@dataclass(frozen=True)
class _Shared:
    cohort: EffectCohort
    candidate: Candidate
    models: NuisanceModels
    asked: np.ndarray


def individual_effects(
    pieces: Pieces,
    learned: Learned,
    candidate: Candidate,
    asked: np.ndarray,
    context: Context,
    *,
    models: NuisanceModels = PLAIN,
    resamples: int = 100,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> IndividualEffects:
    """The effects of `learned` for covariates `asked` (m, p), with intervals.

    A learner that knows its own error (see OWN) is taken at its word. Any other is fitted anew, with everything before
    it, on `resamples` halves of the patients (both halves of each cut, arms spread evenly), and the interval is the
    effect plus and minus normal quantiles of the standard deviation over them: for half the patients, drawn without
    replacement, that is the one of the estimate from all (delete-half jackknife, Shao and Wu 1989). A bootstrap would
    hold patients twice, which the left-out error that chooses penalties takes for new evidence. Either way the interval
    holds what sampling leaves open, not what shrinkage towards smooth or equal effects hides: its coverage of true
    effects is lower where they vary sharply.
    """
    value = learned.effects(asked)
    deviation = learned.deviations(asked)
    method = OWN.get(candidate.name, "normal, from the learner's own standard error")
    if deviation is None:
        shared = _Shared(pieces.cohort, candidate, models, asked)
        halves = [(task_seed(seed, f"half/{number // 2}"), number % 2) for number in range(resamples)]
        drawn = context.engine.map(
            _half, halves, shared, progress=context.progress, label="halves of the patients"
        )
        deviation = np.std(np.stack(drawn), axis=0, ddof=1)
        m = len(np.unique(pieces.cohort.groups))
        method = f"normal, from {resamples} halves of {m} patients (delete-half jackknife)"
    half = normal_quantile(confidence_level) * deviation
    return IndividualEffects(value, value - half, value + half, method)


def _half(shared: _Shared, half: tuple[int, int]) -> np.ndarray:
    """The effects learned on one half of the patients: the first number draws the cut, the second is the side."""
    seed, side = half
    cut = split_folds(groups=shared.cohort.groups, strata=shared.cohort.arm, n_folds=2, seed=seed)
    with one_blas_thread():
        pieces = pieces_of(
            shared.cohort.take(np.flatnonzero(cut == side)), bases=shared.models.bases,
            propensity_base=shared.models.propensity, censoring=shared.models.censoring, folds=INNER_FOLDS, seed=seed,
            scores=shared.candidate.learner in NEED_SCORES,
        )  # fmt: skip
        return fit_candidate(shared.candidate, pieces, seed).effects(shared.asked)
