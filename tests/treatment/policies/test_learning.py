"""Learned rules where the best rule is known, and where there is nothing to learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from iatros.core.context import Context
from iatros.engines.processes import ProcessEngine
from iatros.treatment.effects.nuisance import fit_nuisances
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.policies.learning import (
    BEST_ARM,
    PLUG_IN,
    TREE,
    CrossFitted,
    Learning,
    Preference,
    cross_fit,
    learn,
    learn_tree,
    observed,
)
from iatros.treatment.policies.trees import Split, fit_tree
from iatros.treatment.policies.values import difference, interval, value_of

ASSIGNMENT = np.array([0.3, 0.5, 0.2])


def trial(seed: int, n: int = 600, *, effect: float = 2.0) -> EffectCohort:
    """Three arms: b helps by `effect` where x > 0.3 and harms as much elsewhere, c helps everyone by 0.5."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    arm = rng.choice(3, size=n, p=ASSIGNMENT)
    gain = np.column_stack([np.zeros(n), np.where(X[:, 1] > 0.3, effect, -effect), np.full(n, 0.5)])
    y = X[:, 0] + gain[np.arange(n), arm] + rng.normal(size=n)
    return EffectCohort(
        X, ("u", "x", "v", "w"), arm, ("a", "b", "c"), y, np.arange(n), design="trial",
        assignment=np.tile(ASSIGNMENT, (n, 1)),
    )  # fmt: skip


def judged(cohort: EffectCohort, learning: Learning, context: Context | None = None) -> CrossFitted:
    fold = fit_nuisances(cohort, seed=3).fold
    return cross_fit(cohort, fold, learning, context or Context())


def test_the_best_rule_is_found_and_its_value_is_right() -> None:
    cohort = trial(1)
    nuisances = fit_nuisances(cohort, seed=3)
    found = cross_fit(cohort, nuisances.fold, Learning(), Context())
    best = np.where(cohort.X[:, 1] > 0.3, 1, 2)
    assert np.mean(found.given[TREE] == best) > 0.93
    for tree in found.trees:
        assert isinstance(tree.root, Split)
        assert tree.columns[tree.root.column] == "x"
        assert tree.root.cut == pytest.approx(0.3, abs=0.25)
    seen = observed(cohort, nuisances)
    value = interval(value_of(seen, found.given[TREE]))
    # P(x > .3) = .3821: 2 there, .5 elsewhere
    truth = 0.3821 * 2.0 + 0.6179 * 0.5
    assert value.low < truth < value.high
    assert set(np.unique(found.given[BEST_ARM])) == {2}
    gap = difference(value_of(seen, found.given[TREE]), value_of(seen, found.given[BEST_ARM]))
    assert gap.low > 0
    assert found.effects.shape == (600, 2)


def test_a_benefit_that_must_be_larger_changes_who_is_treated() -> None:
    """Arm c gains 0.5, which is not worth 1.2; arm b gains 2 where x is large, which is."""
    cohort = trial(2)
    found = judged(cohort, Learning(Preference(least_benefit=1.2)))
    best = np.where(cohort.X[:, 1] > 0.3, 1, 0)
    assert np.mean(found.given[TREE] == best) > 0.93
    assert set(np.unique(found.given[BEST_ARM])) == {0}


def test_lower_is_better_is_the_mirror_image() -> None:
    cohort = trial(4)
    mirror = dataclasses.replace(cohort, y=-cohort.y, better="lower")
    one = judged(cohort, Learning())
    other = judged(mirror, Learning(Preference("lower")))
    assert other.effects == pytest.approx(-one.effects, abs=1e-8)
    for name in (BEST_ARM, TREE, PLUG_IN):
        assert np.mean(one.given[name] == other.given[name]) > 0.99, name


def test_a_rule_never_learns_from_those_it_is_judged_on() -> None:
    """Outcomes of one fold are replaced by nonsense: what that fold is given stays as it is."""
    cohort = trial(5, n=300)
    fold = fit_nuisances(cohort, seed=3).fold
    spoiled = dataclasses.replace(
        cohort, y=np.where(fold == 2, 1e3 * cohort.X[:, 2], cohort.y), arm=np.where(fold == 2, 1, cohort.arm)
    )
    one, other = (cross_fit(c, fold, Learning(), Context()) for c in (cohort, spoiled))
    for name in (BEST_ARM, TREE, PLUG_IN):
        assert (one.given[name][fold == 2] == other.given[name][fold == 2]).all()
    assert (one.effects[fold == 2] == other.effects[fold == 2]).all()


def test_where_there_is_nothing_to_learn_the_value_is_not_flattered() -> None:
    """No effect at all and two questions forced: on its own patients the tree looks good, on others it does not."""
    own, fresh = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        cohort = trial(seed, n=200, effect=0.0)
        cohort = dataclasses.replace(cohort, y=cohort.X[:, 0] + rng.normal(size=200))
        nuisances = fit_nuisances(cohort, seed=seed)
        seen = observed(cohort, nuisances)
        found = cross_fit(cohort, nuisances.fold, Learning(depth=2), Context())
        fresh.append(value_of(seen, found.given[TREE]).value)
        own.append(fit_tree(cohort.X, seen.gamma, cohort.names, cohort.arms, depth=2, min_leaf=10).score)
    assert np.mean(own) > 0.3
    assert np.mean(fresh) < 0.12


def test_no_question_is_asked_that_is_not_worth_it() -> None:
    rng = np.random.default_rng(8)
    x, scores = rng.normal(size=(400, 3)), rng.normal([0.3, 0.0], 1.0, size=(400, 2))
    fold = np.arange(400) % 4
    tree = learn_tree(x, scores, ("u", "v", "w"), ("a", "b"), fold=fold, depth=None, min_share=0.05)
    assert tree.depth == 0
    scores[:, 1] += np.where(x[:, 0] > 1, 2.0, -0.3)
    tree = learn_tree(x, scores, ("u", "v", "w"), ("a", "b"), fold=fold, depth=None, min_share=0.05)
    assert tree.depth == 1


def test_the_tree_asks_only_what_it_may() -> None:
    cohort = trial(6)
    rules = learn(cohort, cohort.X, Learning(columns=(0, 2), depth=2), seed=1)
    assert rules.tree.columns == ("u", "v")


def test_workers_change_nothing() -> None:
    cohort = trial(7, n=200)
    one = judged(cohort, Learning())
    engine = ProcessEngine(workers=2)
    try:
        other = judged(cohort, Learning(), Context(engine=engine))
    finally:
        engine.close()
    assert (one.effects == other.effects).all()
    for name, given in one.given.items():
        assert (given == other.given[name]).all()


def test_the_policy_tree_of_econml_agrees() -> None:
    """DRPolicyTree with its own nuisances, on the same trial: the same question, nearly the same patients."""
    policy = pytest.importorskip("econml.policy")
    cohort = trial(1)
    linear = pytest.importorskip("sklearn.linear_model")
    theirs = policy.DRPolicyTree(
        model_regression=linear.LinearRegression(), model_propensity=linear.LogisticRegression(), max_depth=1,
        min_samples_leaf=20, honest=False, cv=3, random_state=0,
    )  # fmt: skip
    theirs.fit(cohort.y, cohort.arm, X=cohort.X)
    ours = learn(cohort, cohort.X, Learning(depth=1), seed=0).given[TREE]
    assert np.mean(theirs.predict(cohort.X).ravel() == ours) > 0.93
