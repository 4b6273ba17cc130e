"""From a table to a bundle and back: the whole of training, and what every later action makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.risk.conftest import make_cohort

from iatros.core.bundle import open_bundle, write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import SchemaError, SplitError, TableError
from iatros.core.metrics import evaluate as evaluate_metrics
from iatros.risk.explain import explain
from iatros.risk.external import evaluate
from iatros.risk.prediction import predict
from iatros.risk.recalibration import recalibrate
from iatros.risk.requests import (
    EvaluateRequest,
    ExplainRequest,
    PredictRequest,
    RecalibrateRequest,
    TrainRequest,
)
from iatros.risk.scoring import RiskModel
from iatros.risk.training import train

FIELDS = {
    "outcome": "died",
    "subject": "patient",
    "exclude": ("days", "site", "visit"),
    "model": "logistic",
    "instability": 2,
    "bootstraps": 10,
}


def trained(frame: pl.DataFrame, **fields) -> Produced:
    return train(TrainRequest(table=frame, **{**FIELDS, **fields}), Context())


@pytest.fixture(scope="module")
def produced() -> Produced:
    return trained(make_cohort(), subgroup="sex,age_band")


@pytest.fixture(scope="module")
def bundle(produced: Produced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(produced.bundle, tmp_path_factory.mktemp("bundles") / "cohort")


@pytest.fixture(scope="module")
def patients() -> pl.DataFrame:
    return make_cohort(80, seed=99)


def features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("age", "sex", "marker", "ward", "noise")


def test_everything_that_a_training_yields_is_there(produced: Produced) -> None:
    result = produced.result
    for part in (
        "metrics", "models", "splits", "flow", "table_one", "curves", "thresholds", "subgroups", "calibration",
        "conformal", "explanation", "instability", "sample_size", "leakage", "data", "schema", "request", "versions",
    ):  # fmt: skip
        assert result[part], part
    assert json.loads(json.dumps(result)) == result
    auroc = result["metrics"]["held_out"]["auroc"]
    assert set(auroc) >= {"value", "low", "high", "n", "n_events", "interval"}
    assert auroc["low"] <= auroc["value"] <= auroc["high"]
    assert 0.65 < auroc["value"] < 0.95


def test_the_held_out_metrics_are_those_of_the_stored_model(produced: Produced, bundle: Path) -> None:
    """Recomputed from the bundle on disk and the rows that the run held out."""
    from iatros.risk.study import open_study
    from iatros.risk.validation import outer_sides

    request = TrainRequest(table=make_cohort(), **FIELDS)
    study = open_study(request)
    rows = outer_sides(study, request)["held_out"]
    model = RiskModel.from_bundle(open_bundle(bundle))
    again = evaluate_metrics(study.target, study.y[rows], model.predict(study.features.take(rows).frame))
    for name in ("auroc", "brier", "calibration_slope"):
        assert produced.result["metrics"]["held_out"][name]["value"] == pytest.approx(
            again[name].value, abs=1e-9
        )


def test_the_same_request_gives_the_same_manifest_and_bytes(produced: Produced) -> None:
    again = trained(make_cohort(), subgroup="sex,age_band")
    assert again.bundle.files == produced.bundle.files
    strip = {key: value for key, value in again.bundle.manifest.items() if key != "created"}
    assert strip == {key: value for key, value in produced.bundle.manifest.items() if key != "created"}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"held_out_fraction": 0.35},
        {"exclude": ("days", "site", "visit", "marker")},
        {"features": ("age", "marker")},
        {"keep": ("ward!=high",)},
        {"calibration": "slope"},
        {"coverage": 0.8},
        {"confidence_level": 0.8},
        {"param": ("logistic.C=0.01",)},
        {"impute": "simple", "param": ("logistic.C=0.1",)},
        {"missing": ("high",)},
        {"subject": None, "exclude": ("days", "site", "visit", "patient")},
        {"positive": "no"},
        {"model": ("svm",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_that_should_change_the_answer_does(produced: Produced, change: dict) -> None:
    other = trained(make_cohort(), **change)
    assert other.result["metrics"]["held_out"] != produced.result["metrics"]["held_out"] or (
        other.result["conformal"] != produced.result["conformal"]
    )


@pytest.mark.parametrize(
    ("fields", "metric", "shape"),
    [
        ({"outcome": "ward", "exclude": ("days", "site", "visit", "died")}, "auroc", (3,)),
        ({"outcome": "days", "exclude": ("died", "site", "visit"), "target_transform": "log"}, "mae", ()),
    ],
)
def test_other_kinds_of_outcome(fields: dict, metric: str, shape: tuple, tmp_path: Path) -> None:
    frame = make_cohort()
    made = trained(frame, **fields)
    assert made.result["metrics"]["held_out"][metric]["low"] is not None
    path = write_bundle(made.bundle, tmp_path / "bundle")
    answers = predict(
        PredictRequest(model=path, table=frame.head(7).drop(fields["outcome"])), Context()
    ).result["predictions"]
    assert len(answers) == 7
    if shape:
        total = [
            sum(value for key, value in row.items() if key.startswith("probability_")) for row in answers
        ]
        assert total == pytest.approx([1.0] * 7)
    else:
        assert all(row["low"] < row["prediction"] < row["high"] for row in answers)
        assert made.result["metrics"]["held_out"]["r2"]["value"] > 0.3


def test_an_all_missing_column_is_an_answer(bundle: Path) -> None:
    empty = make_cohort().with_columns(lactate=pl.lit(None, dtype=pl.Float64))
    made = trained(empty)
    assert any("lactate" in note for note in made.result["notes"])
    assert made.result["metrics"]["held_out"]["auroc"]["value"] > 0.6


def test_prediction_equals_the_model_row_by_row_in_any_order(bundle: Path, patients: pl.DataFrame) -> None:
    table = features(patients)
    whole = predict(PredictRequest(model=bundle, table=table), Context()).result
    risks = [row["risk"] for row in whole["predictions"]]
    assert whole["n"] == len(risks) == patients.height
    one = predict(PredictRequest(model=bundle, table=table[5]), Context()).result["predictions"][0]["risk"]
    assert one == pytest.approx(risks[5], abs=1e-12)
    turned = predict(
        PredictRequest(model=bundle, table=table.reverse().select(table.columns[::-1])), Context()
    ).result
    assert [row["risk"] for row in turned["predictions"]] == pytest.approx(risks[::-1], abs=1e-12)


def test_frames_files_and_rows_are_answered_alike(
    bundle: Path, patients: pl.DataFrame, tmp_path: Path
) -> None:
    table = features(patients)
    table.write_csv(tmp_path / "patients.csv")
    table.write_parquet(tmp_path / "patients.parquet")
    forms = [
        table,
        table.to_pandas(),
        tmp_path / "patients.csv",
        tmp_path / "patients.parquet",
        table.to_dicts(),
    ]
    answers = [
        predict(PredictRequest(model=bundle, table=form), Context()).result["predictions"] for form in forms
    ]
    for other in answers[1:]:
        assert [row["risk"] for row in other] == pytest.approx([row["risk"] for row in answers[0]], abs=1e-9)


def test_unusual_patients_are_flagged_and_still_answered(bundle: Path, patients: pl.DataFrame) -> None:
    odd = (
        features(patients)
        .head(3)
        .with_columns(age=pl.Series([240.0, 60.0, 60.0]), ward=pl.Series(["mid", "attic", "mid"]))
    )
    found = predict(PredictRequest(model=bundle, table=odd), Context()).result
    assert "age 240" in found["predictions"][0]["flags"]
    assert "attic" in found["predictions"][1]["flags"]
    assert found["predictions"][2]["flags"] == ""
    assert found["n_flagged"] == 2


def test_subject_is_carried_over(bundle: Path, patients: pl.DataFrame) -> None:
    table = features(patients).with_columns(patient=patients["patient"])
    found = predict(PredictRequest(model=bundle, table=table, subject="patient"), Context())
    assert found.table["subject"] == patients["patient"].to_list()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda frame: frame.drop("age"), SchemaError, "age"),
        (lambda frame: frame.with_columns(extra=pl.lit(1)), SchemaError, "extra"),
        (lambda frame: frame.with_columns(age=pl.lit("old")), SchemaError, "age"),
        (lambda frame: frame.head(0), TableError, "row"),
        (lambda frame: frame.with_columns(age=pl.lit(float("inf"))), TableError, "infinite"),
    ],
)
def test_a_table_of_another_form_is_refused(
    bundle: Path, patients: pl.DataFrame, change, error, words
) -> None:
    with pytest.raises(error, match=words):
        predict(PredictRequest(model=bundle, table=change(features(patients))), Context())


def test_predict_needs_no_training_library(bundle: Path, patients: pl.DataFrame, tmp_path: Path) -> None:
    features(patients).write_csv(tmp_path / "patients.csv")
    code = (
        "import sys\n"
        "from iatros.app import risk\n"
        f"risk.predict({str(bundle)!r}, {str(tmp_path / 'patients.csv')!r})\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'lightgbm', 'shap', 'optuna', 'scipy.stats'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_external_evaluation_agrees_with_scikit_learn(bundle: Path) -> None:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    other = make_cohort(300, seed=41)
    found = evaluate(EvaluateRequest(model=bundle, table=other, subject="patient", subgroup="sex"), Context())
    risks = [
        row["risk"]
        for row in predict(PredictRequest(model=bundle, table=features(other)), Context()).result[
            "predictions"
        ]
    ]
    y = (other["died"] == "yes").to_numpy()
    metrics = found.result["metrics"]["external"]
    assert metrics["auroc"]["value"] == pytest.approx(roc_auc_score(y, risks))
    assert metrics["brier"]["value"] == pytest.approx(brier_score_loss(y, risks))
    assert "bootstrap" in metrics["auroc"]["interval"]
    assert set(found.result["subgroups"]["sex"]["levels"]) == {"f", "m"}
    assert len(found.result["thresholds"]) == 3
    assert b"<html" in found.documents["report.html"]


def test_recalibration_moves_the_mean_and_names_its_parent(bundle: Path, tmp_path: Path) -> None:
    """Local patients have the event far more often; the intercept must follow, the ranking must not change."""
    local = make_cohort(400, seed=77)
    keep = np.random.default_rng(0).random(local.height) < np.where(local["died"] == "yes", 1.0, 0.35)
    local = local.filter(pl.Series(keep))
    made = recalibrate(
        RecalibrateRequest(model=bundle, table=local, method="intercept", subject="patient"), Context()
    )
    before, after = (made.result["metrics"][side] for side in ("local_before", "local_after"))
    assert before["oe_ratio"]["value"] > 1.3
    assert after["oe_ratio"]["value"] == pytest.approx(1.0, abs=0.06)
    child = write_bundle(made.bundle, tmp_path / "local")
    parent = open_bundle(bundle)
    assert open_bundle(child).manifest["parent"] == parent.parent_reference
    table = features(local)
    old, new = (
        np.array(
            [
                row["risk"]
                for row in predict(PredictRequest(model=path, table=table), Context()).result["predictions"]
            ]
        )
        for path in (bundle, child)
    )
    assert np.array_equal(np.argsort(old, kind="stable"), np.argsort(new, kind="stable"))
    assert new.mean() > old.mean()


def test_recalibration_needs_enough_patients_of_every_class(bundle: Path) -> None:
    few = make_cohort(12, seed=5)
    with pytest.raises(SplitError, match="at least 30 patients"):
        recalibrate(RecalibrateRequest(model=bundle, table=few), Context())
    one = make_cohort(200, seed=5).filter(pl.col("died") == "no")
    with pytest.raises(SplitError, match="every class"):
        recalibrate(RecalibrateRequest(model=bundle, table=one), Context())


def test_contributions_add_up_to_the_prediction(bundle: Path, patients: pl.DataFrame) -> None:
    found = explain(ExplainRequest(model=bundle, table=features(patients), row=4), Context()).result
    model = RiskModel.from_bundle(open_bundle(bundle))
    raw = model.raw(features(patients))[4]
    total = found["base"] + sum(entry["contribution"] for entry in found["contributions"]) + found["rest"]
    assert total == pytest.approx(np.log(raw / (1 - raw)), abs=1e-6)


def test_the_cohort_explanation_ranks_the_true_cause_first(bundle: Path, patients: pl.DataFrame) -> None:
    found = explain(ExplainRequest(model=bundle, table=features(patients)), Context()).result
    assert found["importance"][0]["column"] == "marker"
    assert found["importance"][-1]["mean_absolute"] < found["importance"][0]["mean_absolute"] / 3


def test_no_patient_can_be_read_off_the_bundle(produced: Produced) -> None:
    """No row of the table stands in the background, and no patient's name in any file."""
    frame = make_cohort()
    background = json.loads(produced.bundle.files["background.json"])
    rows = {tuple(row) for row in features(frame).drop_nulls().iter_rows()}
    kept = zip(*(background[name] for name in ("age", "sex", "marker", "ward", "noise")), strict=True)
    assert not rows & set(kept)
    everything = b"".join([*produced.bundle.files.values(), *produced.bundle.documents.values()])
    assert b"p0001" not in everything + json.dumps(produced.bundle.manifest).encode()


def test_the_leak_is_named_and_can_be_left_out() -> None:
    frame = make_cohort(500).with_columns(
        discharge_note=pl.when(pl.col("died") == "yes").then(1.0).otherwise(0.0)
    )
    kept = trained(frame).result
    suspects = {name for suspect in kept["leakage"]["suspects"] for name in suspect["columns"]}
    assert suspects == {"discharge_note"}
    assert kept["metrics"]["held_out"]["auroc"]["value"] > 0.99
    dropped = trained(frame, drop_suspects=True).result
    assert dropped["metrics"]["held_out"]["auroc"]["value"] < 0.95
    assert any("discharge_note" in note for note in dropped["notes"])
