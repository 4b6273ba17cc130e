from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from iatros.core.errors import FitError
from iatros.learners.tabular.estimators.params import parse_overrides
from iatros.molecules.models import MODELS
from iatros.molecules.models.combined import (
    BagPredictor,
    Ensemble,
    EnsembleParams,
    StackPredictor,
    combine,
    weigh,
)
from iatros.molecules.models.estimator import load_predictor
from iatros.molecules.models.forest import Forest, ForestParams
from iatros.molecules.models.svm import Svm

QUICK = {
    "members": ("forest", "svm"),
    "n_folds": 3,
    "member_params": {"forest": {"n_estimators": 15}, "svm": {"C": 1.0}},
}


def said(*columns: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(column, dtype=float)[:, None] for column in columns]


def outcome(make_assay, y: np.ndarray, task: str = "continuous", bound: np.ndarray | None = None):
    """An assay of one endpoint with these values; its compounds do not matter."""
    assay = make_assay(task).take(np.arange(len(y)) % 224)
    bounds = np.zeros(len(y), np.int8) if bound is None else bound
    return replace(assay, y=np.asarray(y, dtype=float)[:, None], bound=bounds[:, None])


def test_values_are_weighed_and_classes_by_their_log_odds_by_hand() -> None:
    parts = np.array([[[1.0, 2.0]], [[3.0, 6.0]]])
    weights = np.array([[0.25, 1.0], [0.75, 0.0]])
    assert combine(parts, weights, np.array([1.0, 0.5]), binary=False).tolist() == [[3.5, 2.5]]
    # odds 1/4 and 4, weighed 0.25 and 0.75: 4 ** 0.5 = 2, probability 2 / 3; certainty stays finite
    classes = np.array([[[0.2]], [[0.8]]])
    assert combine(classes, weights[:, :1], np.zeros(1), binary=True)[0, 0] == pytest.approx(2 / 3)
    certain = combine(np.array([[[1.0]], [[0.0]]]), np.array([[0.5], [0.5]]), np.zeros(1), binary=True)
    assert certain[0, 0] == pytest.approx(0.5)


def test_with_many_compounds_the_weights_are_those_of_least_squares(make_assay) -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    y = rng.normal(0, 2.0, n)
    a, b, c = (y + rng.normal(0, spread, n) for spread in (0.5, 1.0, 2.0))
    weights, intercept = weigh(said(a, b, c), outcome(make_assay, y))
    # independent errors: weights go by the inverse of their variances, by hand
    inverse = np.array([4.0, 1.0, 0.25])
    np.testing.assert_allclose(weights[:, 0], inverse / inverse.sum(), atol=0.01)
    assert abs(intercept[0]) < 0.01
    # the same by scipy's non-negative least squares, the sum held at one by a heavy row
    X = np.stack([a, b, c], axis=1)
    theirs, _ = nnls(np.vstack([X, np.full((1, 3), 1e5)]), np.append(y, 1e5))
    np.testing.assert_allclose(weights[:, 0], theirs, atol=0.005)


def test_with_few_compounds_the_weights_stay_nearly_equal(make_assay) -> None:
    rng = np.random.default_rng(1)
    for n, low, high in ((5, 0.5, 0.62), (50, 0.6, 0.85), (5000, 0.93, 1.0)):
        y = rng.normal(0, 2.0, n)
        weights, _ = weigh(said(y + rng.normal(0, 0.3, n), y + rng.normal(0, 1.5, n)), outcome(make_assay, y))
        assert low <= weights[0, 0] <= high
        assert weights.sum() == pytest.approx(1.0)


def test_the_unit_does_not_matter(make_assay) -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(0, 1.0, 90)
    a, b = y + rng.normal(0.2, 0.4, 90), y + rng.normal(-0.1, 0.8, 90)
    plain = weigh(said(a, b), outcome(make_assay, y))
    scaled = weigh(said(1000 * a + 7, 1000 * b + 7), outcome(make_assay, 1000 * y + 7))
    np.testing.assert_allclose(scaled[0], plain[0], atol=1e-4)
    np.testing.assert_allclose(scaled[1], 1000 * plain[1], rtol=1e-2)


def test_a_common_bias_goes_into_the_intercept(make_assay) -> None:
    y = np.random.default_rng(3).normal(0, 1.0, 4000)
    noise = np.random.default_rng(4).normal(0, 0.5, (2, 4000))
    _, intercept = weigh(said(y + 2.0 + noise[0], y + 2.0 + noise[1]), outcome(make_assay, y))
    assert intercept[0] == pytest.approx(-2.0, abs=0.05)


def test_a_prediction_that_a_bound_allows_costs_nothing(make_assay) -> None:
    """The second member is right, and above the bounds where the values are cut off; the first stops at the cut."""
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 2.0, 3000)
    y, bound = np.minimum(truth, 0.5), (truth > 0.5).astype(np.int8)
    cut, right = np.minimum(truth, 0.5) + rng.normal(0, 0.3, 3000), truth + rng.normal(0, 0.3, 3000)
    one_sided, _ = weigh(said(cut, right), outcome(make_assay, y, bound=bound))
    naive, _ = weigh(said(cut, right), outcome(make_assay, y))
    assert one_sided[1, 0] > 0.4
    assert naive[1, 0] < 0.2


def test_classes_are_weighed_by_cross_entropy(make_assay) -> None:
    rng = np.random.default_rng(6)
    n = 40_000
    a, b = rng.normal(0, 1.5, n), rng.normal(0, 1.5, n)
    y = rng.random(n) < 1 / (1 + np.exp(-(0.7 * a + 0.3 * b)))
    probability = [1 / (1 + np.exp(-each)) for each in (a, b)]
    weights, intercept = weigh(said(*probability), outcome(make_assay, y, "binary"))
    np.testing.assert_allclose(weights[:, 0], [0.7, 0.3], atol=0.03)
    assert intercept[0] == 0.0
    # the same by another solver, on the one weight that is free
    found = minimize(
        lambda w: float(
            np.mean(np.logaddexp(0, w[0] * a + (1 - w[0]) * b) - y * (w[0] * a + (1 - w[0]) * b))
        ),
        [0.5],
        method="Nelder-Mead",
    )
    assert weights[0, 0] == pytest.approx(found.x[0], abs=0.003)


def test_a_member_that_only_harms_gets_nothing(make_assay) -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(0, 1, 2000)
    weights, _ = weigh(said(y + rng.normal(0, 0.1, 2000), -y), outcome(make_assay, y))
    assert weights[1, 0] < 0.06
    assert (weights >= 0).all()


def test_each_endpoint_is_weighed_on_what_was_measured_of_it(make_assay) -> None:
    assay = make_assay("continuous", endpoints=2, missing=0.3)
    rng = np.random.default_rng(8)
    full = np.where(assay.measured, assay.y, 999.0)
    good, poor = full + rng.normal(0, 0.2, full.shape), full + rng.normal(0, 3.0, full.shape)
    first = np.stack([good[:, 0], poor[:, 1]], axis=1)
    second = np.stack([poor[:, 0], good[:, 1]], axis=1)
    weights, _ = weigh([first, second], assay)
    assert weights[0, 0] > 0.75
    assert weights[1, 1] > 0.75
    alone, _ = weigh([first], assay)
    np.testing.assert_array_equal(alone, [[1.0, 1.0]])
    with pytest.raises(FitError, match="no compound has a value of endpoint 0"):
        weigh([first], replace(assay, y=np.where([True, False], np.nan, assay.y)))


@pytest.mark.parametrize("task", ["binary", "continuous"])
def test_bags_and_stacks_are_stored_with_what_they_hold(make_assay, task: str) -> None:
    assay = make_assay(task, endpoints=2)
    forests = tuple(Forest(ForestParams(n_estimators=10)).fit(assay, seed=seed)[0] for seed in (0, 1))
    bag = BagPredictor(forests)
    machine, _ = Svm().fit(assay, seed=0)
    stack = StackPredictor(
        ("forest", "svm"),
        (bag, machine),
        task == "binary",
        np.array([[0.3, 1.0], [0.7, 0.0]]),
        np.array([0.1, 0.0]),
    )
    document, files = stack.save()
    loaded = load_predictor(json.loads(json.dumps(document)), files.__getitem__)
    fresh = assay.compounds.take(np.arange(20))
    np.testing.assert_array_equal(loaded.predict(fresh), stack.predict(fresh))
    assert loaded.names == ("forest", "svm")
    assert loaded.save() == (document, files)
    parts = stack.parts(fresh)
    assert parts.shape == (2, 20, 2)
    np.testing.assert_array_equal(parts[0], bag.parts(fresh).mean(axis=0))
    np.testing.assert_allclose(stack.predict(fresh)[:, 1], parts[0][:, 1], atol=2e-6)
    assert stack.hidden("CC(Cl)CO").shape == (5, 2)
    np.testing.assert_allclose(
        bag.hidden("CC(Cl)CO"), np.mean([each.hidden("CC(Cl)CO") for each in forests], axis=0)
    )


def test_the_ensemble_weighs_its_members_and_hands_them_their_parameters(make_assay) -> None:
    assay = make_assay("continuous", endpoints=2, missing=0.2)
    predictor, notes = Ensemble(EnsembleParams(**QUICK)).fit(assay, seed=0)
    assert predictor.names == ("forest", "svm")
    assert all(len(bag.members) == 3 for bag in predictor.members)
    assert notes["members"]["forest"]["fits"][0]["n_trees"] == 15
    assert notes["members"]["svm"]["fits"][2]["C"] == 1.0
    np.testing.assert_allclose(np.sum(list(notes["weights"].values()), axis=0), [1.0, 1.0], atol=2e-6)
    np.testing.assert_array_equal(list(notes["weights"].values()), predictor.weights.round(6))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (("forest", "oracle"), "oracle"),
        (("forest", "forest"), "named twice"),
        (("ensemble",), "ensemble"),
        ((), "at least 1"),
    ],
)
def test_members_that_cannot_be_combined_are_refused(members: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        EnsembleParams(members=members)


def test_parameters_reach_a_member_by_its_own_name() -> None:
    assert EnsembleParams().members == ("boosting", "dmpnn", "svm")
    params = parse_overrides("ensemble", ["ensemble.members=forest,svm", "forest.n_estimators=20"], MODELS)
    assert params == EnsembleParams(members=("forest", "svm"), member_params={"forest": {"n_estimators": 20}})
    with pytest.raises(ValueError, match="svm is set but is no member"):
        EnsembleParams(members=("forest",), member_params={"svm": {"C": 1.0}})
    with pytest.raises(ValueError, match="greater than or equal to 10"):
        EnsembleParams(members=("forest",), member_params={"forest": {"n_estimators": 1}})
