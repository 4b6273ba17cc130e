"""The ensemble: its weights against known answers, its members' parameters, and what it stores."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from iatros.core.task import Target
from iatros.learners.tabular.estimators.stack import Ensemble, EnsembleParams, fit_weights, member_estimator
from iatros.learners.tabular.predictor import load_predictor

BINARY = Target("died", "binary", ("no", "yes"))
STAGES = Target("stage", "multiclass", ("I", "II", "III"))
DOSE = Target("dose", "continuous")

QUICK = {"forest": {"n_estimators": 20}, "boosting": {"n_estimators": 10, "n_bags": 1}}
SMALL = EnsembleParams(members=("logistic", "forest", "boosting"), member_params=QUICK, folds=3)


def sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def informed(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of a member that knows, one that half knows and one that does not; and the outcome."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(-0.7, 1.4, n)
    y = (rng.random(n) < sigmoid(signal)).astype(int)
    half = sigmoid(signal * 0.5 + rng.normal(0, 1.0, n))
    return np.stack([sigmoid(signal), half, sigmoid(rng.normal(0, 1.4, n))]), y


def test_weights_without_shrinkage_are_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    logits = rng.normal([-0.4, 0.3], [1.0, 0.6], (2000, 2))
    y = (rng.random(2000) < sigmoid(logits @ [1.3, 0.6] - 0.5)).astype(int)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logits, y)
    weights, intercept = fit_weights(sigmoid(logits).T, y, BINARY, shrinkage=0.0)
    np.testing.assert_allclose(weights, reference.coef_[0], atol=2e-3)
    np.testing.assert_allclose(intercept, reference.intercept_, atol=2e-3)


def test_the_informed_member_gets_the_weight_and_none_is_negative():
    unseen, y = informed()
    harmful = np.concatenate([unseen, 1 - unseen[:1]])
    weights, _ = fit_weights(harmful, y, BINARY, shrinkage=10.0)
    assert weights.argmax() == 0
    assert weights.min() >= 0
    assert weights[3] < 0.05


def test_strong_shrinkage_gives_the_average():
    unseen, y = informed(300)
    weights, _ = fit_weights(unseen, y, BINARY, shrinkage=1e6)
    np.testing.assert_allclose(weights, 1 / 3, atol=2e-3)


def test_few_patients_stay_nearer_to_the_average_than_many():
    def distance(n: int) -> float:
        weights, _ = fit_weights(*informed(n, seed=1), BINARY, shrinkage=100.0)
        return float(np.abs(weights - 1 / 3).max())

    assert distance(60) < distance(600) < distance(6000)


def test_continuous_weights_are_least_squares_and_free_of_the_unit():
    rng = np.random.default_rng(2)
    truth = rng.gamma(2.0, 8.0, 900)
    unseen = np.stack([truth + rng.normal(0, 2, 900), truth + rng.normal(0, 6, 900)])
    weights, intercept = fit_weights(unseen, truth, DOSE, shrinkage=0.0)
    design = np.column_stack([unseen.T, np.ones(900)])
    expected = np.linalg.lstsq(design, truth, rcond=None)[0]
    np.testing.assert_allclose([*weights, *intercept], expected, atol=1e-3)
    shrunk, _ = fit_weights(unseen, truth, DOSE, shrinkage=50.0)
    scaled, _ = fit_weights(unseen * 1000, truth * 1000, DOSE, shrinkage=50.0)
    np.testing.assert_allclose(shrunk, scaled, atol=1e-3)


def test_multiclass_weights_prefer_the_informed_member():
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 1.5, (1500, 3))
    known = np.exp(margin) / np.exp(margin).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in known])
    weights, intercept = fit_weights(np.stack([known, rng.permutation(known)]), y, STAGES, shrinkage=5.0)
    assert weights[0] > 0.8
    assert weights[1] < 0.2
    assert intercept.shape == (3,)


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
@pytest.mark.parametrize("combine", ["average", "stack"])
def test_stored_answers_as_fitted(make_patients, task, combine):
    patients = make_patients(task, 200, 0)
    params = SMALL.model_copy(update={"combine": combine})
    fitted = Ensemble(params).fit(patients.table, patients.y, patients.target, groups=patients.groups, seed=0)
    predicted = fitted.predictor.predict(patients.table.frame)
    document, files = fitted.predictor.save()
    again = load_predictor(document, files.__getitem__).predict(patients.table.frame)
    np.testing.assert_allclose(again, predicted, atol=1e-6)
    assert list(fitted.notes["weights"]) == ["logistic", "forest", "boosting"]
    assert set(fitted.notes["members"]) == {"logistic", "forest", "boosting"}
    repeat = Ensemble(params).fit(patients.table, patients.y, patients.target, groups=patients.groups, seed=0)
    assert repeat.predictor.save()[1] == files


def test_average_is_the_mean_of_the_members(make_patients):
    patients = make_patients("binary", 150, 0)
    fitted = Ensemble(SMALL).fit(patients.table, patients.y, patients.target, groups=None, seed=0)
    each = [member.predict(patients.table.frame) for member in fitted.predictor.members]
    np.testing.assert_allclose(fitted.predictor.predict(patients.table.frame), np.mean(each, axis=0))


def test_members_take_what_was_set_for_them_and_for_all():
    params = EnsembleParams(
        impute="iterative", indicators=True, member_params={"forest": {"max_depth": 3, "impute": "simple"}}
    )
    forest, logistic = member_estimator("forest", params), member_estimator("logistic", params)
    assert (forest.params.max_depth, forest.params.impute, forest.params.indicators) == (3, "simple", True)
    assert logistic.params.impute == "iterative"
    own = member_estimator("boosting", EnsembleParams())
    assert own.params.impute == "none"


def test_out_of_fold_predictions_come_from_other_patients(make_patients):
    """A patient whose outcomes are turned over keeps the predictions that the weights are learned on."""
    patients = make_patients("continuous", 120, 0)
    params = EnsembleParams(members=("logistic",), combine="stack", folds=3)
    arguments = (patients.target, patients.groups, 0)
    before = Ensemble(params)._out_of_fold(patients.table, patients.y, *arguments)
    changed = patients.y.copy()
    own = patients.groups == 7
    changed[own] += 500.0
    after = Ensemble(params)._out_of_fold(patients.table, changed, *arguments)
    np.testing.assert_array_equal(before[0, own], after[0, own])
    assert np.any(before != after)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"members": ("forest", "forrest")}, "did you mean forest"),
        ({"members": ("forest", "forest")}, "twice"),
        ({"members": ()}, "at least 1"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_wrong_parameters_are_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        EnsembleParams(**wrong)
