"""Patients whose dose is made by a known rule."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest


def make_patients(n: int = 220, seed: int = 5, *, noise: float = 0.5) -> pl.DataFrame:
    """The square root of the dose is 6.3 - 0.025 age + 0.012 weight - 1.5 (AA) - 0.8 (AG) and noise."""
    rng = np.random.default_rng(seed)
    age, weight = rng.integers(20, 90, n), rng.normal(75, 12, n)
    gene = rng.choice(["AA", "AG", "GG"], n, p=[0.25, 0.4, 0.35])
    race = rng.choice(["white", "asian", "black"], n, p=[0.6, 0.25, 0.15])
    root = 6.3 - 0.025 * age + 0.012 * weight - 1.5 * (gene == "AA") - 0.8 * (gene == "AG")
    dose = (root + rng.normal(0, noise, n)) ** 2
    return pl.DataFrame(
        {
            "patient_id": [f"p{k:04d}" for k in range(n)],
            "seen": [f"2021-0{1 + k % 9}-1{k % 7}" for k in range(n)],
            "age": age,
            "weight": np.where(rng.random(n) < 0.1, np.nan, weight),
            "gene": gene,
            "race": race,
            "dose": dose,
        }
    ).with_columns(pl.col("weight").fill_nan(None))


@pytest.fixture(scope="session")
def patients() -> pl.DataFrame:
    """The same patients for every test."""
    return make_patients()
