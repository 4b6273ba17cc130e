"""A small cohort whose truth is known: unequal sites, repeated patients, missing values, one useless column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest


def make_cohort(n_patients: int = 260, seed: int = 3) -> pl.DataFrame:
    """About 1.3 rows per patient; the log-odds are -1.6 + 1.2 marker + 0.8 (ward = high) + 0.03 (age - 60)."""
    rng = np.random.default_rng(seed)
    visits = rng.choice([1, 2], size=n_patients, p=[0.7, 0.3])
    patient = np.repeat(np.arange(n_patients), visits)
    n = len(patient)
    age = np.repeat(rng.normal(62, 11, n_patients).round(), visits)
    marker = rng.normal(size=n)
    ward = rng.choice(["low", "mid", "high"], size=n, p=[0.5, 0.3, 0.2])
    logit = -1.6 + 1.2 * marker + 0.8 * (ward == "high") + 0.03 * (age - 60)
    outcome = rng.random(n) < 1 / (1 + np.exp(-logit))
    day = np.datetime64("2019-01-01") + rng.integers(0, 900, size=n)
    return pl.DataFrame(
        {
            "patient": [f"p{k:04d}" for k in patient],
            "site": np.repeat(
                rng.choice(["north", "south", "east"], size=n_patients, p=[0.5, 0.3, 0.2]), visits
            ),
            "visit": day,
            "age": age,
            "sex": np.repeat(rng.choice(["f", "m"], size=n_patients, p=[0.6, 0.4]), visits),
            "marker": np.where(rng.random(n) < 0.08, np.nan, marker),
            "ward": ward,
            "noise": rng.normal(size=n),
            "died": np.where(outcome, "yes", "no"),
            "days": np.exp(1.5 + 0.3 * marker + 0.2 * rng.normal(size=n)),
        }
    ).with_columns(pl.col("marker").fill_nan(None))


@pytest.fixture(scope="session")
def cohort() -> pl.DataFrame:
    """The cohort, the same for every test."""
    return make_cohort()
