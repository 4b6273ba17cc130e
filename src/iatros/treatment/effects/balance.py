"""Balance: how far the arms differ in each covariate, before and after weighting."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.treatment.effects.propensity import LEAST
from iatros.treatment.effects.schema import EffectCohort

LIMIT = 0.1
"""A standardised difference beyond this is called imbalance (Austin 2009)."""


def standardised_differences(
    cohort: EffectCohort, arm: int, reference: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Difference of (weighted) means over the root of the mean of the two unweighted variances, (p,).

    The denominator is the same before and after weighting (Stuart 2010), so that a change is one of means. A feature
    that is constant in both arms has 0.
    """
    weight = np.ones(len(cohort)) if weight is None else weight
    means, variances = [], []
    for a in (arm, reference):
        rows = cohort.arm == a
        means.append(weight[rows] @ cohort.X[rows] / weight[rows].sum())
        variances.append(
            cohort.X[rows].var(axis=0, ddof=1) if rows.sum() > 1 else np.zeros(cohort.X.shape[1])
        )
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    return np.asarray(np.where(spread > 1e-12, (means[0] - means[1]) / np.maximum(spread, 1e-12), 0.0))


def balance(cohort: EffectCohort, e: np.ndarray) -> dict[str, Any]:
    """For each arm against the reference the differences of all covariates: what a love plot shows.

    The weights are inverse propensities, those below LEAST held there.
    """
    weight = 1.0 / np.maximum(e[np.arange(len(cohort)), cohort.arm], LEAST)
    comparisons = []
    for arm in range(1, cohort.n_arms):
        before = standardised_differences(cohort, arm, 0)
        after = standardised_differences(cohort, arm, 0, weight)
        comparisons.append(
            {
                "arm": cohort.arms[arm],
                "reference": cohort.arms[0],
                "covariates": list(cohort.names),
                "before": before.tolist(),
                "after": after.tolist(),
                "worst_before": float(np.abs(before).max()),
                "worst_after": float(np.abs(after).max()),
                "n_beyond_limit_before": int((np.abs(before) > LIMIT).sum()),
                "n_beyond_limit_after": int((np.abs(after) > LIMIT).sum()),
            }
        )
    return {"limit": LIMIT, "comparisons": comparisons}
