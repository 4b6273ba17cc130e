"""The exact tree against every tree tried in turn, against EconML's, and by its properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import FitError, InputError
from iatros.treatment.policies.trees import Leaf, Split, fit_tree, grid

ARMS = ("a", "b", "c")


def every_side(x: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every division of `rows` by one column at one of its values."""
    found = []
    for column in x[rows].T:
        found += [(rows[column <= value], rows[column > value]) for value in np.unique(column)[:-1]]
    return found


def best_total(x: np.ndarray, scores: np.ndarray, rows: np.ndarray, depth: int, min_leaf: int) -> float:
    """The highest sum over all trees of at most `depth`, by trying each."""
    best = scores[rows].sum(axis=0).max() if len(rows) >= min_leaf else -np.inf
    if depth:
        for low, high in every_side(x, rows):
            total = best_total(x, scores, low, depth - 1, min_leaf)
            best = max(best, total + best_total(x, scores, high, depth - 1, min_leaf))
    return float(best)


def cohort(seed: int, n: int = 37, p: int = 3, levels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, size=(n, p)).astype(float) * np.array([1.0, 0.01, 250.0])[:p]
    return x, rng.normal(size=(n, 3)) + np.array([0.1, 0.0, -0.3])


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("min_leaf", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_no_tree_is_better(depth: int, min_leaf: int, seed: int) -> None:
    x, scores = cohort(seed)
    tree = fit_tree(x, scores, ("u", "v", "w"), ARMS, depth=depth, min_leaf=min_leaf)
    assert tree.score * len(x) == pytest.approx(best_total(x, scores, np.arange(len(x)), depth, min_leaf))
    assert tree.depth <= depth
    given = tree.assign(x)
    assert tree.score == pytest.approx(scores[np.arange(len(x)), given].mean())


def test_a_tree_that_a_greedy_search_cannot_find() -> None:
    """The sign of one column turns what the other one says, so no single question helps."""
    u, v = (side.ravel() for side in np.meshgrid([-2.0, -1.0, 1.0, 2.5, 3.0], [-1.0, 1.0, 4.0]))
    helps = np.sign(u * v)
    x = np.column_stack([u, v, np.arange(len(u))])
    tree = fit_tree(x, np.column_stack([np.zeros(len(u)), helps]), ("u", "v", "row"), ("no", "yes"))
    assert tree.assign(x).tolist() == (helps > 0).astype(int).tolist()
    assert isinstance(tree.root, Split)
    assert {tree.columns[tree.root.column]} <= {"u", "v"}


def test_ends_hold_enough_rows() -> None:
    x, scores = cohort(5, n=60)
    tree = fit_tree(x, scores, ("u", "v", "w"), ARMS, min_leaf=11)

    def sizes(node: Split | Leaf) -> list[int]:
        return [node.n] if isinstance(node, Leaf) else sizes(node.low) + sizes(node.high)

    assert min(sizes(tree.root)) >= 11
    assert sum(sizes(tree.root)) == 60


def test_many_values_are_cut_at_quantiles_and_few_everywhere() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=500), rng.integers(0, 4, 500)])
    bins = grid(x, max_cuts=20)
    assert [len(cuts) for cuts in bins.cuts] == [20, 3]
    assert not bins.exact
    assert grid(x[:, 1:]).exact
    for j, cuts in enumerate(bins.cuts):
        assert (bins.code[:, j] == (x[:, [j]] > cuts).sum(axis=1)).all()
    assert np.bincount(bins.code[:, 0]).max() <= 2 * 500 / 21


def test_what_cannot_be_searched_is_refused() -> None:
    x, scores = cohort(1)
    with pytest.raises(InputError, match="0, 1 or 2"):
        fit_tree(x, scores, ("u", "v", "w"), ARMS, depth=3)
    with pytest.raises(FitError, match="missing"):
        fit_tree(np.where(x == x[0, 0], np.nan, x), scores, ("u", "v", "w"), ARMS)
    with pytest.raises(InputError, match="finite"):
        fit_tree(x, np.full_like(scores, np.nan), ("u", "v", "w"), ARMS)
    with pytest.raises(InputError, match="reads 3 columns"):
        fit_tree(x, scores, ("u", "v", "w"), ARMS).assign(x[:, :2])


def test_a_column_of_one_value_asks_nothing() -> None:
    tree = fit_tree(np.ones((9, 2)), np.eye(3)[np.arange(9) % 2], ("u", "v"), ARMS)
    assert tree.root == Leaf(0, 9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(23)), st.sampled_from([1, 2]))
def test_order_of_the_rows_does_not_matter(seed: int, order: list[int], depth: int) -> None:
    x, scores = cohort(seed, n=23)
    one = fit_tree(x, scores, ("u", "v", "w"), ARMS, depth=depth)
    other = fit_tree(x[order], scores[order], ("u", "v", "w"), ARMS, depth=depth)
    assert one.score == pytest.approx(other.score, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-5, 5))
def test_a_shift_of_all_arms_changes_no_patients_arm(seed: int, shift: float) -> None:
    x, scores = cohort(seed, n=29)
    offset = shift * np.random.default_rng(seed + 1).normal(size=(29, 1))
    one, other = (fit_tree(x, s, ("u", "v", "w"), ARMS, depth=2) for s in (scores, scores + offset))
    assert one.score + offset.mean() == pytest.approx(other.score, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_more_questions_are_never_worse(seed: int) -> None:
    x, scores = cohort(seed)
    found = [fit_tree(x, scores, ("u", "v", "w"), ARMS, depth=d).score for d in (0, 1, 2)]
    assert found == sorted(found)


def test_at_least_as_good_as_the_greedy_tree_of_econml() -> None:
    policy = pytest.importorskip("econml.policy")
    for seed, depth in itertools.product(range(3), (1, 2)):
        x, scores = cohort(seed, n=300, levels=9)
        own = fit_tree(x, scores, ("u", "v", "w"), ARMS, depth=depth, min_leaf=15)
        greedy = policy.PolicyTree(
            max_depth=depth, min_samples_leaf=15, min_samples_split=2, min_balancedness_tol=0.5, honest=False,
            random_state=0,
        ).fit(x, scores)  # fmt: skip
        theirs = scores[np.arange(300), greedy.predict(x).astype(int)].mean()
        assert own.score >= theirs - 1e-12
        if depth == 1:
            assert own.score == pytest.approx(theirs)
