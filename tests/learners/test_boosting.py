"""Boosted trees: what they learn, what they store, and the graph against LightGBM itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from iatros.core.errors import FitError
from iatros.learners.export_lightgbm import Lookup, lightgbm_to_onnx
from iatros.learners.tabular.estimators.boosting import Boosting, BoostingParams
from iatros.learners.tabular.estimators.outcome_means import (
    CodedColumns,
    coded_columns,
    fit_expand,
    fit_means,
)
from iatros.learners.tabular.predictor import load_predictor
from iatros.learners.tabular.scorers import OnnxScorer

lightgbm = pytest.importorskip("lightgbm")

QUICK = BoostingParams(n_estimators=40, n_bags=2)


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
def test_learns_what_matters(make_patients, task):
    train, test = make_patients(task, 500, 0), make_patients(task, 500, 1)
    fitted = Boosting().fit(train.table, train.y, train.target, groups=train.groups, seed=3)
    predicted = fitted.predictor.predict(test.table.frame)
    if task == "continuous":
        assert np.corrcoef(test.y, predicted)[0, 1] > 0.8
    else:
        assert roc_auc_score(test.y, predicted, multi_class="ovr") > 0.7
    assert fitted.notes["rounds"] > 5
    assert fitted.notes["outcome_means"] == []  # too few rows


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
def test_same_seed_same_bytes_and_another_seed_others(make_patients, task, monkeypatch):
    patients = make_patients(task, 300, 0)

    def stored(seed: int, threads: str) -> dict[str, bytes]:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        params = QUICK.model_copy(update={"outcome_means": True})
        fitted = Boosting(params).fit(
            patients.table, patients.y, patients.target, groups=patients.groups, seed=seed
        )
        return fitted.predictor.save()[1]

    assert stored(1, "1") == stored(1, "2")
    assert stored(1, "1") != stored(2, "1")


def test_stored_answers_as_fitted_on_new_values(make_patients):
    patients = make_patients("binary", 300, 0)
    params = QUICK.model_copy(update={"outcome_means": True})
    predictor = (
        Boosting(params).fit(patients.table, patients.y, patients.target, groups=None, seed=0).predictor
    )
    document, files = predictor.save()
    odd = pl.DataFrame(
        {
            "age": [None, -1e30, 1e30, 61.0],
            "marker": [6.0, None, 1e-40, -0.0],
            "noise": [0.0, None, 3.0, 0.5],
            "ward": [None, "never seen", "surgery", "day"],
            "never measured": [None, 1.0, None, -5.0],
        },
        schema_overrides={"never measured": pl.Float64},
    )
    again = load_predictor(document, files.__getitem__).predict(odd)
    np.testing.assert_array_equal(again, predictor.predict(odd))
    assert np.all((again > 0) & (again < 1))


@pytest.mark.parametrize(("k", "objective"), [(1, "binary"), (3, "multiclass")])
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_graph_equals_lightgbm(k, objective, holes):
    """Every row, those on a threshold and those with NaN included, takes LightGBM's own path."""
    rng = np.random.default_rng(7)
    X = np.round(rng.normal(size=(700, 5)), 1)
    X[rng.random(X.shape) < holes] = np.nan
    y = rng.integers(0, max(k, 2), 700)
    settings = {"objective": objective, "verbosity": -1, "min_child_samples": 3}
    settings |= {"num_class": k} if k > 1 else {}
    boosters = [
        lightgbm.train({**settings, "seed": seed, "bagging_fraction": 0.7, "bagging_freq": 1},
                       lightgbm.Dataset(X, y), num_boost_round=25)
        for seed in (1, 2)
    ]  # fmt: skip
    asked = np.vstack([X, np.full((1, 5), np.nan), np.round(rng.normal(size=(300, 5)), 2)])
    asked = asked.astype(np.float32).astype(float)
    margins = np.mean([booster.predict(asked, raw_score=True) for booster in boosters], axis=0)
    scorer = OnnxScorer(lightgbm_to_onnx(boosters, 5, link="identity"))
    np.testing.assert_allclose(scorer.score(asked), margins, rtol=1e-6, atol=1e-6)


def test_categorical_splits_are_refused():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (400, 1)).astype(float)
    data = lightgbm.Dataset(X, (X[:, 0] % 2).astype(int), categorical_feature=[0])
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, data, num_boost_round=3)
    with pytest.raises(FitError, match="cannot be stored"):
        lightgbm_to_onnx([booster], 1, link="sigmoid")


def test_lookup_in_the_graph_equals_numpy():
    """Below, inside, between, above and missing, for two columns and two means each."""
    coded = CodedColumns(np.array([2, 0]), np.array([-3.0, 10.0]), np.array([4, 2]))
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(10, 12, 60), rng.normal(size=60), rng.integers(-3, 1, 60)]).astype(
        float
    )
    means = fit_means(X, rng.normal(size=(60, 2)), coded)
    y = rng.normal(size=60)
    booster = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "min_child_samples": 2},
        lightgbm.Dataset(means.expand(X), y),
        num_boost_round=20,
    )
    lookup = Lookup(coded.columns, coded.lows, coded.sizes, means.table)
    odd = np.array(
        [[9, 0, -99], [12, 0, 99], [10.5, 0, -2.5], [np.nan, 0, np.nan], [11, 0, 0], [1e30, 0, -1e30]]
    )
    asked = np.vstack([X, odd.astype(np.float32)])
    scorer = OnnxScorer(lightgbm_to_onnx([booster], 3, link="identity", lookup=lookup))
    np.testing.assert_allclose(scorer.score(asked), booster.predict(means.expand(asked)), atol=1e-6)


def test_outcome_means_by_hand():
    """One code with 3 rows (mean 1), one with 1 (mean 0), overall 3/4; 20 rows' worth of the overall mean."""
    coded = CodedColumns(np.array([0]), np.array([5.0]), np.array([2]))
    X = np.array([[5.0], [5.0], [5.0], [6.0]])
    means = fit_means(X, np.array([[1.0], [1.0], [1.0], [0.0]]), coded)
    expected = [0.75, (3 + 15) / 23, 15 / 21, 0.75, 0.75]  # below, 5, 6, above, missing
    np.testing.assert_allclose(means.table[:, 0], expected)


def test_no_row_sees_the_outcome_of_its_own_patient():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 3)
    X = rng.integers(0, 4, (120, 1)).astype(float)
    outcome = rng.normal(size=(120, 1))
    coded = coded_columns(X, [0], min_levels=20)
    before = fit_expand(X, outcome, coded, groups=groups, seed=0)[1]
    for patient in (0, 17):
        changed = outcome.copy()
        changed[groups == patient] += 1000.0
        after = fit_expand(X, changed, coded, groups=groups, seed=0)[1]
        np.testing.assert_array_equal(before[groups == patient], after[groups == patient])
        assert np.any(before != after)


def test_coded_columns_are_many_codes_and_few_integers():
    n = 200
    rng = np.random.default_rng(2)
    X = np.column_stack(
        [
            rng.integers(0, 25, n),  # a category of 25 codes
            rng.integers(0, 4, n),  # a category of 4
            rng.integers(1, 9, n),  # an integer of few values
            rng.integers(0, 2, n),  # yes or no
            rng.normal(size=n),  # measured
            np.full(n, np.nan),  # never measured
            rng.choice([1, 5, 90_000], n),  # too far apart
        ]
    ).astype(float)
    coded = coded_columns(X, [25, 4, 0, 0, 0, 0, 0], min_levels=20)
    assert coded.columns.tolist() == [0, 2]


def test_outcome_means_find_an_unordered_code(make_table):
    """A ward number whose risk has nothing to do with its order, among noise."""
    rng = np.random.default_rng(5)
    n = 1200
    ward = rng.integers(1, 29, n)
    risk = np.where(rng.permutation(28)[ward - 1] < 8, 0.75, 0.2)
    y = (rng.random(n) < risk).astype(int)
    columns = {"ward": ("numeric", ward.tolist())}
    columns |= {f"noise {j}": ("numeric", rng.normal(size=n).tolist()) for j in range(4)}
    table = make_table(columns)
    from iatros.core.task import Target

    target = Target("died", "binary", ("no", "yes"))

    def auroc(means: bool) -> float:
        params = BoostingParams(n_estimators=25, outcome_means=means, feature_fraction=1.0)
        learned = table.take(np.arange(800))
        fitted = Boosting(params).fit(learned, y[:800], target, groups=None, seed=0)
        asked = table.take(np.arange(800, n)).frame
        return float(roc_auc_score(y[800:], fitted.predictor.predict(asked)))

    assert auroc(True) > auroc(False)


@pytest.mark.parametrize("n", [8, 30])
def test_tiny_tables_get_an_answer(make_patients, n):
    patients = make_patients("continuous", n, 0)
    fitted = Boosting().fit(patients.table, patients.y, patients.target, groups=patients.groups, seed=0)
    predicted = fitted.predictor.predict(patients.table.frame)
    assert predicted.min() >= patients.y.min() - 1e-5
    assert predicted.max() <= patients.y.max() + 1e-5


def test_one_class_is_refused(make_patients):
    patients = make_patients("binary", 60, 0)
    with pytest.raises(FitError, match="one class"):
        Boosting(QUICK).fit(patients.table, np.zeros(60, int), patients.target, groups=None, seed=0)


@pytest.mark.parametrize("wrong", [{"n_bags": 0}, {"learning_rate": 0.0}, {"leaves": 3}, {"impute": "best"}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        BoostingParams(**wrong)


def test_search_space_stays_within_bounds():
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    base = BoostingParams(n_bags=7)
    for _ in range(20):
        drawn = Boosting.search_space(study.ask(), base)
        assert BoostingParams(**drawn.model_dump()) == drawn
        assert drawn.n_bags == 7
