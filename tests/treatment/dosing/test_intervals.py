"""Intervals by band of predicted dose hold what they promise, in every band."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.treatment.dosing.intervals import LEAST_IN_BAND, BandedInterval, fit_banded


def drawn(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, and truths whose spread grows with them."""
    prediction = rng.uniform(2, 9, n)
    return prediction, prediction + rng.normal(0, 0.1 * prediction**1.5, n)


def test_each_band_holds_the_share_by_itself() -> None:
    rng = np.random.default_rng(4)
    hits = np.zeros((40, 2))
    for repeat in range(40):
        prediction, y = drawn(1000, rng)
        rule = fit_banded(y, prediction, 0.9, groups=np.arange(1000))
        asked, truth = drawn(2000, rng)
        low, high = rule.apply(asked)
        held = (low <= truth) & (truth <= high)
        hits[repeat] = held[asked < 4].mean(), held[asked > 7].mean()
    assert len(rule.rules) == 4
    np.testing.assert_allclose(hits.mean(axis=0), 0.9, atol=0.03)


def test_with_few_patients_there_is_one_band() -> None:
    rng = np.random.default_rng(5)
    prediction, y = drawn(LEAST_IN_BAND, rng)
    assert len(fit_banded(y, prediction, 0.9, groups=np.arange(LEAST_IN_BAND)).rules) == 1
    heaped = np.repeat([3.0, 3.0, 3.0, 8.0], 250)
    rule = fit_banded(heaped + rng.normal(size=1000), heaped, 0.9, groups=np.arange(1000))
    assert len(rule.rules) >= 1
    prediction, y = drawn(5, rng)
    low, high = fit_banded(y, prediction, 0.9, groups=np.arange(5)).apply(prediction)
    assert np.isinf(low).all()
    assert np.isinf(high).all()


def test_stored_and_read_again_it_answers_alike() -> None:
    rng = np.random.default_rng(6)
    prediction, y = drawn(900, rng)
    rule = fit_banded(y, prediction, 0.8, groups=np.arange(900))
    again = BandedInterval.load(rule.arrays())
    for one, other in zip(rule.apply(prediction), again.apply(prediction), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.confidence_level == pytest.approx(0.8)
    assert rule.document()["n_bands"] == len(rule.rules) == 4
