"""Cohorts with known effects; lopsided on purpose: one arm is rarer, covariates are not symmetric."""

import numpy as np
import pytest

from iatros.treatment.effects.schema import EffectCohort


def simulated(n=400, seed=0, *, slope=1.0, noise=1.0, confounded=True, arms=2, kind="continuous"):
    """The effect of arm k against the first is k (0.5 + slope x1); returns the cohort and these effects (n, k - 1)."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(size=n), rng.gamma(2.0, 0.7, n), rng.normal(size=n), rng.integers(0, 2, n)]
    )
    pull = 0.6 * X[:, 0] - 0.4 if confounded else np.full(n, -0.4)
    scores = np.column_stack([np.zeros(n), *(pull - 0.2 * k for k in range(arms - 1))])
    e = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    arm = (rng.random(n)[:, None] > e.cumsum(axis=1)).sum(axis=1).astype(np.int64)
    effect = np.column_stack([k * (0.5 + slope * (X[:, 1] - 1.4)) for k in range(1, arms)])
    mean = X[:, 0] - 0.5 * X[:, 1] + 0.3 * X[:, 3]
    every = np.column_stack([mean, mean[:, None] + effect])
    y = every[np.arange(n), arm] + noise * rng.normal(size=n)
    if kind == "binary":
        y = (y > 0.2).astype(float)
    names = ("a", "b", "c", "d")
    cohort = EffectCohort(X, names, arm, tuple(f"arm {k}" for k in range(arms)), y, np.arange(n), kind=kind)
    return cohort, effect


@pytest.fixture(scope="session")
def cohort():
    return simulated()[0]
