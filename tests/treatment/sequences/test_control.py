"""Sets with a promise: by hand, and by simulation whether the promise is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from iatros.core.errors import InputError
from iatros.treatment.sequences.control import MissControl, fit_control, hoeffding_bentkus, missed_shares


def drawn(n, rng, m=6):
    """Probabilities that are far too high for half of the medications, and what was given, at two visits a subject."""
    p = rng.random((n, m)) ** 2
    told = np.where(np.arange(m) % 2, p, np.sqrt(p))
    truth = rng.random((n, m)) < p
    truth[:, 0] |= ~truth.any(axis=1)
    return told, truth, np.arange(n) // 2


def test_the_threshold_by_hand():
    # 19 subjects: one medication each, with probabilities .05 to .95; one in ten may be missed, that is
    # (misses + 1) / 20 <= .1, so one miss at most: the threshold is the second lowest probability
    probability = (np.arange(1, 20) / 20)[:, None]
    truth = np.ones((19, 1), dtype=bool)
    control = fit_control(probability, truth, np.arange(19), missed=0.1)
    assert control.threshold == pytest.approx(0.1)
    assert missed_shares(control.sets(probability), truth).sum() == 1


def test_too_few_subjects_take_every_medication():
    probability = np.array([[0.9, 0.1], [0.8, 0.3]])
    control = fit_control(probability, probability > 0.5, np.arange(2), missed=0.1)
    assert control.threshold == 0.0
    assert control.sets(probability).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_a_stricter_promise_never_gives_smaller_sets(seed, one, two):
    told, truth, subjects = drawn(60, np.random.default_rng(seed))
    low, high = sorted((one, two))
    strict, loose = (fit_control(told, truth, subjects, missed=missed) for missed in (low, high))
    assert strict.threshold <= loose.threshold
    certain = fit_control(told, truth, subjects, missed=high, certainty=0.9)
    assert certain.threshold <= loose.threshold


def test_the_mean_share_of_missed_medications_is_as_promised():
    rng = np.random.default_rng(0)
    missed = []
    for _ in range(300):
        told, truth, subjects = drawn(120, rng)
        control = fit_control(told, truth, subjects, missed=0.15)
        new, given_new, _ = drawn(400, rng)
        missed.append(missed_shares(control.sets(new), given_new).mean())
    assert np.mean(missed) <= 0.15 + 3 * np.std(missed) / np.sqrt(300)
    assert np.mean(missed) > 0.11  # and not by taking everything


def test_with_certainty_the_promise_holds_in_that_share_of_calibrations():
    rng = np.random.default_rng(1)
    new, given_new, _ = drawn(20_000, rng)
    broken = []
    for _ in range(200):
        told, truth, subjects = drawn(200, rng)
        control = fit_control(told, truth, subjects, missed=0.15, certainty=0.9)
        broken.append(missed_shares(control.sets(new), given_new).mean() > 0.15)
    assert np.mean(broken) <= 0.1 + 3 * np.sqrt(0.09 / 200)


def test_the_bound_of_hoeffding_and_bentkus():
    # by the formula of the paper, with scipy's binomial distribution
    n, mean, bound = 100, 0.05, 0.1
    entropy = mean * np.log(mean / bound) + (1 - mean) * np.log((1 - mean) / (1 - bound))
    by_hand = min(np.exp(-n * entropy), np.e * binom.cdf(np.ceil(n * mean), n, bound))
    assert hoeffding_bentkus(mean, n, bound) == pytest.approx(by_hand)
    assert hoeffding_bentkus(0.2, n, bound) == 1.0
    assert hoeffding_bentkus(0.0, 50, 0.1) == pytest.approx(0.9**50)


def test_what_is_stored_is_the_same_and_bounds_are_checked():
    told, truth, subjects = drawn(60, np.random.default_rng(2))
    control = fit_control(told, truth, subjects, missed=0.2, certainty=0.8)
    assert MissControl.load(control.document()) == control
    with pytest.raises(InputError, match="between 0 and 1"):
        fit_control(told, truth, subjects, missed=1.0)
