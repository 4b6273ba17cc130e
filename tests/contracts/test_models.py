"""What every registered model keeps to: kinds of outcome, missing values, storage, repetition."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from iatros.core.task import Target
from iatros.learners.tabular.estimators.params import ModelParams, parse_overrides
from iatros.learners.tabular.estimators.pipeline import Fitted
from iatros.learners.tabular.predictor import load_predictor, save_checked
from iatros.learners.tabular.schema import Column, TableSchema
from iatros.learners.tabular.table import Table
from iatros.risk.models import MODELS

TARGETS = {
    "binary": Target("died", "binary", ("no", "yes")),
    "multiclass": Target("stage", "multiclass", ("I", "II", "III")),
    "continuous": Target("dose", "continuous", unit="mg/week"),
}
CASES = [(model, task) for model in MODELS.names() for task in TARGETS]

QUICK: dict[str, list[str]] = {
    "forest": ["forest.n_estimators=60"],
    "boosting": ["boosting.n_bags=2", "boosting.max_rounds=200"],
    "mlp": ["mlp.n_members=2", "mlp.max_epochs=60"],
}
"""Settings that make a fit of a few hundred rows short; they reach the members of models made of models."""


def patients(task: str, n: int, seed: int) -> tuple[Table, np.ndarray, np.ndarray]:
    """Numbers, categories, ranks and dates with gaps, one column never measured; two rows a patient."""
    rng = np.random.default_rng(seed)
    age, marker = rng.normal(61.0, 11.0, n), rng.gamma(2.0, 3.0, n)
    ward = rng.choice(["surgery", "medicine", "intensive care", "day"], n, p=[0.45, 0.3, 0.2, 0.05])
    grade = rng.choice(["low", "middle", "high"], n, p=[0.5, 0.3, 0.2])
    signal = 0.08 * (age - 61) + 0.3 * (marker - 6) + 1.5 * (ward == "intensive care") + (grade == "high")
    if task == "binary":
        y = (signal + rng.logistic(0.0, 0.7, n) > 1.0).astype(int)
    elif task == "multiclass":
        y = np.digitize(signal + rng.logistic(0.0, 0.5, n), [0.3, 2.0])
    else:
        y = 31.0 + 4.0 * signal + rng.normal(0.0, 2.0, n)
    admitted = np.datetime64("2019-03-01", "us") + rng.integers(0, 900, n).astype("timedelta64[D]")

    def series(name: str, values: Any, dtype: pl.DataType, share: float) -> pl.Series:
        gaps = rng.random(n) < share
        return pl.Series(
            name, [None if gap else v for v, gap in zip(values.tolist(), gaps, strict=True)], dtype=dtype
        )

    frame = pl.DataFrame(
        [
            series("age", age, pl.Float64(), 0.1),
            series("marker", marker, pl.Float64(), 0.2),
            series("ward", ward, pl.String(), 0.1),
            series("grade", grade, pl.String(), 0.05),
            series("admitted", admitted, pl.Datetime("us"), 0.1),
            series("constant", np.ones(n), pl.Float64(), 0.0),
            series("never", np.ones(n), pl.Float64(), 1.0),
        ]
    )
    columns = [
        Column(name="age", kind="numeric"),
        Column(name="marker", kind="numeric"),
        Column(name="ward", kind="categorical", levels=tuple(sorted(set(ward.tolist())))),
        Column(name="grade", kind="ordinal", levels=("low", "middle", "high")),
        Column(name="admitted", kind="date"),
        Column(name="constant", kind="numeric"),
        Column(name="never", kind="numeric"),
    ]
    table = Table(frame, TableSchema(columns=tuple(columns)), "made", np.arange(n), n_read=n)
    return table, y, np.arange(n) // 2


def estimator(model: str) -> Any:
    overrides = [override for each in QUICK.values() for override in each]
    return MODELS.load(model)(parse_overrides(model, overrides, MODELS))


def fit(model: str, task: str, seed: int = 11) -> Fitted:
    table, y, groups = patients(task, 240, 1)
    return estimator(model).fit(table, y, TARGETS[task], groups=groups, seed=seed)


@cache
def fitted(model: str, task: str) -> Fitted:
    return fit(model, task)


def in_range(task: str, prediction: np.ndarray, n: int) -> None:
    assert prediction.dtype == np.float64
    assert np.isfinite(prediction).all()
    if task == "multiclass":
        assert prediction.shape == (n, 3)
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-6)
    else:
        assert prediction.shape == (n,)
    if task != "continuous":
        assert prediction.min() >= 0.0
        assert prediction.max() <= 1.0


@pytest.mark.parametrize(("model", "task"), CASES)
def test_it_learns_and_answers_in_range(model: str, task: str) -> None:
    fresh, y, _ = patients(task, 150, 2)
    prediction = fitted(model, task).predictor.predict(fresh.frame)
    in_range(task, prediction, 150)
    if task == "continuous":
        assert np.abs(prediction - y).mean() < 0.8 * np.abs(y - y.mean()).mean()
        return
    truth = prediction if task == "multiclass" else np.stack([1 - prediction, prediction], axis=1)
    own = -np.log(np.clip(truth[np.arange(150), y], 1e-12, 1)).mean()
    shares = np.bincount(y) / 150
    assert own < 0.95 * -np.log(shares[y]).mean()


@pytest.mark.parametrize(("model", "task"), CASES)
def test_what_is_stored_equals_what_was_fitted(model: str, task: str) -> None:
    predictor = fitted(model, task).predictor
    fresh = patients(task, 60, 3)[0].frame
    document, files = save_checked(predictor, fresh)
    loaded = load_predictor(json.loads(json.dumps(document, allow_nan=False)), files.__getitem__)
    np.testing.assert_allclose(loaded.predict(fresh), predictor.predict(fresh), rtol=1e-9, atol=1e-12)
    assert loaded.save() == (document, files)
    for name, content in files.items():
        assert name == Path(name).name
        assert name.endswith((".safetensors", ".onnx"))
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))  # a pickle


@pytest.mark.parametrize(("model", "task"), CASES)
def test_the_same_seed_gives_the_same_bytes(model: str, task: str) -> None:
    first, second = fitted(model, task), fit(model, task)
    assert first.predictor.save() == second.predictor.save()
    assert first.notes == second.notes


@pytest.mark.parametrize(("model", "task"), CASES)
def test_each_patient_is_answered_alone_and_in_any_order(model: str, task: str) -> None:
    predictor = fitted(model, task).predictor
    frame = patients(task, 12, 4)[0].frame
    together = predictor.predict(frame)
    np.testing.assert_allclose(predictor.predict(frame.reverse())[::-1], together, atol=1e-6)
    np.testing.assert_allclose(predictor.predict(frame.head(1)), together[:1], atol=1e-6)


@pytest.mark.parametrize(("model", "task"), CASES)
def test_odd_patients_still_get_an_answer(model: str, task: str) -> None:
    frame = patients(task, 4, 5)[0].frame
    odd = pl.concat(
        [
            frame.head(1).with_columns(
                pl.lit(None).cast(frame.schema[name]).alias(name) for name in frame.columns
            ),
            frame.head(1).with_columns(pl.lit("maternity").alias("ward")),
            frame.head(1).with_columns(pl.lit(1e30).alias("marker"), pl.lit(-1e30).alias("age")),
            frame.head(1).with_columns(pl.lit(7.0).alias("never"), pl.lit(9.0).alias("constant")),
        ]
    )
    in_range(task, fitted(model, task).predictor.predict(odd), 4)


@pytest.mark.parametrize("model", MODELS.names())
def test_no_rows_give_no_answers(model: str) -> None:
    frame = patients("binary", 4, 5)[0].frame.clear()
    assert fitted(model, "binary").predictor.predict(frame).shape == (0,)


@pytest.mark.parametrize("model", MODELS.names())
def test_predicting_needs_no_training_library(model: str, tmp_path: Path) -> None:
    document, files = fitted(model, "binary").predictor.save()
    frame = patients("binary", 5, 6)[0].frame
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "predictor.json").write_text(json.dumps(document))
    frame.write_parquet(tmp_path / "rows.parquet")
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "import polars as pl\n"
        "from iatros.learners.tabular.predictor import load_predictor\n"
        "folder = Path(sys.argv[1])\n"
        "document = json.loads((folder / 'predictor.json').read_text())\n"
        "predictor = load_predictor(document, lambda name: (folder / name).read_bytes())\n"
        "answer = predictor.predict(pl.read_parquet(folder / 'rows.parquet'))\n"
        "heavy = ('torch', 'sklearn', 'pandas', 'lightgbm', 'optuna', 'shap', 'onnx', 'scipy.stats')\n"
        "print(json.dumps({'answer': answer.tolist(), 'loaded': [n for n in heavy if n in sys.modules]}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert said["loaded"] == []
    np.testing.assert_allclose(said["answer"], fitted(model, "binary").predictor.predict(frame), atol=1e-9)


@pytest.mark.parametrize("model", MODELS.names())
def test_the_class_says_what_it_is(model: str) -> None:
    kind = MODELS.load(model)
    assert kind.name == model
    assert isinstance(kind.interpolates, bool)
    assert issubclass(kind.Params, ModelParams)
    assert kind().params == kind.Params()
    for name, field in kind.Params.model_fields.items():
        assert field.description, name
    with pytest.raises(ValueError, match="extra"):
        kind.Params(no_such_parameter=1)


@pytest.mark.parametrize("model", MODELS.names())
def test_tuning_draws_parameters_that_the_model_accepts(model: str) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kind = MODELS.load(model)
    base = kind.Params()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [kind.search_space(study.ask(), base) for _ in range(20)]
    for params in drawn:
        assert kind.Params(**params.model_dump()) == params
    assert len({params.model_dump_json() for params in drawn}) > 5
    assert base == kind.Params()


@pytest.mark.parametrize("model", MODELS.names())
def test_notes_are_plain_values(model: str) -> None:
    notes = fitted(model, "binary").notes
    assert json.loads(json.dumps(notes, allow_nan=False)) == notes
