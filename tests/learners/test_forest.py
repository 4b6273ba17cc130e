from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from iatros.core.errors import FitError
from iatros.learners.tabular.estimators.forest import Forest, ForestParams
from iatros.learners.tabular.estimators.selection import stability

QUICK = ForestParams(n_estimators=60)


def fit(data, params: ForestParams = QUICK, seed: int = 0):
    return Forest(params).fit(data.table, data.y, data.target, groups=data.groups, seed=seed)


def test_it_learns(make_patients) -> None:
    fitted = fit(make_patients("binary", n=400))
    fresh = make_patients("binary", n=400, seed=9)
    assert roc_auc_score(fresh.y, fitted.predictor.predict(fresh.table.frame)) > 0.72
    assert fitted.notes["n_trees"] == 60


@pytest.mark.parametrize("impute", ["none", "simple", "iterative", "multiple"])
def test_missing_values_are_met_in_four_ways(make_patients, impute: str) -> None:
    data = make_patients("binary", n=300, missing=0.3)
    params = ForestParams(n_estimators=40, impute=impute, n_imputations=2)
    prediction = fit(data, params).predictor.predict(data.table.frame)
    assert np.isfinite(prediction).all()
    assert roc_auc_score(data.y, prediction) > 0.8


def test_the_answer_does_not_depend_on_the_number_of_threads(make_patients, monkeypatch) -> None:
    from iatros.learners.tabular.estimators import forest, selection

    data = make_patients("binary", n=100)
    params = ForestParams(n_estimators=30, feature_selection="boruta", selection_resamples=10)
    files = []
    for threads in (1, 3):
        monkeypatch.setattr(forest, "fit_threads", lambda threads=threads: threads)
        monkeypatch.setattr(selection, "fit_threads", lambda threads=threads: threads)
        fitted = fit(data, params)
        files.append((fitted.predictor.save(), fitted.notes))
    assert files[0] == files[1]


@pytest.mark.parametrize("method", ["permutation", "boruta"])
@pytest.mark.parametrize("task", ["binary", "continuous"])
def test_selection_keeps_what_matters_and_drops_noise(
    make_table, make_patients, method: str, task: str
) -> None:
    data = make_patients(task, n=400, missing=0.05)
    rng = np.random.default_rng(7)
    columns = {name: ("numeric", data.table.frame[name].to_list()) for name in ("age", "marker", "noise")}
    columns |= {"ward": ("categorical", data.table.frame["ward"].to_list())}
    columns |= {f"more noise {j}": ("numeric", rng.normal(size=400).tolist()) for j in range(4)}
    table = make_table(columns)
    params = ForestParams(n_estimators=40, feature_selection=method, selection_resamples=14)
    fitted = Forest(params).fit(table, data.y, data.target, groups=None, seed=0)
    found = fitted.notes["selection"]
    assert {"marker", "age"} <= set(found["columns"])
    assert not any("noise" in column for column in found["columns"])
    assert found["frequency"]["marker"] > 0.8
    assert next(iter(found["frequency"])) in ("marker", "age", "ward")
    assert 0.3 < found["stability"] <= 1.0
    assert fitted.predictor.encoder.columns == found["columns"]
    assert fitted.predictor.predict(table.frame).shape == (400,)


def test_a_column_that_only_tells_patients_apart_is_not_chosen(make_patients, make_table) -> None:
    data = make_patients("binary", n=150, missing=0.0)
    rng = np.random.default_rng(3)
    visits = np.repeat(np.arange(150), 3)
    columns = {
        name: ("numeric", data.table.frame[name].to_numpy()[visits].tolist()) for name in ("age", "marker")
    }
    columns |= {f"noise {j}": ("numeric", rng.normal(size=150)[visits].tolist()) for j in range(3)}
    params = ForestParams(n_estimators=20, feature_selection="boruta", selection_resamples=14)
    fitted = Forest(params).fit(make_table(columns), data.y[visits], data.target, groups=visits, seed=0)
    assert not any("noise" in column for column in fitted.notes["selection"]["columns"])


def test_on_noise_alone_one_column_stays_and_it_is_said(make_table) -> None:
    rng = np.random.default_rng(0)
    table = make_table({f"x{j}": ("numeric", rng.normal(size=150).tolist()) for j in range(6)})
    y = (rng.random(150) < 0.3).astype(int)
    from iatros.core.task import Target

    params = ForestParams(n_estimators=20, feature_selection="boruta", selection_resamples=15)
    fitted = Forest(params).fit(table, y, Target("y", "binary", ("0", "1")), groups=None, seed=0)
    found = fitted.notes["selection"]
    assert found["fallback"]
    assert len(found["columns"]) == 1


def test_stability_is_one_for_agreement_and_nought_for_chance() -> None:
    assert stability(np.tile([1, 0, 1, 0], (9, 1))) == 1.0
    assert stability(np.zeros((5, 3))) == 1.0
    rng = np.random.default_rng(0)
    assert stability(rng.random((200, 50)) < 0.4) == pytest.approx(0.0, abs=0.02)


def test_a_class_that_training_lacks_has_no_probability(make_patients) -> None:
    data = make_patients("multiclass", n=150)
    y = np.where(data.y == 1, 0, data.y)
    prediction = (
        Forest(QUICK).fit(data.table, y, data.target, groups=None, seed=0).predictor.predict(data.table.frame)
    )
    assert prediction[:, 1].max() == 0.0
    np.testing.assert_allclose(prediction.sum(axis=1), 1.0)
    with pytest.raises(FitError, match="one class"):
        Forest(QUICK).fit(data.table, 0 * y, data.target, groups=None, seed=0)


@pytest.mark.parametrize(
    "changed",
    [
        {"n_estimators": 25},
        {"min_samples_leaf": 20},
        {"max_features": 1.0},
        {"max_depth": 1},
        {"max_samples": 50},
        {"impute": "none"},
        {"indicators": True},
        {"feature_selection": "permutation", "selection_resamples": 10},
    ],
)
def test_every_parameter_changes_the_answer(make_patients, changed: dict) -> None:
    data = make_patients("binary", n=200, missing=0.2)
    first = fit(data).predictor.predict(data.table.frame)
    second = fit(data, QUICK.model_copy(update=changed)).predictor.predict(data.table.frame)
    assert np.abs(first - second).max() > 1e-4
