"""Average effects: the mean outcome had everyone been in each arm, and its differences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import Metric, group_codes, normal_quantile
from iatros.treatment.effects.nuisance import Nuisances
from iatros.treatment.effects.schema import EffectCohort


def mean_outcomes(gamma: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (k,) of doubly robust scores (n, k), and their covariance (k, k) with patients as units.

    The variance is that of the efficient influence function (Robins, Rotnitzky and Zhao 1994; cross-fitted:
    Chernozhukov et al. 2018), times m / (m - 1) for m patients.
    """
    n = len(gamma)
    means = gamma.mean(axis=0)
    codes, m = group_codes(groups, n)
    centred = gamma - means
    if m < n:
        centred = np.stack([np.bincount(codes, weights=column, minlength=m) for column in centred.T], axis=1)
    return means, centred.T @ centred / n**2 * m / max(m - 1, 1)


@dataclass(frozen=True)
class PairEffect:
    """The effect of `arm` against `reference` in a set of subjects: mean difference, and the ratio of two means."""

    arm: str
    reference: str
    difference: Metric
    ratio: Metric | None
    """Of two probabilities, or two mean times; None for a continuous outcome, whose zero may be anywhere."""


def average_effects(
    cohort: EffectCohort,
    nuisances: Nuisances,
    *,
    rows: np.ndarray | None = None,
    confidence_level: float = 0.95,
) -> list[PairEffect]:
    """The effect of each arm against each arm before it, in the subjects at `rows` (all, where not given)."""
    rows = np.arange(len(cohort)) if rows is None else rows
    means, covariance = mean_outcomes(nuisances.gamma[rows], cohort.groups[rows])
    label = (
        f"augmented inverse probability weighting, normal over {len(np.unique(cohort.groups[rows]))} patients"
    )
    z = normal_quantile(confidence_level)
    events = int(np.nansum(cohort.y[rows])) if cohort.kind == "binary" else None
    found = []
    for reference, arm in _pairs(cohort.n_arms):
        value = float(means[arm] - means[reference])
        error = math.sqrt(
            max(covariance[arm, arm] + covariance[reference, reference] - 2 * covariance[arm, reference], 0.0)
        )
        difference = Metric(value, value - z * error, value + z * error, len(rows), events, label)
        ratio = (
            _ratio(means, covariance, arm, reference, z, len(rows), events)
            if cohort.kind != "continuous"
            else None
        )
        found.append(PairEffect(cohort.arms[arm], cohort.arms[reference], difference, ratio))
    return found


def mean_by_arm(
    cohort: EffectCohort, nuisances: Nuisances, *, confidence_level: float = 0.95
) -> dict[str, Metric]:
    """The mean outcome had every subject been in the arm, by the arm's name."""
    means, covariance = mean_outcomes(nuisances.gamma, cohort.groups)
    label = f"augmented inverse probability weighting, normal over {len(np.unique(cohort.groups))} patients"
    z = normal_quantile(confidence_level)
    found = {}
    for a, name in enumerate(cohort.arms):
        half = z * math.sqrt(max(covariance[a, a], 0.0))
        n = int((cohort.arm == a).sum())
        events = int(np.nansum(cohort.y[cohort.arm == a])) if cohort.kind == "binary" else None
        found[name] = Metric(
            float(means[a]), float(means[a] - half), float(means[a] + half), n, events, label
        )
    return found


def _pairs(n_arms: int) -> Iterator[tuple[int, int]]:
    for reference in range(n_arms):
        for arm in range(reference + 1, n_arms):
            yield reference, arm


def _ratio(
    means: np.ndarray, covariance: np.ndarray, arm: int, reference: int, z: float, n: int, events: int | None
) -> Metric | None:
    """Ratio of two means with an interval on the log scale (delta method); None where a mean is not above 0."""
    top, bottom = float(means[arm]), float(means[reference])
    if top <= 0 or bottom <= 0:
        return None
    variance = (
        covariance[arm, arm] / top**2
        + covariance[reference, reference] / bottom**2
        - 2 * covariance[arm, reference] / (top * bottom)
    )
    half = z * math.sqrt(max(variance, 0.0))
    value = top / bottom
    return Metric(
        value, value * math.exp(-half), value * math.exp(half), n, events, "delta method on the log scale"
    )
