"""The learners of individual effects: one line each, imported when asked for.

A learner is a function `fit(pieces, base, *, seed) -> Learned`. `constant` is the effect that is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from iatros.core.registry import Registry
from iatros.treatment.effects.nuisance import Nuisances
from iatros.treatment.effects.propensity import PropensityModel
from iatros.treatment.effects.schema import EffectCohort


@dataclass(frozen=True)
class Pieces:
    """What a learner learns from: a cohort and the inverse probability of censoring (n,) of its subjects.

    `nuisances` and `propensity` (of all its subjects) are there for the learners that need them: see NEED_SCORES.
    """

    cohort: EffectCohort
    weight: np.ndarray
    nuisances: Nuisances | None = None
    propensity: PropensityModel | None = None

    @property
    def scored(self) -> Nuisances:
        """The nuisances, which must be there."""
        assert self.nuisances is not None
        return self.nuisances


class Learned(Protocol):
    """Fitted individual effects."""

    def effects(self, X: np.ndarray) -> np.ndarray:
        """The effect of each arm but the reference, against the reference, for covariates (n, p); (n, k - 1)."""
        ...

    def deviations(self, X: np.ndarray) -> np.ndarray | None:
        """The standard deviations of these effects (n, k - 1), where the learner knows them by itself; else None."""
        ...


class Learner(Protocol):
    """A learner that can be fitted."""

    def __call__(self, pieces: Pieces, base: str, *, seed: int) -> Learned:
        """The effects learned from `pieces` with regressions of one base."""
        ...


NEED_SCORES = ("constant", "x", "dr", "causal-forest")
"""Learners that start from cross-fitted expectations or scores; the others need the cohort and the weights alone."""

LEARNERS = Registry("learner", group="iatros.treatment.learners")

_HERE = "iatros.treatment.effects.learners"
LEARNERS.add("constant", f"{_HERE}.constant:fit", "one effect for all: the average")
LEARNERS.add("s", f"{_HERE}.surfaces:fit_s", "one regression of the outcome on covariates and arm")
LEARNERS.add("t", f"{_HERE}.surfaces:fit_t", "one regression of the outcome for each arm")
LEARNERS.add("x", f"{_HERE}.scores:fit_x", "regressions of imputed effects, weighed by propensity")
LEARNERS.add("dr", f"{_HERE}.scores:fit_dr", "a regression of doubly robust scores")
LEARNERS.add("causal-forest", f"{_HERE}.causal_forest:fit", "EconML's causal forest", extra="treatment")
