from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import log_loss, roc_auc_score

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.svm import Svm, SvmParams, fit_platt

BINARY = Target("y", "binary", ("0", "1"))
KERNELS = ["linear", "rbf", "poly", "sigmoid"]


def test_platt_agrees_with_scikit_learns_sigmoid_calibration() -> None:
    from sklearn.calibration import _sigmoid_calibration

    rng = np.random.default_rng(3)
    decision = rng.normal(size=300) * 2.0
    truth = rng.random(300) < 1 / (1 + np.exp(-(0.8 * decision - 1.2)))
    slope, offset = fit_platt(decision, truth)
    a, b = _sigmoid_calibration(decision, truth.astype(float))
    assert (slope, offset) == pytest.approx((-a, -b), abs=1e-3)
    assert slope == pytest.approx(0.8, abs=0.25)


def test_platt_never_turns_a_ranking_round_and_survives_separation() -> None:
    decision = np.linspace(-1, 1, 40)
    slope, offset = fit_platt(decision, decision < -0.3)
    assert slope == 0.0
    assert offset == pytest.approx(np.log(15 / 27))
    slope, offset = fit_platt(decision, decision > 0.3)
    assert 0 < slope < np.inf
    assert 0.9 < 1 / (1 + np.exp(-(slope + offset))) < 1.0
    assert np.isfinite(fit_platt(np.zeros(9), np.arange(9) < 2)).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_kernel_learns_and_says_what_it_stored(make_patients, kernel: str) -> None:
    data = make_patients("binary", n=300)
    fitted = Svm(SvmParams(kernel=kernel)).fit(data.table, data.y, data.target, groups=data.groups, seed=0)
    fresh = make_patients("binary", n=300, seed=9)
    prediction = fitted.predictor.predict(fresh.table.frame)
    assert roc_auc_score(fresh.y, prediction) > 0.7
    assert log_loss(fresh.y, prediction) < log_loss(fresh.y, np.full(300, fresh.y.mean()))
    assert fitted.notes["kernel"] == kernel
    assert (fitted.notes["n_training_rows_stored"] == 0) == (kernel == "linear")
    assert set(fitted.predictor.save()[1]) == {"arrays.safetensors", "scorer-0.arrays.safetensors"}


def test_probabilities_of_unseen_patients_are_calibrated(make_table) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    y = 1 - y
    table = make_table({f"x{j}": ("numeric", X[:, j].tolist()) for j in range(10)})
    rows = np.random.default_rng(0).permutation(len(y))
    train, test = rows[:350], rows[350:]
    fitted = Svm().fit(table.take(train), y[train], BINARY, groups=None, seed=0)
    prediction = fitted.predictor.predict(table.take(test).frame)
    assert roc_auc_score(y[test], prediction) > 0.97
    assert abs(prediction.mean() - y[test].mean()) < 0.06
    assert log_loss(y[test], prediction) < 0.2


def test_several_classes_are_one_against_the_rest(make_table) -> None:
    X, y = load_iris(return_X_y=True)
    table = make_table({f"x{j}": ("numeric", X[:, j].tolist()) for j in range(4)})
    target = Target("species", "multiclass", ("a", "b", "c", "never seen"))
    fitted = Svm().fit(table, y, target, groups=None, seed=0)
    prediction = fitted.predictor.predict(table.frame)
    assert prediction.shape == (150, 4)
    np.testing.assert_allclose(prediction.sum(axis=1), 1.0)
    assert (prediction.argmax(axis=1) == y).mean() > 0.94
    assert prediction[:, 3].max() < 1e-6


def test_the_outcome_keeps_its_unit(make_patients) -> None:
    data = make_patients("continuous", n=300)
    for kernel in ("linear", "rbf"):
        fitted = Svm(SvmParams(kernel=kernel)).fit(data.table, data.y, data.target, groups=None, seed=0)
        fresh = make_patients("continuous", n=300, seed=9)
        error = np.abs(fitted.predictor.predict(fresh.table.frame) - fresh.y).mean()
        assert error < 0.75 * np.abs(fresh.y - data.y.mean()).mean()


def test_rows_beyond_the_limit_are_drawn_by_class_and_said(make_patients) -> None:
    data = make_patients("binary", n=500)
    fitted = Svm(SvmParams(max_rows=100, C=1.0)).fit(data.table, data.y, data.target, groups=None, seed=0)
    assert (fitted.notes["n_rows_used"], fitted.notes["n_rows_given"]) == (100, 500)


def test_a_class_with_one_patient_is_refused(make_patients) -> None:
    data = make_patients("binary", n=100)
    y = (np.arange(100) == 7).astype(int)
    with pytest.raises(FitError, match="at least two patients of each class"):
        Svm().fit(data.table, y, data.target, groups=None, seed=0)


def test_what_is_calibrated_is_what_predicts(make_table) -> None:
    # at so low a price a machine on all rows and one on four fifths differ in scale; probabilities must not
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8))
    y = (X[:, 0] + 0.5 * X[:, 1] + 2.0 * rng.logistic(size=400) > 2.0).astype(int)
    table = make_table({f"x{j}": ("numeric", X[:, j].tolist()) for j in range(8)})
    params = SvmParams(C=0.01, gamma=0.01)
    fitted = Svm(params).fit(table.take(np.arange(200)), y[:200], BINARY, groups=None, seed=0)
    prediction = fitted.predictor.predict(table.take(np.arange(200, 400)).frame)
    assert log_loss(y[200:], prediction) < log_loss(y[200:], np.full(200, y[:200].mean())) + 0.02


def test_a_kernel_is_a_word_never_a_function() -> None:
    with pytest.raises(ValueError, match="kernel"):
        SvmParams(kernel=lambda a, b: a @ b.T)


@pytest.mark.parametrize(
    ("base", "changed"),
    [
        ({}, {"C": 0.05}),
        ({}, {"kernel": "sigmoid"}),
        ({}, {"gamma": 0.9}),
        ({}, {"class_weight": "none"}),
        ({"kernel": "poly"}, {"degree": 2}),
        ({"kernel": "poly"}, {"coef0": 0.0}),
        ({}, {"max_rows": 100}),
        ({"task": "continuous"}, {"epsilon": 1.0}),
    ],
)
def test_every_parameter_changes_the_answer(make_patients, base: dict, changed: dict) -> None:
    data = make_patients(base.get("task", "binary"), n=200)
    params = SvmParams(C=1.0, **{name: value for name, value in base.items() if name != "task"})

    def answer(params: SvmParams) -> np.ndarray:
        return (
            Svm(params)
            .fit(data.table, data.y, data.target, groups=None, seed=0)
            .predictor.predict(data.table.frame)
        )

    assert np.abs(answer(params.model_copy(update=changed)) - answer(params)).max() > 1e-4
