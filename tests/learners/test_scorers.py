from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import BundleFormatError
from iatros.learners.tabular.scorers import (
    KernelScorer,
    LinearScorer,
    MeanScorer,
    SplineBasis,
    apply_link,
    as_float32,
    load_scorer,
    nest,
    sigmoid,
    softmax,
    within,
)

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 3))


def kernel_scorer(kernel: str) -> KernelScorer:
    return KernelScorer(
        kernel,
        support=RNG.normal(size=(4, 3)),
        dual=RNG.normal(size=(2, 4)),
        intercept=np.array([0.3, -0.1]),
        slope=np.array([1.4, 0.8]),
        offset=np.array([-0.2, 0.5]),
        link="one-vs-rest",
        gamma=0.7,
        degree=3,
        coef0=0.5,
    )


SCORERS = {
    "linear": LinearScorer(RNG.normal(size=(1, 3)), np.array([0.4]), "sigmoid"),
    "classes": LinearScorer(RNG.normal(size=(3, 3)), np.zeros(3), "softmax"),
    "splines": LinearScorer(
        RNG.normal(size=(1, 5)),
        np.zeros(1),
        "identity",
        SplineBasis(np.array([1]), np.array([[-1.0, 0.0, 0.5, 2.0]])),
    ),
    "rbf": kernel_scorer("rbf"),
    "poly": kernel_scorer("poly"),
    "sigmoid": kernel_scorer("sigmoid"),
    "mean": MeanScorer(
        tuple(LinearScorer(RNG.normal(size=(1, 3)), np.zeros(1), "sigmoid") for _ in range(3))
    ),
}


@pytest.mark.parametrize("name", SCORERS)
def test_what_is_saved_is_what_is_loaded(name: str) -> None:
    document, files = SCORERS[name].save()
    again = load_scorer(document, files.__getitem__)
    np.testing.assert_array_equal(again.score(X), SCORERS[name].score(X))
    assert again.save() == (document, files)


@pytest.mark.parametrize("name", SCORERS)
def test_a_patient_alone_is_answered_as_in_company(name: str) -> None:
    alone = np.concatenate([SCORERS[name].score(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, SCORERS[name].score(X), rtol=1e-12)
    assert SCORERS[name].score(X[:0]).shape[0] == 0


@pytest.mark.parametrize("kernel", ["rbf", "poly", "sigmoid"])
def test_kernels_are_scikit_learns(kernel: str) -> None:
    from sklearn.metrics.pairwise import pairwise_kernels

    scorer = kernel_scorer(kernel)
    options = {"gamma": 0.7} | ({} if kernel == "rbf" else {"coef0": 0.5})
    options |= {"degree": 3} if kernel == "poly" else {}
    inner = pairwise_kernels(X, scorer.support, metric=kernel, **options)
    expected = (inner @ scorer.dual.T + scorer.intercept) * scorer.slope + scorer.offset
    np.testing.assert_allclose(scorer.margin(X), expected, rtol=1e-10)


def test_many_rows_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from iatros.learners.tabular import scorers

    scorer = kernel_scorer("rbf")
    whole = scorer.score(X)
    monkeypatch.setattr(scorers, "_BLOCK", 9)
    np.testing.assert_allclose(scorer.score(X), whole, rtol=1e-12)


def test_restricted_cubic_splines_are_harrells_and_straight_beyond_the_outer_knots() -> None:
    # Hmisc::rcspline.eval(c(-2, 0.25, 1, 4), knots = c(-1, 0, 0.5, 2)) by its formula, norm = 2
    basis = SplineBasis(np.array([0]), np.array([[-1.0, 0.0, 0.5, 2.0]]))
    x = np.array([[-2.0], [0.25], [1.0], [4.0]])
    t, span = (-1.0, 0.0, 0.5, 2.0), 9.0

    def by_hand(v: float, j: int) -> float:
        def cube(u: float) -> float:
            return max(u, 0.0) ** 3

        first = cube(v - t[j])
        second = cube(v - t[2]) * (t[3] - t[j]) / (t[3] - t[2])
        third = cube(v - t[3]) * (t[2] - t[j]) / (t[3] - t[2])
        return (first - second + third) / span

    expected = [[v, by_hand(v, 0), by_hand(v, 1)] for v in x[:, 0]]
    np.testing.assert_allclose(basis.expand(x), expected, atol=1e-12)
    beyond = basis.expand(np.array([[3.0], [4.0], [5.0]]))
    np.testing.assert_allclose(beyond[2] - beyond[1], beyond[1] - beyond[0], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_links_give_probabilities(margins: list[float]) -> None:
    margin = np.array([margins])
    for link in ("softmax", "one-vs-rest"):
        answer = apply_link(link, margin)
        assert (answer >= 0).all()
        np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    assert 0.0 <= apply_link("sigmoid", margin[:, :1])[0] <= 1.0


def test_sigmoid_and_softmax_agree_on_two_classes() -> None:
    margin = np.linspace(-40, 40, 17)
    np.testing.assert_allclose(
        sigmoid(margin), softmax(np.stack([0 * margin, margin], axis=1))[:, 1], atol=1e-15
    )


def test_float32_never_becomes_infinite_and_keeps_missing() -> None:
    given_ = as_float32(np.array([[1e300, -1e300, np.nan, 0.1]]))
    assert np.isfinite(given_[0, [0, 1, 3]]).all()
    assert np.isnan(given_[0, 2])


def test_nested_files_are_read_back_under_their_own_names() -> None:
    files = nest("a", nest("b", {"x": b"1"})) | nest("c", {"x": b"2"})
    assert within("b", within("a", files.__getitem__))("x") == b"1"
    assert within("c", files.__getitem__)("x") == b"2"
    assert all("/" not in name for name in files)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(BundleFormatError, match="kernel, linear, mean, onnx"):
        load_scorer({"kind": "quantum"}, {}.__getitem__)


def test_scorers_cross_process_boundaries() -> None:
    for scorer in SCORERS.values():
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(scorer)).score(X), scorer.score(X))
