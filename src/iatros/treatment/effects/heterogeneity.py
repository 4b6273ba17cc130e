"""A test of whether effects differ between subjects in a way that their covariates tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import group_codes
from iatros.core.splits import folds as split_folds
from iatros.core.splits import task_seed
from iatros.treatment.effects.bases import BASES
from iatros.treatment.effects.nuisance import Nuisances
from iatros.treatment.effects.schema import EffectCohort

TEST_BASES = ("ridge",)
"""With squares and products where they help; trees find less at the sizes of trials and cost a hundred times more."""
SPLITS = 3
_PARTS = 5


@dataclass(frozen=True)
class HeterogeneityTest:
    """`p_value` of no difference that the covariates tell, for one comparison; `slope` is how much of a predicted
    difference is found in unseen subjects (1: all of it, 0: none), its mean over the splits and bases."""

    arm: str
    reference: str
    p_value: float
    slope: float
    n: int
    method: str


def heterogeneity_test(
    cohort: EffectCohort,
    nuisances: Nuisances,
    arm: int,
    reference: int = 0,
    *,
    bases: Sequence[str] = TEST_BASES,
    splits: int = SPLITS,
    seed: int = 0,
) -> HeterogeneityTest:
    """The best linear predictor of the effect by a prediction of it (Chernozhukov, Demirer, Duflo, Fernandez-Val 2018).

    The subjects are cut into five parts. A regression of the doubly robust scores learned on the first parts predicts
    those of the next part, where the slope of the scores on the prediction is tested (one-sided, patients as units);
    four such statistics, each standard normal given the parts before it, add up to one that is normal without any
    condition on the regressions. Cross-fitting both ways would not give that: with no heterogeneity the parts' slopes
    depend on each other. Every base and several cuts give one p-value each, joined by Cauchy's combination (Liu and
    Xie 2020), which allows for their dependence.
    """
    scores = nuisances.pseudo(arm, reference)
    values, slopes = [], []
    for split in range(splits):
        own = task_seed(seed, f"heterogeneity/{split}")
        part = split_folds(groups=cohort.groups, strata=cohort.arm, n_folds=_PARTS, seed=own)
        for base in bases:
            z, slope = _in_turn(cohort, scores, part, base, own)
            values.append(0.5 * math.erfc(z / math.sqrt(2)))
            slopes.append(slope)
    method = f"best linear predictor on unseen parts, {' and '.join(bases)}, {splits} cuts, one-sided"
    return HeterogeneityTest(
        cohort.arms[arm],
        cohort.arms[reference],
        cauchy_combination(values),
        float(np.mean(slopes)),
        len(cohort),
        method,
    )


def cauchy_combination(p_values: Sequence[float]) -> float:
    """One p-value for several that may depend on each other (Liu and Xie 2020)."""
    held = np.clip(np.asarray(p_values, dtype=float), 1e-15, 1 - 1e-15)
    statistic = float(np.mean(np.tan((0.5 - held) * np.pi)))
    return 0.5 - math.atan(statistic) / math.pi


def _in_turn(
    cohort: EffectCohort, scores: np.ndarray, part: np.ndarray, base: str, seed: int
) -> tuple[float, float]:
    """The joint statistic of parts 1.. given those before, and the mean slope."""
    fit = BASES.load(base)
    found, weights = [], []
    for number in range(1, _PARTS):
        before, now = np.flatnonzero(part < number), np.flatnonzero(part == number)
        surface = fit(cohort.X[before], scores[before], weight=np.ones(len(before)), binary=False, seed=seed)
        found.append(_slope(scores[now], surface.predict(cohort.X[now]), cohort.groups[now]))
        # a prediction from more parts is worth more; the weights are fixed beforehand
        weights.append(math.sqrt(number))
    z = np.array([one[0] for one in found])
    w = np.array(weights)
    return float(w @ z / math.sqrt(float(w @ w))), float(np.mean([one[1] for one in found]))


def _slope(scores: np.ndarray, prediction: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """t-statistic and value of the least-squares slope of scores on the prediction, robust, by patient.

    A prediction that is the same for all has no slope: both are 0.
    """
    x = prediction - prediction.mean()
    total = float(x @ x)
    if total <= 1e-12 * len(x) * max(1.0, float(scores.var())):
        return 0.0, 0.0
    slope = float(x @ scores) / total
    residual = scores - scores.mean() - slope * x
    codes, m = group_codes(groups, len(x))
    pieces = np.bincount(codes, weights=x * residual, minlength=m)
    error = math.sqrt(float(pieces @ pieces) * m / max(m - 2, 1)) / total
    return (slope / error if error > 0 else 0.0), slope
