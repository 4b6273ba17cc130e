from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import BundleFormatError, FitError, SchemaError
from iatros.learners.tabular.estimators.logistic import Logistic, LogisticParams
from iatros.learners.tabular.predictor import (
    StackPredictor,
    assert_equal,
    load_predictor,
    save_checked,
)


class Fixed:
    """A member whose predictions are given."""

    def __init__(self, prediction: np.ndarray) -> None:
        self.prediction = prediction

    def predict(self, frame: object) -> np.ndarray:
        return self.prediction


def stack(
    task: str, scale: str, weights: list[float], intercept: list[float], predictions: list
) -> StackPredictor:
    members = tuple(Fixed(np.array(prediction)) for prediction in predictions)
    names = tuple(f"m{index}" for index in range(len(members)))
    return StackPredictor(names, members, task, scale, np.array(weights), np.array(intercept))


def test_a_stack_on_the_prediction_scale_is_a_weighted_mean() -> None:
    both = [[0.2, 0.9], [0.6, 0.5]]
    assert stack("binary", "prediction", [0.25, 0.75], [0.0], both).predict(None) == pytest.approx([0.5, 0.6])
    assert stack("continuous", "logit", [0.5, 0.5], [3.0], [[10.0], [20.0]]).predict(None) == pytest.approx(
        [18.0]
    )


def test_a_stack_on_the_logit_scale_adds_log_odds() -> None:
    # logit(.2) = -1.386294, logit(.6) = 0.405465; 0.5 * each + 1 = 0.509586; sigmoid = 0.624709
    answer = stack("binary", "logit", [0.5, 0.5], [1.0], [[0.2], [0.6]]).predict(None)
    assert answer == pytest.approx([0.624709], abs=1e-6)
    certain = stack("binary", "logit", [1.0, 1.0], [0.0], [[1.0, 0.0], [0.5, 0.5]]).predict(None)
    assert np.isfinite(certain).all()
    assert certain[0] > 0.999 > 0.001 > certain[1]


def test_a_stack_of_classes_is_a_geometric_mean() -> None:
    p = np.array([[0.7, 0.2, 0.1]])
    q = np.array([[0.3, 0.3, 0.4]])
    expected = np.sqrt(p * q) / np.sqrt(p * q).sum()
    assert stack("multiclass", "logit", [0.5, 0.5], [0, 0, 0], [p, q]).predict(None) == pytest.approx(
        expected
    )


def test_a_stored_stack_equals_the_fitted_one(make_patients) -> None:
    data = make_patients("binary", n=120)
    members = tuple(
        Logistic(LogisticParams(C=C, impute=impute))
        .fit(data.table, data.y, data.target, groups=data.groups, seed=1)
        .predictor
        for C, impute in ((0.1, "multiple"), (10.0, "simple"))
    )
    predictor = StackPredictor(
        ("one", "two"), members, "binary", "logit", np.array([0.3, 0.9]), np.array([-0.1])
    )
    document, files = save_checked(predictor, data.table.frame)
    loaded = load_predictor(document, files.__getitem__)
    np.testing.assert_array_equal(loaded.predict(data.table.frame), predictor.predict(data.table.frame))
    assert loaded.save() == (document, files)
    assert all("/" not in name and ".." not in name for name in files)


def test_a_stored_form_that_answers_otherwise_is_refused() -> None:
    with pytest.raises(FitError, match="differs"):
        assert_equal(np.array([0.1, 0.2]), np.array([0.1, 0.2001]))
    with pytest.raises(FitError):
        assert_equal(np.array([0.1]), np.array([np.nan]))
    with pytest.raises(FitError):
        assert_equal(np.array([0.1]), np.array([[0.1, 0.1]]))
    assert_equal(np.array([1e9]), np.array([1e9 + 1]))


def test_a_missing_column_and_an_unknown_kind_are_named(make_patients) -> None:
    data = make_patients("binary", n=60)
    predictor = (
        Logistic(LogisticParams(C=1.0)).fit(data.table, data.y, data.target, groups=None, seed=0).predictor
    )
    with pytest.raises(SchemaError, match="age"):
        predictor.predict(data.table.frame.drop("age"))
    with pytest.raises(BundleFormatError, match="pipeline, stack"):
        load_predictor({"kind": "oracle"}, {}.__getitem__)
