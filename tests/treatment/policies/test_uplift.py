"""Gain curves by hand and by identities; calibration of effects against a known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.intervals import midranks
from iatros.treatment.policies.effect_calibration import calibration_of_effects
from iatros.treatment.policies.uplift import ranks_within, uplift


def test_a_curve_by_hand() -> None:
    """In falling rank the scores are 3, 1, -1, -2: gained .75, 1, .75, .25 of four patients."""
    found = uplift(np.array([0.1, 0.9, 0.4, 0.6]), np.array([-2.0, 3.0, -1.0, 1.0]), n_bootstrap=50)
    assert found.gain[[0, 5, 10, 15, 20]] == pytest.approx([0.0, 0.75, 1.0, 0.75, 0.25])
    assert found.auuc.value == pytest.approx((0.375 + 0.875 + 0.875 + 0.5) / 4)
    assert found.qini.value == pytest.approx(found.auuc.value - 0.125)


def test_of_equal_ranks_chance_decides() -> None:
    """The two first are alike, so the curve is straight until half are treated: .5 at a quarter, not .75."""
    found = uplift(np.array([0.1, 0.9, 0.4, 0.9]), np.array([-2.0, 3.0, -1.0, 1.0]), n_bootstrap=50)
    assert found.gain[[5, 10]] == pytest.approx([0.5, 1.0])
    nobody_differs = uplift(np.zeros(7), np.arange(7.0), n_bootstrap=50)
    assert nobody_differs.qini.value == pytest.approx(0.0)
    assert (nobody_differs.qini.low, nobody_differs.qini.high) == pytest.approx((0.0, 0.0), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(3, 40))
def test_identities(seed: int, n: int) -> None:
    """The Qini coefficient is the mean of the scores times how far above the middle they are ranked."""
    rng = np.random.default_rng(seed)
    effect, pseudo = rng.integers(0, 9, n).astype(float), rng.normal(size=n)
    from_top = (midranks(-effect) - 0.5) / n
    found = uplift(effect, pseudo, n_bootstrap=20)
    assert found.qini.value == pytest.approx(float(np.mean(pseudo * (0.5 - from_top))))
    assert found.gain[-1] == pytest.approx(pseudo.mean())
    assert uplift(-effect, pseudo, n_bootstrap=20).qini.value == pytest.approx(-found.qini.value)
    order = rng.permutation(n)
    assert uplift(effect[order], pseudo[order], n_bootstrap=20).auuc.value == pytest.approx(found.auuc.value)
    assert uplift(effect, pseudo + 3.0, n_bootstrap=20).qini.value == pytest.approx(found.qini.value)


def test_a_fold_ranks_its_own_patients() -> None:
    values = np.array([5.0, 7.0, 7.0, 100.0, 300.0, 200.0])
    fold = np.array([0, 0, 0, 1, 1, 1])
    assert ranks_within(values, fold) == pytest.approx([1 / 6, 2 / 3, 2 / 3, 1 / 6, 5 / 6, 0.5])
    moved = np.where(fold == 1, np.exp(values / 100), values)
    assert ranks_within(moved, fold) == pytest.approx(ranks_within(values, fold))


def test_constant_predictions_of_folds_do_not_run_against_the_truth() -> None:
    """A fold whose own effect is large is predicted a small one: over all rows that looks worse than chance."""
    rng = np.random.default_rng(2)
    pseudo, fold = rng.normal(size=90), np.arange(90) % 5
    predicted = np.array([pseudo[fold != k].mean() for k in fold])
    assert uplift(midranks(predicted), pseudo).qini.value < -0.01
    assert uplift(ranks_within(predicted, fold), pseudo).qini.value == pytest.approx(0.0, abs=1e-12)
    found = calibration_of_effects(predicted, pseudo, fold)
    assert math.isnan(found.slope.value)
    assert "same effect" in found.slope.interval


def test_intervals_hold_the_known_coefficient() -> None:
    """Ranked by x, with scores x + noise, the coefficient is E[x (F(x) - 1/2)] = 1 / (2 sqrt(pi))."""
    rng = np.random.default_rng(9)
    truth, hits = 1 / (2 * math.sqrt(math.pi)), 0
    for k in range(120):
        x = rng.normal(size=150)
        found = uplift(midranks(x), x + rng.normal(size=150), n_bootstrap=300, seed=k)
        hits += found.qini.low <= truth <= found.qini.high
    assert 0.89 <= hits / 120 <= 0.99


def test_calibration_against_a_known_truth() -> None:
    """Predicted twice too large: the slope is a half; the mean is off by the mean of half the prediction."""
    rng = np.random.default_rng(3)
    n = 4000
    effect = rng.normal(1.0, 1.0, n)
    found = calibration_of_effects(2 * effect, effect + rng.normal(0, 2, n), np.arange(n) % 5)
    assert found.slope.low < 0.5 < found.slope.high
    assert found.slope.high - found.slope.low == pytest.approx(2 * 1.96 * 2 / (2 * math.sqrt(n)), rel=0.1)
    assert found.excess.low < -1.0 < found.excess.high
    assert len(found.fifths) == 5
    assert [fifth.found.n for fifth in found.fifths] == [800] * 5
    predicted = [fifth.predicted for fifth in found.fifths]
    assert predicted == sorted(predicted)
    assert sum(predicted) / 5 == pytest.approx(float(np.mean(2 * effect)))
    for fifth in found.fifths:
        assert fifth.found.low < fifth.predicted / 2 < fifth.found.high


def test_rows_of_one_patient_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    effect = np.repeat(rng.normal(size=200), 3)
    pseudo = effect + np.repeat(rng.normal(size=200), 3)
    fold = np.repeat(np.arange(200) % 4, 3)
    groups = np.repeat(np.arange(200), 3)
    alone = calibration_of_effects(effect, pseudo, fold).slope
    whole = calibration_of_effects(effect, pseudo, fold, groups=groups).slope
    assert whole.value == alone.value
    assert (whole.high - whole.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(3), rel=0.05)
