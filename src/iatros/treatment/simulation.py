"""Simulated responses with known truth: no patients, and every counterfactual outcome is known.

Whom a treatment suits depends on two covariates and on something that nobody measured; who was given what depends on
severity, as in clinics, where the sicker get the stronger treatment (confounding by indication).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_SUBJECTS, N_TREATMENTS = 600, 16
NOISE = 0.6
"""Standard deviation of what no model can predict, in points of the score."""


@dataclass(frozen=True)
class Simulated:
    """`truth` (subjects, treatments) is the expected score, 0 to 10; `given` says who had what; `y` what was seen."""

    age: np.ndarray
    sex: np.ndarray
    marker: np.ndarray
    severity: np.ndarray
    truth: np.ndarray
    given: np.ndarray
    y: np.ndarray
    day: np.ndarray


def simulate(n_subjects: int = N_SUBJECTS, n_treatments: int = N_TREATMENTS, *, seed: int = 0) -> Simulated:
    """A clinic: each subject had 2 to 8 of the treatments, one after the other."""
    rng = np.random.default_rng(seed)
    age = rng.normal(58, 14, n_subjects).clip(18, 95)
    sex, severity = rng.integers(2, size=n_subjects), rng.normal(size=n_subjects)
    marker, hidden = rng.normal(size=n_subjects), rng.normal(size=(n_subjects, 2))
    strength = rng.normal(0, 0.8, n_treatments)
    by_marker, by_age = rng.normal(0, 0.7, n_treatments), rng.normal(0, 0.35, n_treatments)
    loading = rng.normal(0, 0.5, (2, n_treatments))
    truth = 5.0 - 0.6 * severity[:, None] + strength + marker[:, None] * by_marker
    truth = truth + ((age - 58) / 14)[:, None] * by_age + hidden @ loading
    wanted = severity[:, None] * strength * 0.8 + rng.gumbel(size=truth.shape)
    order = np.argsort(-wanted, axis=1)
    many = rng.integers(2, min(9, n_treatments + 1), size=n_subjects)
    given = np.zeros(truth.shape, dtype=bool)
    day = np.zeros(truth.shape)
    for k in range(n_subjects):
        taken = order[k, : many[k]]
        given[k, taken] = True
        day[k, taken] = 30 * np.arange(many[k]) + rng.integers(0, 20, many[k])
    y = (truth + rng.normal(0, NOISE, truth.shape)).clip(0, 10)
    return Simulated(age, sex, marker, severity, truth.clip(0, 10), given, y, day)
