import numpy as np
import pytest

from iatros.learners.completion.regression import Mix, Plan, Side
from iatros.treatment.models.kernel_exposures import Both, choose_ridge_of_exposures
from iatros.treatment.models.kernel_features import FeatureKernel
from iatros.treatment.models.kernel_planning import (
    PENALTIES,
    Cells,
    added,
    choose_penalty,
    choose_ridge,
    placed,
    weigh_features,
)
from iatros.treatment.responses.schema import Block, Features

MIX = Mix(gaussian=1.0, itself=0.1)


def cells(values, share=0.8, seed=0):
    known = (np.random.default_rng(seed).random(values.shape) < share).astype(float)
    return Cells(values * known, known, None, None)


def numbers(n, seed, noise=None):
    """Two numbers that may tell, and a block of three that tell nothing."""
    rng = np.random.default_rng(seed)
    told = rng.normal(size=(n, 2)) if noise is None else noise
    values = np.hstack([told, rng.normal(size=(n, 3))])
    return Features(values, (Block("telling", "numbers", 0, 2), Block("noise", "numbers", 2, 5)))


def test_factors_are_penalised_more_where_there_is_only_noise():
    rng = np.random.default_rng(1)
    clear = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 18))
    noise = rng.normal(size=(50, 18))
    plan = Plan(MIX, MIX, n_factors=5)
    assert choose_penalty(cells(clear), plan, seed=0) == PENALTIES[0]
    assert choose_penalty(cells(noise), plan, seed=0) == PENALTIES[-1]


def test_the_ridge_grows_with_the_noise():
    rng = np.random.default_rng(2)
    clear = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 15))
    plan = Plan(MIX, MIX, n_factors=5, penalty=2.0)
    ridges = (0.1, 50.0)
    low, hidden, errors = choose_ridge(cells(clear), plan, ridges, by_value=False, seed=0)
    high, _, _ = choose_ridge(cells(rng.normal(size=(40, 15))), plan, ridges, by_value=False, seed=0)
    assert (low, high) == ridges
    assert len(hidden.y) == 3 * int(0.1 * cells(clear).known.sum())
    assert errors["0.1"] == pytest.approx(((hidden.prediction - hidden.y) ** 2).mean())


def test_of_two_values_some_of_each_are_hidden():
    rng = np.random.default_rng(3)
    rare = (rng.random((30, 12)) < 0.03).astype(float)
    plan = Plan(MIX, MIX, n_factors=3)
    _, hidden, _ = choose_ridge(cells(rare, share=1.0), plan, (1.0,), by_value=True, seed=0)
    assert 3 <= hidden.y.sum() < 0.1 * len(hidden.y)


def test_features_that_tell_of_new_ones_are_weighed_up():
    features = numbers(60, 4)
    u = features.values[:, :2]
    residual = np.column_stack([u[:, 0], u[:, 1], u.sum(axis=1), u[:, 0] * u[:, 1]])
    kernel, ridge, left = weigh_features(FeatureKernel.of(features, np.arange(60)), residual)
    share = {part.block.name: 0.0 for part in kernel.parts}
    for part in kernel.parts:
        share[part.block.name] += part.weight
    assert share["telling"] > 0.9
    assert (left**2).mean() < 0.2 * residual.var()
    assert ridge < 1.0


def test_few_keep_equal_weights():
    features = numbers(9, 5)
    kernel, _, _ = weigh_features(FeatureKernel.of(features, np.arange(9)), features.values[:, :1])
    assert {part.block.name for part in kernel.parts if part.weight > 0} == {"telling", "noise"}


def test_both_regressions_of_exposures_count_alike():
    values = (np.random.default_rng(7).random((12, 9)) < 0.3).astype(float)
    plan = Plan(Mix(gaussian=1.0), Mix(gaussian=1.0), exposures=True)
    both = Both.of(values, None, None, plan)
    told = both.regress(2.0)
    for one, table in zip(told, (both.distance, both.angle), strict=True):
        answer = table.of_rows @ one.regressed.dual @ table.of_columns
        assert one.weight * answer.std() == pytest.approx(1.0)
    assert [one.regressed.plan.ridge for one in told] == [2.0, 0.25]
    sides = Side(np.arange(12)), Side(np.arange(9))
    first, second = (one.weight * one.regressed.ask(*sides) for one in told)
    assert added(told, *sides) == pytest.approx(first + np.maximum(second, 0.0))
    assert second.min() < 0.0


@pytest.mark.parametrize("newness", ["pairs", "subjects", "treatments"])
def test_the_ridge_of_exposures_is_the_one_with_the_highest_score(newness):
    rng = np.random.default_rng(6)
    u, v = rng.normal(size=(40, 2)), rng.normal(size=(15, 2))
    values = (u @ v.T + rng.normal(size=(40, 15)) > 1.5).astype(float)
    values = values[values.any(axis=1)][:, values[values.any(axis=1)].any(axis=0)]
    plan = Plan(Mix(gaussian=1.0), Mix(gaussian=1.0), exposures=True)
    table = Cells(values, np.ones_like(values), None, None)
    best, scores = choose_ridge_of_exposures(table, plan, (0.5, 4.0), newness, seed=0)
    assert scores[f"{best:g}"] == max(scores.values())
    assert all(0.0 < score <= 1.0 for score in scores.values())


def test_places_among_the_kept():
    assert placed(5, np.array([1, 4])).tolist() == [-1, 0, -1, -1, 1]
