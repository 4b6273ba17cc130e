import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.treatment.effects.conftest import simulated

from iatros.core.context import Context
from iatros.core.intervals import Metric
from iatros.treatment.effects.answers import answers, summary
from iatros.treatment.effects.balance import balance, standardised_differences
from iatros.treatment.effects.checks import negative_controls, placebo, unadjusted
from iatros.treatment.effects.heterogeneity import cauchy_combination, heterogeneity_test
from iatros.treatment.effects.individual import IndividualEffects
from iatros.treatment.effects.nuisance import fit_nuisances
from iatros.treatment.effects.overlap import has_overlap, overlap
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.effects.sensitivity import e_value, e_value_of_difference, e_value_of_ratio


def tiny(arm, X=None, arms=("no", "yes"), **more):
    arm = np.asarray(arm)
    X = np.arange(len(arm), dtype=float)[:, None] if X is None else X
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    return EffectCohort(X, names, arm, arms, np.linspace(0, 1, len(arm)), np.arange(len(arm)), **more)


def metric(value, low, high):
    return Metric(value, low, high, 100, None, "")


def test_e_values_of_the_paper():
    # VanderWeele and Ding 2017: a risk ratio of 3.9 (1.8 to 8.7) has E-values of 7.26 and 3.0
    found = e_value_of_ratio(metric(3.9, 1.8, 8.7))
    assert found.point == pytest.approx(7.26, abs=0.005)
    assert found.interval == pytest.approx(3.0, abs=0.005)
    # a protective ratio is turned around, an interval with 1 needs no confounder
    assert e_value_of_ratio(metric(0.5, 0.2, 1.1)).point == pytest.approx(2 + math.sqrt(2))
    assert e_value_of_ratio(metric(0.5, 0.2, 1.1)).interval == 1.0
    assert e_value_of_ratio(metric(0.5, 0.4, 0.8)).interval == pytest.approx(1.25 + math.sqrt(1.25 * 0.25))
    # a difference of half a standard deviation is a ratio of exp(0.455)
    of_difference = e_value_of_difference(metric(1.0, 0.5, 1.5), 2.0)
    assert of_difference.ratio == pytest.approx(math.exp(0.455))
    assert math.isnan(e_value_of_difference(metric(1.0, 0.5, 1.5), 0.0).point)


@given(st.floats(0.05, 20))
def test_an_e_value_is_at_least_one_and_the_same_for_a_ratio_and_its_inverse(ratio):
    assert e_value(ratio) >= 1.0
    assert e_value(ratio) == pytest.approx(e_value(1 / ratio), rel=1e-9)


def test_standardised_differences_by_hand():
    X = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0], [6.0, 5.0], [7.0, 5.0]])
    cohort = tiny([0, 0, 1, 1, 1], X)
    # means 2 and 5, variances 2 and 7
    np.testing.assert_allclose(standardised_differences(cohort, 1, 0), [3 / math.sqrt(4.5), 0.0])
    weight = np.array([1.0, 3.0, 1.0, 1.0, 0.0])
    # weighted means 2.5 and 4, the same denominator
    np.testing.assert_allclose(standardised_differences(cohort, 1, 0, weight), [1.5 / math.sqrt(4.5), 0.0])


def test_weighting_balances_a_confounded_cohort():
    cohort, _ = simulated(n=1500)
    found = balance(cohort, fit_nuisances(cohort).e)["comparisons"][0]
    assert found["worst_before"] > 0.4
    assert found["worst_after"] < 0.1
    assert found["covariates"] == ["a", "b", "c", "d"]
    assert found["n_beyond_limit_before"] >= 1
    assert found["n_beyond_limit_after"] == 0


def test_overlap_counts_who_has_no_counterpart():
    cohort = tiny([0, 0, 1, 1])
    e = np.array([[0.97, 0.03], [0.5, 0.5], [0.5, 0.5], [0.2, 0.8]])
    found = overlap(cohort, e)
    assert found.inside.tolist() == [False, True, True, True]
    assert found.share_outside == 0.25
    # weights 1/.5 and 1/.8 in the second arm
    assert found.effective[1] == pytest.approx((2 + 1.25) ** 2 / (4 + 1.5625))
    document = found.document(cohort.arms)
    assert document["histogram"]["yes"]["no"][0] == 1
    assert sum(document["histogram"]["yes"]["yes"]) == 2
    assert has_overlap(np.array([[0.05, 0.95], [0.3, 0.7]])).all()


def test_nobody_is_ranked_where_most_have_no_counterpart_or_an_arm_is_worth_too_little():
    cohort, _ = simulated(n=200)
    steep = np.clip(1 / (1 + np.exp(-20 * cohort.X[:, 0])), 0.001, 0.999)
    refusal = overlap(cohort, np.column_stack([1 - steep, steep])).refusal(cohort.arms)
    assert "%" in refusal
    assert "not ranked" in refusal
    even = np.full((200, 2), 0.5)
    assert overlap(cohort, even).refusal(cohort.arms) is None
    one_heavy = even.copy()
    row = int(np.flatnonzero(cohort.arm == 1)[0])
    one_heavy[row] = [0.999, 0.001]
    assert "'arm 1' is worth 1." in overlap(cohort, one_heavy).refusal(cohort.arms)


def test_subjects_without_overlap_have_no_effect_and_no_rank():
    cohort = tiny([0, 1, 1, 0], better="lower")
    effects = IndividualEffects(
        np.array([[0.3], [-0.5], [-0.5], [0.1]]), np.array([[0.1], [-0.6], [-0.7], [-0.2]]),
        np.array([[0.5], [-0.4], [0.1], [0.4]]), "",
    )  # fmt: skip
    e = np.array([[0.5, 0.5], [0.4, 0.6], [0.5, 0.5], [0.99, 0.01]])
    table = answers(
        cohort, effects, e, refusal=None, row=[5, 6, 7, 8], subject=["a", "b", "c", "d"], arm=None
    )
    assert table["compared"] == [True, True, True, False]
    assert table["effect_yes"] == [0.3, -0.5, -0.5, None]
    assert table["rank_yes"] == [3, 1, 1, None]
    assert table["reason"][3] == "a probability of some arm lies outside [0.05, 0.95]"
    found = summary(cohort, table)[0]
    assert (found["n"], found["n_gain"], found["n_lose"]) == (3, 1, 1)
    refused = answers(cohort, effects, e, refusal="why", row=[5, 6, 7, 8], subject=None, arm=None)
    assert refused["effect_yes"] == [None] * 4
    assert refused["rank_yes"] == [None] * 4
    assert refused["reason"] == ["why"] * 4
    alike = replace(effects, value=np.full((4, 1), 0.2))
    assert answers(cohort, alike, e, refusal=None, row=[1], subject=None, arm=None)["rank_yes"] == [None] * 4


def test_the_combination_of_equal_p_values_is_that_value():
    for p in (0.001, 0.05, 0.5, 0.9):
        assert cauchy_combination([p, p, p]) == pytest.approx(p)
    # by hand: mean of tan(.49 pi) and tan(-.3 pi) is 15.2223, and 1/2 - atan(15.2223) / pi is .02088
    assert cauchy_combination([0.01, 0.8]) == pytest.approx(0.02088, abs=1e-5)


def test_heterogeneity_is_found_where_it_is_in_a_line_or_a_square():
    cohort, _ = simulated(n=500, slope=0.8)
    found = heterogeneity_test(cohort, fit_nuisances(cohort), 1)
    assert found.p_value < 0.005
    assert found.by_features["covariates"] < 0.005
    assert (found.arm, found.reference, found.n) == ("arm 1", "arm 0", 500)
    squared = replace(
        cohort, y=cohort.y + cohort.arm * cohort.X[:, 2] ** 2 - cohort.arm * 0.8 * cohort.X[:, 1]
    )
    by = heterogeneity_test(squared, fit_nuisances(squared), 1).by_features
    assert by["squares and products"] < 0.005


def test_heterogeneity_is_not_found_more_often_than_said_where_there_is_none():
    p_values = []
    for seed in range(60):
        cohort, _ = simulated(n=200, slope=0.0, seed=seed)
        p_values.append(heterogeneity_test(cohort, fit_nuisances(cohort, folds=2, seed=seed), 1).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.15
    assert 0.35 < np.mean(p_values) < 0.65


def test_the_test_is_of_two_arms_and_of_patients():
    cohort, _ = simulated(n=300, arms=3)
    nuisances = fit_nuisances(cohort)
    found = heterogeneity_test(cohort, nuisances, 2, 1)
    assert found.n == (cohort.arm > 0).sum()
    assert (found.arm, found.reference) == ("arm 2", "arm 1")
    twice = np.tile(np.arange(300), 2)
    again = replace(nuisances, mu=nuisances.mu[twice], e=nuisances.e[twice], weight=nuisances.weight[twice])
    # every patient's row a second time: nothing new is known
    doubled = heterogeneity_test(cohort.take(twice), again, 2, 1)
    assert doubled.p_value == pytest.approx(found.p_value, abs=1e-12)


def test_placebo_arms_have_no_effect():
    cohort, _ = simulated(n=300)
    found = placebo(cohort, Context(), repeats=20, seed=1)
    assert found["as_expected"]
    assert found["share_holding_zero"] >= 0.8
    assert abs(found["mean_effect"]) < 0.1
    assert found == placebo(cohort, Context(), repeats=20, seed=1)
    assert placebo(cohort, Context(), repeats=0) is None


def test_a_negative_control_tells_of_confounding_that_is_left_over():
    rng = np.random.default_rng(0)
    cohort, _ = simulated(n=1500)
    by_covariates = cohort.X[:, 0] + rng.normal(size=1500)
    by_arm = cohort.arm + rng.normal(size=1500)
    by_arm[:10] = np.nan
    binary = (rng.random(1500) < 0.4).astype(float)
    found = negative_controls(cohort, {"fine": by_covariates, "alarming": by_arm, "yes or no": binary})
    assert [one["away_from_zero"] for one in found] == [False, True, False]
    assert found[1]["difference"]["n"] == 1490
    assert found[1]["difference"]["value"] == pytest.approx(1.0, abs=0.2)


def test_the_unadjusted_difference_is_that_of_the_means():
    cohort, _ = simulated(n=200)
    found = unadjusted(cohort, fit_nuisances(cohort))["arm 1", "arm 0"]
    treated, others = cohort.y[cohort.arm == 1], cohort.y[cohort.arm == 0]
    assert found.value == pytest.approx(treated.mean() - others.mean())
    error = math.sqrt(treated.var() / len(treated) + others.var() / len(others))
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(error, rel=0.01)


@pytest.mark.slow
def test_the_size_of_the_test_of_heterogeneity_is_the_one_it_says():
    rejected = 0
    for seed in range(300):
        cohort, _ = simulated(n=300, slope=0.0, seed=seed)
        rejected += heterogeneity_test(cohort, fit_nuisances(cohort, seed=seed), 1, seed=seed).p_value < 0.05
    assert 0.02 <= rejected / 300 <= 0.085
