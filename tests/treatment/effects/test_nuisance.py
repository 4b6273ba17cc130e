from dataclasses import replace

import numpy as np
import pytest
from tests.treatment.effects.conftest import simulated

from iatros.core.errors import OutcomeError
from iatros.treatment.effects.averages import average_effects, mean_by_arm, mean_outcomes
from iatros.treatment.effects.nuisance import doubly_robust_scores, fit_nuisances, fold_of_each
from iatros.treatment.effects.propensity import fit_propensity
from iatros.treatment.effects.schema import EffectCohort


def test_scores_by_hand():
    cohort = EffectCohort(
        np.array([[1.0], [2.0], [4.0]]), ("x",), np.array([0, 1, 1]), ("no", "yes"), np.array([2.0, 5.0, 1.0]),
        np.arange(3),
    )  # fmt: skip
    mu = np.array([[1.0, 3.0], [2.0, 4.0], [0.5, 0.5]])
    e = np.array([[0.8, 0.2], [0.5, 0.5], [0.6, 0.4]])
    weight = np.array([1.0, 2.0, 0.0])
    found = doubly_robust_scores(cohort, mu, e, weight)
    # arm 0: 1 + (2 - 1) / .8; arm 1: 4 + 2 (5 - 4) / .5; the third is not observed
    np.testing.assert_allclose(found, [[2.25, 3.0], [2.0, 8.0], [0.5, 0.5]])


def test_a_probability_near_zero_is_held_and_counted():
    cohort = EffectCohort(
        np.ones((2, 1)), ("x",), np.array([0, 1]), ("no", "yes"), np.array([1.0, 1.0]), np.arange(2)
    )
    found = doubly_robust_scores(cohort, np.zeros((2, 2)), np.array([[0.5, 0.5], [0.999, 0.001]]), np.ones(2))
    np.testing.assert_allclose(found, [[2.0, 0.0], [0.0, 100.0]])


def test_no_subject_is_seen_by_the_models_that_answer_for_it():
    cohort, _ = simulated(n=120)
    nuisances = fit_nuisances(cohort, folds=4, seed=2)
    for number in range(4):
        inside = nuisances.fold == number
        moved = replace(cohort, y=np.where(inside, cohort.y + 100.0, cohort.y))
        again = fit_nuisances(moved, folds=4, seed=2, fold=nuisances.fold)
        np.testing.assert_allclose(again.mu[inside], nuisances.mu[inside])
        assert not np.allclose(again.mu[~inside], nuisances.mu[~inside])


def test_patients_stand_whole_in_one_fold():
    cohort, _ = simulated(n=150)
    groups = np.repeat(np.arange(75), 2)
    fold = fold_of_each(replace(cohort, groups=groups), 5, 0)
    assert all(len(np.unique(fold[groups == one])) == 1 for one in range(75))


def test_of_several_bases_each_arm_has_the_one_that_errs_least():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    arm = rng.integers(0, 2, 300)
    y = np.where(arm == 1, np.sin(2 * X[:, 0]), X[:, 0]) + 0.1 * rng.normal(size=300)
    cohort = EffectCohort(X, ("a", "b"), arm, ("no", "yes"), y, np.arange(300))
    nuisances = fit_nuisances(cohort, bases=("ridge", "gp"), folds=3)
    assert nuisances.base[1] == "gp"
    assert nuisances.losses["gp"][1] < 0.3 * nuisances.losses["ridge"][1]


def test_propensities_are_those_of_the_assignment():
    cohort, _ = simulated(n=3000, arms=3)
    e = fit_propensity(cohort).predict(cohort.X)
    np.testing.assert_allclose(e.sum(axis=1), 1.0)
    scores = np.column_stack([np.zeros(3000), *(0.6 * cohort.X[:, 0] - 0.4 - 0.2 * k for k in range(2))])
    truth = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(e - truth).mean() < 0.03
    trial = fit_propensity(replace(cohort, design="trial")).predict(cohort.X[:2])
    np.testing.assert_allclose(trial, np.tile(np.bincount(cohort.arm) / 3000, (2, 1)))


def test_known_probabilities_are_used_as_they_are():
    cohort, _ = simulated(n=100)
    known = np.column_stack([np.full(100, 0.3), np.full(100, 0.7)])
    nuisances = fit_nuisances(replace(cohort, design="trial", assignment=known))
    np.testing.assert_array_equal(nuisances.e, known)


def test_the_average_is_right_where_the_outcome_model_or_the_propensity_is_wrong():
    cohort, effect = simulated(n=6000, seed=5)
    truth = effect.mean()
    right = fit_nuisances(cohort)
    naive = cohort.y[cohort.arm == 1].mean() - cohort.y[cohort.arm == 0].mean()
    assert abs(naive - truth) > 0.3
    flat_mu = np.tile(cohort.y.mean(), (6000, 2))
    flat_e = np.full((6000, 2), 0.5)
    for mu, e in ((flat_mu, right.e), (right.mu, flat_e), (right.mu, right.e)):
        scores = doubly_robust_scores(cohort, mu, e, right.weight)
        assert (scores[:, 1] - scores[:, 0]).mean() == pytest.approx(truth, abs=0.1)


def test_the_variance_of_the_means_counts_patients_not_rows():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 2))
    means, covariance = mean_outcomes(scores, np.arange(40))
    np.testing.assert_allclose(means, scores.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(scores.T) / 40)
    _, doubled = mean_outcomes(np.repeat(scores, 2, axis=0), np.repeat(np.arange(40), 2))
    np.testing.assert_allclose(doubled, covariance)


def test_every_pair_of_arms_is_compared_and_ratios_belong_to_outcomes_with_a_zero():
    cohort, _ = simulated(n=400, arms=3)
    pairs = average_effects(cohort, fit_nuisances(cohort))
    assert [(one.arm, one.reference) for one in pairs] == [
        ("arm 1", "arm 0"), ("arm 2", "arm 0"), ("arm 2", "arm 1"),
    ]  # fmt: skip
    assert all(one.ratio is None for one in pairs)
    by = {(one.arm, one.reference): one.difference.value for one in pairs}
    assert by["arm 2", "arm 0"] == pytest.approx(by["arm 2", "arm 1"] + by["arm 1", "arm 0"])
    binary, _ = simulated(n=400, kind="binary")
    nuisances = fit_nuisances(binary)
    one = average_effects(binary, nuisances)[0]
    means = mean_by_arm(binary, nuisances)
    assert one.ratio.value == pytest.approx(means["arm 1"].value / means["arm 0"].value)
    assert one.ratio.low < one.ratio.value < one.ratio.high
    assert one.difference.n_events == binary.y.sum()


def test_an_arm_with_too_few_is_named():
    cohort, _ = simulated(n=60)
    few = replace(cohort, arm=np.where(np.arange(60) < 8, 1, 0))
    with pytest.raises(OutcomeError, match=r"'arm 1' has \d patients"):
        fit_nuisances(few, folds=2)


@pytest.mark.slow
def test_intervals_of_the_average_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(300):
        cohort, _ = simulated(n=400, seed=seed)
        one = average_effects(cohort, fit_nuisances(cohort, seed=seed))[0].difference
        # the effect of the population: E[x2] is 1.4
        held += one.low <= 0.5 <= one.high
    assert 0.92 <= held / 300 <= 0.98
