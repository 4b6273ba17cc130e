from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from iatros.learners.export import forest_to_onnx
from iatros.learners.tabular.scorers import OnnxScorer, as_float32


def data(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = as_float32(rng.normal(size=(n, 5)))
    return X, X[:, 0] * 2 - X[:, 1] ** 2 + rng.normal(size=n)


def graph(forest) -> bytes:
    trees = [tree.tree_ for tree in forest.estimators_]
    return forest_to_onnx(trees, 5, [tree.value[:, 0, :] for tree in trees])


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_the_graph_gives_scikit_learns_numbers(kind) -> None:
    X, y = data()
    forest = kind(60, random_state=0).fit(X, y)
    np.testing.assert_allclose(OnnxScorer(graph(forest)).score(X), forest.predict(X), rtol=1e-6, atol=1e-6)


def test_several_classes_and_missing_values_follow_scikit_learn() -> None:
    X, y = data()
    X = X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    label = np.digitize(y, [-1.0, 1.5])
    forest = RandomForestClassifier(40, min_samples_leaf=2, random_state=0).fit(X, label)
    np.testing.assert_allclose(
        OnnxScorer(graph(forest), normalise=True).score(X), forest.predict_proba(X), atol=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-3, 3, width=32), min_size=12, max_size=40), st.integers(0, 3))
def test_values_on_a_threshold_go_to_the_side_scikit_learn_sends_them(values: list[float], seed: int) -> None:
    # many equal values: thresholds lie halfway between neighbours, some of them one float32 apart
    x = np.array([*values, *np.nextafter(np.float32(values), np.float32(9))], dtype=np.float32)[:, None]
    X = np.repeat(x, 5, axis=1)
    forest = RandomForestRegressor(5, random_state=seed).fit(X, np.arange(len(X)) % 7)
    np.testing.assert_allclose(OnnxScorer(graph(forest)).score(X), forest.predict(X), atol=1e-5)


def test_the_same_forest_gives_the_same_bytes_and_skl2onnx_agrees() -> None:
    from skl2onnx import to_onnx

    X, y = data()
    forest = RandomForestRegressor(30, random_state=0).fit(X, y)
    assert graph(forest) == graph(RandomForestRegressor(30, random_state=0, n_jobs=2).fit(X, y))
    other = to_onnx(forest, X[:1]).SerializeToString()
    np.testing.assert_allclose(OnnxScorer(graph(forest)).score(X), OnnxScorer(other).score(X), atol=1e-4)
