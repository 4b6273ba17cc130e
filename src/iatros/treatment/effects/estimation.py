"""The estimation: averages, comparisons of learners, individual effects, and the checks of what they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.treatment.effect_requests import EffectRequest
from iatros.treatment.effects.averages import PairEffect, average_effects, mean_by_arm
from iatros.treatment.effects.balance import balance
from iatros.treatment.effects.censoring import inverse_censoring_weights
from iatros.treatment.effects.checks import negative_controls, placebo, unadjusted
from iatros.treatment.effects.heterogeneity import HeterogeneityTest, heterogeneity_test
from iatros.treatment.effects.individual import IndividualEffects, individual_effects
from iatros.treatment.effects.learners import Pieces
from iatros.treatment.effects.nuisance import Nuisances, fit_nuisances
from iatros.treatment.effects.overlap import Overlap, overlap
from iatros.treatment.effects.propensity import PropensityModel
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.effects.selection import (
    GP_ROWS,
    Candidate,
    NuisanceModels,
    Selected,
    candidates,
    fit_candidate,
    propensity_of,
    select,
)
from iatros.treatment.effects.sensitivity import EValue, e_value_of_difference, e_value_of_ratio
from iatros.treatment.effects.study import Study


@dataclass(frozen=True)
class Estimated:
    """Everything that was estimated, before it is put into words. `new` are the effects of new patients."""

    nuisances: Nuisances
    propensity: PropensityModel
    averages: list[PairEffect]
    averages_inside: list[PairEffect] | None
    means: dict[str, Any]
    unadjusted: dict[tuple[str, str], Any]
    e_values: list[EValue]
    overlap: Overlap
    balance: dict[str, Any]
    tests: list[HeterogeneityTest]
    selected: Selected
    individual: IndividualEffects
    new: IndividualEffects | None
    placebo: dict[str, Any] | None
    controls: list[dict[str, Any]]


def estimate(study: Study, request: EffectRequest, context: Context, asked: np.ndarray | None) -> Estimated:
    """All of it, for a study; `asked` (m, p) are the features of new patients, or None."""
    cohort, level = study.cohort, request.confidence_level
    bases = default_bases(cohort) if request.outcome_model == "auto" else (request.outcome_model,)
    with context.progress.step("outcome models and propensities"):
        nuisances = fit_nuisances(
            cohort, bases=bases, propensity_base=request.propensity_model,
            censoring=request.censoring, folds=request.folds, seed=request.seed,
        )  # fmt: skip
    found = overlap(cohort, nuisances.e)
    averages = average_effects(cohort, nuisances, confidence_level=level)
    inside = None
    if not found.inside.all() and found.refusal(cohort.arms) is None:
        rows = np.flatnonzero(found.inside)
        inside = average_effects(cohort, nuisances, rows=rows, confidence_level=level)
    tests = [heterogeneity_test(cohort, nuisances, a, seed=request.seed) for a in range(1, cohort.n_arms)]
    # a base that no arm chose is not fitted again and again
    models = NuisanceModels(tuple(dict.fromkeys(nuisances.base)), request.propensity_model, request.censoring)
    selected = select(
        cohort, nuisances, candidates(cohort, request.learner, request.base), context,
        models=models, seed=request.seed, confidence_level=level,
    )  # fmt: skip
    candidate = kept(selected, request)
    propensity = propensity_of(cohort, request.propensity_model, request.seed)
    weight = inverse_censoring_weights(cohort, cohort, request.censoring)
    pieces = Pieces(cohort, weight, nuisances, propensity)
    every = cohort.X if asked is None else np.vstack([cohort.X, asked])
    effects = individual_effects(
        pieces, fit_candidate(candidate, pieces, request.seed), candidate, every, context,
        models=models, resamples=request.resamples, confidence_level=level, seed=request.seed,
    )  # fmt: skip
    n = len(cohort)
    return Estimated(
        nuisances=nuisances, propensity=propensity, averages=averages, averages_inside=inside,
        means=mean_by_arm(cohort, nuisances, confidence_level=level),
        unadjusted=unadjusted(cohort, nuisances, confidence_level=level),
        e_values=[_e_value(cohort, one) for one in averages], overlap=found,
        balance=balance(cohort, nuisances.e), tests=tests, selected=selected, individual=effects.rows(slice(0, n)),
        new=None if asked is None else effects.rows(slice(n, None)),
        placebo=placebo(
            cohort, context, repeats=request.placebos, propensity_base=request.propensity_model,
            censoring=request.censoring, folds=request.folds, confidence_level=level, seed=request.seed,
        ),
        controls=negative_controls(
            cohort, study.controls, propensity_base=request.propensity_model, folds=request.folds,
            confidence_level=level, seed=request.seed,
        ),
    )  # fmt: skip


def kept(selected: Selected, request: EffectRequest) -> Candidate:
    """The candidate that the individual effects come from: the chosen one, or the one that was asked for by name."""
    if request.learner == "auto":
        return selected.candidate
    named = [one for one in selected.compared if one.candidate.learner == request.learner]
    return min(named, key=lambda one: one.loss).candidate


def default_bases(cohort: EffectCohort) -> tuple[str, ...]:
    """The outcome models that are compared where none is asked for, by the size of the arms."""
    return ("ridge", "boosting") if int(np.bincount(cohort.arm).max()) > GP_ROWS else ("ridge", "gp")


def _e_value(cohort: EffectCohort, effect: PairEffect) -> EValue:
    if effect.ratio is not None:
        return e_value_of_ratio(effect.ratio)
    rows = cohort.known
    return e_value_of_difference(effect.difference, float(np.std(cohort.y[rows], ddof=1)))
