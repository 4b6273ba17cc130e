"""How far an image lies from training images, by any list of numbers about it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from iatros.imaging.quality.outliers import Outliers, _shrinkage


def correlated(n: int, seed: int, f: int = 12) -> np.ndarray:
    mixing = np.random.default_rng(99).normal(size=(4, f))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ mixing + 0.3 * rng.normal(size=(n, f)) + 5.0


def test_the_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    rows = correlated(60, seed=0, f=12)
    centred = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2 / len(rows)
    expected = LedoitWolf(assume_centered=True).fit(centred).shrinkage_
    assert _shrinkage(centred, variance, float(variance.sum()) / 12) == pytest.approx(expected, rel=1e-9)


def test_false_alarms_are_near_what_is_stated() -> None:
    gate = Outliers.learned(correlated(2000, 1), correlated(2000, 2), unseen=True)
    distance = gate.distance(correlated(20000, 3))
    assert 0.003 < (distance > gate.flag).mean() < 0.008
    assert (distance > gate.refuse).mean() < 0.0015


def test_features_that_do_not_fit_together_are_far_out_though_each_alone_is_usual() -> None:
    gate = Outliers.learned(correlated(1000, 1), correlated(500, 2), unseen=True)
    rows = correlated(400, 3)
    scrambled = np.column_stack([np.random.default_rng(k).permutation(rows[:, k]) for k in range(12)])
    assert (gate.distance(scrambled) > gate.refuse).mean() > 0.95


def test_the_message_says_how_far_out() -> None:
    gate = Outliers.learned(correlated(1000, 1), correlated(500, 2), unseen=True)
    (found,) = gate.check(np.full(12, 60.0), "unlike-features", "unlike training images")
    assert found.severity == "refuse"
    assert found.value is not None
    assert found.limit == gate.refuse
    times = found.value / gate.flag
    assert found.message == (
        f"unlike training images: further out than all 500 images held back in training, {times:.1f} times the limit"
    )
    assert gate.check(np.full(12, 5.0), "unlike-features", "") == []


def test_a_feature_that_never_varied_counts_when_it_does() -> None:
    rows = correlated(500, 1)
    rows[:, 3] = 2.0
    gate = Outliers.learned(rows[:300], rows[300:], unseen=False)
    odd = rows[:1].copy()
    odd[0, 3] = 9.0
    assert gate.distance(odd)[0] > gate.refuse
    assert np.isfinite(gate.distance(odd)).all()


def test_numbers_that_are_not_finite_are_refused() -> None:
    gate = Outliers.learned(correlated(100, 1), correlated(100, 2), unseen=True)
    assert gate.check(np.full(12, np.nan), "unlike-features", "x")[0].severity == "refuse"
