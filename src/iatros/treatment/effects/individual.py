"""Individual effects with intervals, for the subjects themselves and for new ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iatros.core.context import Context
from iatros.core.intervals import normal_quantile
from iatros.core.splits import bootstrap_rows, task_seed
from iatros.treatment.effects.censoring import CensoringModel
from iatros.treatment.effects.learners import NEED_SCORES, Learned, Pieces
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.effects.selection import INNER_FOLDS, Candidate, fit_candidate, pieces_of

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
    bases: tuple[str, ...]
    censoring: CensoringModel
    asked: np.ndarray


def individual_effects(
    pieces: Pieces,
    learned: Learned,
    candidate: Candidate,
    asked: np.ndarray,
    context: Context,
    *,
    bases: tuple[str, ...] = ("ridge",),
    censoring: CensoringModel = "kaplan-meier",
    bootstraps: int = 100,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> IndividualEffects:
    """The effects of `learned` for covariates `asked` (m, p), with intervals.

    A learner that knows its own error (see OWN) is taken at its word. Any other is fitted anew, with everything before
    it, on `bootstraps` resamples of the patients, and the interval is the effect plus and minus normal quantiles of the
    standard deviation over them. Either way it holds what sampling leaves open, not what shrinkage towards smooth or
    equal effects hides: its coverage of true effects is lower where they vary sharply.
    """
    value = learned.effects(asked)
    deviation = learned.deviations(asked)
    method = OWN.get(candidate.name, "normal, from the learner's own standard error")
    if deviation is None:
        shared = _Shared(pieces.cohort, candidate, bases, censoring, asked)
        seeds = [task_seed(seed, f"bootstrap/{number}") for number in range(bootstraps)]
        drawn = context.engine.map(
            _resampled, seeds, shared, progress=context.progress, label="bootstrap of effects"
        )
        deviation = np.std(np.stack(drawn), axis=0, ddof=1)
        m = len(np.unique(pieces.cohort.groups))
        method = f"normal, from the bootstrap over {m} patients ({bootstraps} resamples)"
    half = normal_quantile(confidence_level) * deviation
    return IndividualEffects(value, value - half, value + half, method)


def _resampled(shared: _Shared, seed: int) -> np.ndarray:
    """The effects learned on one resample of the patients."""
    rows, _ = bootstrap_rows(shared.cohort.groups, seed)
    pieces = pieces_of(
        shared.cohort.take(rows), bases=shared.bases, censoring=shared.censoring, folds=INNER_FOLDS, seed=seed,
        scores=shared.candidate.learner in NEED_SCORES,
    )  # fmt: skip
    return fit_candidate(shared.candidate, pieces, seed).effects(shared.asked)
