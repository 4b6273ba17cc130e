from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from iatros.core.errors import FitError, TableError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.params import ModelParams
from iatros.learners.tabular.estimators.pipeline import (
    derived_seed,
    fit_pipeline,
    inner_folds,
    least_on_grid,
    loss,
)
from iatros.learners.tabular.scorers import LinearScorer

ONE_HOT = {"categories": "one-hot", "scale": True}


def mean_scorer(seen: list):
    def fit(design, params):
        seen.append(design)
        return LinearScorer(np.zeros((1, design.X.shape[1])), np.array([design.y.mean()]), "identity"), {
            "n": len(seen)
        }

    return fit


def test_every_scorer_sees_a_complete_matrix_and_its_own_seed(make_patients) -> None:
    data = make_patients("continuous", n=80)
    seen: list = []
    params = ModelParams(impute="multiple", n_imputations=4)
    fitted = fit_pipeline(
        params, mean_scorer(seen), data.table, data.y, data.target, groups=data.groups, seed=3, **ONE_HOT
    )
    assert len(seen) == 4
    assert fitted.notes == {"n": 1, "n_imputations": 4}
    assert all(np.isfinite(design.X).all() for design in seen)
    assert len({design.seed for design in seen}) == 4
    assert np.ptp([design.X[:, 0].sum() for design in seen]) > 0
    assert len(seen[0].names) == len(seen[0].sources) == len(seen[0].cardinalities) == seen[0].X.shape[1]
    assert fitted.predictor.predict(data.table.frame) == pytest.approx(np.full(80, data.y.mean()))


def test_missing_values_reach_a_model_that_takes_them(make_patients) -> None:
    data = make_patients("continuous", n=80)
    seen: list = []
    params = ModelParams(impute="none")
    fit_pipeline(params, mean_scorer(seen), data.table, data.y, data.target, groups=None, seed=3, **ONE_HOT)
    assert np.isnan(seen[0].X).any()
    assert len(seen[0].groups) == 80


def test_nothing_to_learn_from_is_said(make_patients) -> None:
    data = make_patients("continuous", n=80)
    rest = {"groups": None, "seed": 0, **ONE_HOT}
    none = data.table.take(np.arange(0))
    with pytest.raises(FitError, match="no rows"):
        fit_pipeline(ModelParams(), mean_scorer([]), none, data.y[:0], data.target, **rest)
    with pytest.raises(TableError, match="no column"):
        fit_pipeline(ModelParams(), mean_scorer([]), data.table.select([]), data.y, data.target, **rest)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["logistic:Logistic", "svm:Svm", "forest:Forest"])
def test_the_stored_bytes_do_not_depend_on_the_number_of_threads(model: str) -> None:
    program = (
        "import hashlib, importlib, numpy as np, polars as pl\n"
        "from iatros.core.task import Target\n"
        "from iatros.learners.tabular.schema import Column, TableSchema\n"
        "from iatros.learners.tabular.table import Table\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(1500, 60)) @ rng.normal(size=(60, 60))\n"
        "X[rng.random(X.shape) < 0.02] = np.nan\n"
        "y = (np.nansum(X[:, :5], axis=1) + rng.normal(size=1500) * 9 > 3).astype(int)\n"
        "frame = pl.DataFrame({f'x{j}': pl.Series(X[:, j]).fill_nan(None) for j in range(60)})\n"
        "schema = TableSchema(columns=tuple(Column(name=f'x{j}', kind='numeric') for j in range(60)))\n"
        "table = Table(frame, schema, 'made', np.arange(1500))\n"
        f"module, name = {model!r}.split(':')\n"
        "kind = getattr(importlib.import_module('iatros.learners.tabular.estimators.' + module), name)\n"
        "fitted = kind().fit(table, y, Target('y', 'binary', ('0', '1')), groups=None, seed=0)\n"
        "print(hashlib.sha256(repr(fitted.predictor.save()).encode()).hexdigest())\n"
    )
    hashes = []
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        hashes.append(done.stdout)
    assert hashes[0] == hashes[1]


def test_the_least_of_a_grid_is_found_and_the_search_ends_early() -> None:
    asked: list[float] = []

    def total(value: float) -> float:
        asked.append(value)
        return (value - 3.0) ** 2

    assert least_on_grid([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], total) == 3.0
    assert asked == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert least_on_grid([5.0], total) == 5.0


def test_loss_is_cross_entropy_or_squared_error() -> None:
    binary = Target("y", "binary", ("0", "1"))
    np.testing.assert_allclose(loss(binary, np.array([1, 0]), np.array([0.8, 0.3])), -np.log([0.8, 0.7]))
    classes = Target("y", "multiclass", ("a", "b", "c"))
    np.testing.assert_allclose(loss(classes, np.array([2]), np.array([[0.2, 0.3, 0.5]])), -np.log([0.5]))
    np.testing.assert_allclose(loss(Target("y", "continuous"), np.array([3.0]), np.array([5.0])), [4.0])
    assert np.isfinite(loss(binary, np.array([1]), np.array([0.0]))).all()


def test_inner_folds_keep_patients_whole_and_shrink_for_rare_classes() -> None:
    target = Target("y", "binary", ("0", "1"))
    groups = np.arange(60) // 3
    y = (groups >= 17).astype(int)  # three patients have the event
    fold = inner_folds(y, target, groups, n_folds=5, seed=0)
    assert set(fold) == {0, 1, 2}
    assert all(len(set(fold[groups == group])) == 1 for group in range(20))
    with pytest.raises(FitError, match="two patients of each class"):
        inner_folds((groups == 4).astype(int), target, groups, n_folds=5, seed=0)


def test_derived_seeds_differ_and_fit_in_31_bits() -> None:
    seeds = {derived_seed(seed, index) for seed in range(20) for index in range(20)}
    assert len(seeds) == 400
    assert max(seeds) < 2**31
