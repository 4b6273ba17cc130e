"""Checks whose answer is known: arms dealt at random, and outcomes that the treatment cannot change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.intervals import Metric, wilson
from iatros.core.splits import task_seed
from iatros.learners.threads import one_blas_thread
from iatros.treatment.effects.averages import average_effects
from iatros.treatment.effects.censoring import CensoringModel
from iatros.treatment.effects.nuisance import Nuisances, doubly_robust_scores, fit_nuisances
from iatros.treatment.effects.schema import EffectCohort


@dataclass(frozen=True)
class _Shared:
    cohort: EffectCohort
    propensity_base: str
    censoring: CensoringModel
    folds: int
    confidence_level: float


def placebo(
    cohort: EffectCohort,
    context: Context,
    *,
    repeats: int,
    propensity_base: str = "ridge",
    censoring: CensoringModel = "kaplan-meier",
    folds: int = 5,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any] | None:
    """How often the interval of the average effect holds 0 where the arms are shuffled, so that there is none.

    It checks the estimation, intervals included, on these covariates and outcomes; it says nothing of confounding. The
    share is over repeats and arms, with Wilson's interval over the repeats. None for no repeats.
    """
    if not repeats:
        return None
    shared = _Shared(cohort, propensity_base, censoring, folds, confidence_level)
    seeds = [task_seed(seed, f"placebo/{number}") for number in range(repeats)]
    found = np.array(
        context.engine.map(_shuffled, seeds, shared, progress=context.progress, label="placebo arms")
    )
    held = (found[..., 1] <= 0) & (found[..., 2] >= 0)
    share = float(held.mean())
    low, high = wilson(share * repeats, repeats)
    return {
        "repeats": repeats,
        "share_holding_zero": share,
        "low": low,
        "high": high,
        "mean_effect": float(found[..., 0].mean()),
        "as_expected": bool(low <= confidence_level <= high or share >= confidence_level),
    }


def _shuffled(shared: _Shared, seed: int) -> list[tuple[float, float, float]]:
    """Effect, low and high of each arm against the reference, after the patients' arms were dealt anew."""
    rng = np.random.default_rng(seed)
    cohort = replace(shared.cohort, arm=rng.permutation(shared.cohort.arm), assignment=None)
    with one_blas_thread():
        nuisances = fit_nuisances(
            cohort,
            propensity_base=shared.propensity_base,
            censoring=shared.censoring,
            folds=shared.folds,
            seed=seed,
        )
    effects = average_effects(cohort, nuisances, confidence_level=shared.confidence_level)
    against_reference = [one.difference for one in effects if one.reference == cohort.arms[0]]
    return [(one.value, one.low, one.high) for one in against_reference]


def negative_controls(
    cohort: EffectCohort,
    controls: dict[str, np.ndarray],
    *,
    propensity_base: str = "ridge",
    folds: int = 5,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The "effect" of each arm on outcomes that it cannot have changed; one away from 0 is confounding left over.

    Lipsitch, Tchetgen Tchetgen and Cohen 2010. Values (n,) may be NaN where an outcome is not known.
    """
    found = []
    for name, values in controls.items():
        rows = np.flatnonzero(np.isfinite(values))
        y = values[rows]
        binary = bool(np.isin(y, (0.0, 1.0)).all())
        part = replace(
            cohort.take(rows),
            y=y,
            kind="binary" if binary else "continuous",
            time=None,
            event=None,
            horizon=None,
        )
        nuisances = fit_nuisances(part, propensity_base=propensity_base, folds=folds, seed=seed)
        for one in average_effects(part, nuisances, confidence_level=confidence_level):
            if one.reference == cohort.arms[0]:
                away = not one.difference.low <= 0 <= one.difference.high
                found.append(
                    {"outcome": name, "arm": one.arm, "reference": one.reference,
                     "difference": one.difference.document(), "away_from_zero": away}
                )  # fmt: skip
    return found


def unadjusted(
    cohort: EffectCohort, nuisances: Nuisances, *, confidence_level: float = 0.95
) -> dict[tuple[str, str], Metric]:
    """Differences of the arms' own means, covariates left out; by (arm, reference). Censoring is still weighed."""
    k = cohort.n_arms
    shares = np.bincount(cohort.arm, minlength=k) / len(cohort)
    means = []
    for a in range(k):
        rows = (cohort.arm == a) & (nuisances.weight > 0)
        means.append(float(nuisances.weight[rows] @ cohort.y[rows] / nuisances.weight[rows].sum()))
    flat = np.ones((len(cohort), 1))
    gamma = doubly_robust_scores(cohort, flat * means, flat * shares, nuisances.weight)
    plain = replace(nuisances, gamma=gamma)
    label = "difference of means, normal"
    return {
        (one.arm, one.reference): replace(one.difference, interval=label)
        for one in average_effects(cohort, plain, confidence_level=confidence_level)
    }
