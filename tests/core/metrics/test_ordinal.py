"""Quadratic-weighted kappa against scikit-learn, and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from iatros.core.metrics import ordinal_metrics


def grades(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(5, n, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    return y, np.clip(y + rng.choice([-2, -1, 0, 1], n, p=[0.05, 0.2, 0.6, 0.15]), 0, 4)


@given(seed=st.integers(0, 10_000), n=st.integers(5, 80))
@settings(max_examples=60, deadline=None)
def test_kappa_is_that_of_scikit_learn(seed: int, n: int) -> None:
    y, grade = grades(n, seed)
    found = ordinal_metrics(y, grade, n_bootstrap=0)["quadratic_kappa"].value
    expected = cohen_kappa_score(y, grade, labels=range(5), weights="quadratic")
    if np.isnan(expected):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(expected, abs=1e-12)


def test_intervals_hold_the_value_and_draw_patients() -> None:
    y, grade = grades(150, 3)
    alone = ordinal_metrics(y, grade, seed=1)["quadratic_kappa"]
    repeated = ordinal_metrics(
        np.repeat(y, 4), np.repeat(grade, 4), groups=np.repeat(np.arange(150), 4), seed=1
    )
    kappa = repeated["quadratic_kappa"]
    assert alone.low < alone.value < alone.high
    assert kappa.value == pytest.approx(alone.value)
    assert kappa.high - kappa.low == pytest.approx(alone.high - alone.low, rel=0.02)
    assert "150 patients" in kappa.interval
    assert repeated["within_one_grade"].value == pytest.approx((np.abs(y - grade) <= 1).mean())
    assert "150 patients" in repeated["within_one_grade"].interval


def test_one_grade_alone_has_no_kappa_and_all_right_has_a_lower_bound() -> None:
    same = ordinal_metrics(np.full(9, 2), np.full(9, 2))["quadratic_kappa"]
    assert np.isnan(same.value)
    assert same.interval == "not defined: one grade"
    y, _ = grades(60, 5)
    perfect = ordinal_metrics(y, y)["quadratic_kappa"]
    assert perfect.value == 1.0
    assert perfect.low < 1.0 == perfect.high
