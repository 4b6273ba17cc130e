"""External validation: a bundle judged on compounds that were measured elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.molecules.series import compounds

from iatros.app import execute
from iatros.core.context import Context
from iatros.core.errors import OutcomeError, RequestError, UnknownNameError
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.external import evaluate
from iatros.molecules.prediction import predict
from iatros.molecules.requests import PredictRequest, TrainRequest

PARAM = ("forest.n_estimators=10", "forest.n_bits=256")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle of p values, and one of classes that a threshold makes of them."""
    folder = tmp_path_factory.mktemp("bundles")
    fields: dict[str, Any] = {
        "model": "forest", "param": PARAM, "inner_folds": 2, "y_scrambling": 0, "validation": "random", "unit": "p",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        for name, positive in (("numbers", None), ("classes", ">=7")):
            request = TrainRequest(compounds=compounds(70), outcome="y", positive=positive, **fields)
            execute("molecules", "train", request, out=folder / name, engine="serial")
    return {"numbers": folder / "numbers", "classes": folder / "classes"}


def others() -> list[dict[str, Any]]:
    """Thirty compounds that were not learned from."""
    return compounds(100)[70:]


def judged(bundle: Path, rows: Any = None, **fields: Any) -> dict[str, Any]:
    """The result of an evaluation."""
    request = EvaluateRequest(model=bundle, compounds=others() if rows is None else rows, **fields)
    return evaluate(request, Context()).result


def test_metrics_are_those_of_the_predictions(bundles):
    result = judged(bundles["numbers"])
    table = predict(PredictRequest(model=bundles["numbers"], compounds=others()), Context()).table
    error = np.array(table["prediction"]) - np.array([row["y"] for row in others()])
    metrics = result["metrics"]["external"]
    assert metrics["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert metrics["mae"]["value"] == pytest.approx(np.mean(np.abs(error)))
    held = [
        low <= row["y"] <= high for low, high, row in zip(table["low"], table["high"], others(), strict=True)
    ]
    conformal = result["by_endpoint"]["y"]["conformal"]
    assert conformal["coverage"]["value"] == pytest.approx(np.mean(held))
    assert conformal["confidence_level"] == 0.9
    assert result["parent"]["name"] == "numbers"
    json.dumps(result, allow_nan=False)


def test_measurements_in_another_column_and_unit_are_brought_to_the_scale_of_training(bundles):
    rows = [{"smiles": row["smiles"], "IC50": 10 ** (9 - row["y"])} for row in others()]
    result = judged(bundles["numbers"], rows, outcome="IC50", unit="nM")
    same = judged(bundles["numbers"])
    assert result["endpoints"][0]["name"] == "y"
    assert result["metrics"]["external"]["rmse"]["value"] == pytest.approx(
        same["metrics"]["external"]["rmse"]["value"], abs=1e-5
    )


def test_classes_are_those_of_training(bundles):
    result = judged(bundles["classes"])
    assert result["endpoints"][0]["classes"] == ["<7", ">=7"]
    n_active = sum(row["y"] >= 7 for row in others())
    assert result["metrics"]["external"]["auroc"]["n_events"] == n_active
    table = result["by_endpoint"]["y"]["thresholds"]
    assert {row["name"] for row in table} == {"sensitivity 0.95", "sensitivity 0.90", "youden"}


def test_compounds_of_one_class_are_answered_but_not_judged(bundles):
    result = judged(bundles["classes"], [row for row in others() if row["y"] < 7])
    assert result["by_endpoint"] == {}
    auroc = result["metrics"]["external"]["auroc"]
    assert auroc["value"] is None
    assert auroc["interval"].startswith("not defined")


def test_the_report_is_written_beside_the_result(bundles, tmp_path: Path):
    request = EvaluateRequest(model=bundles["numbers"], compounds=others())
    execute("molecules", "evaluate", request, out=tmp_path / "out", engine="serial")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "result.json"}
    assert "see the report of the training" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"outcome": "nothing"}, UnknownNameError, "nothing"),
        ({"outcome": "y,active"}, RequestError, "1 endpoint"),
        ({"outcome": "active"}, OutcomeError, "no compound has a value"),
    ],
    ids=str,
)
def test_what_cannot_be_judged_says_why(bundles, fields, error, said):
    with pytest.raises(error) as raised:
        judged(bundles["numbers"], **fields)
    assert said in str(raised.value)


def test_each_field_changes_the_result(bundles):
    plain = judged(bundles["numbers"])["metrics"]["external"]["rmse"]
    seeded = judged(bundles["numbers"], seed=1)["metrics"]["external"]["rmse"]
    narrow = judged(bundles["numbers"], confidence_level=0.6)["metrics"]["external"]["rmse"]
    assert plain["value"] == seeded["value"] == narrow["value"]
    assert plain["low"] != seeded["low"]
    assert plain["low"] < narrow["low"] < narrow["high"] < plain["high"]
    rows = [{**row, "sign": ">" if k % 2 else "="} for k, row in enumerate(others())]
    assert judged(bundles["numbers"], rows, relation="sign")["metrics"]["external"]["rmse"]["n"] == 15


def test_compounds_that_were_learned_from_are_counted_and_said(bundles):
    """Of the seventy that were trained on a fifth was held out; fingerprints tell the others again."""
    again = judged(bundles["numbers"], compounds(70))
    near = again["near_duplicates"]
    assert near["n_test"] == 70
    assert near["n_identical"] >= 56
    assert near["n_near"] == sum(near["histogram"]["counts"][9:])
    assert any("have the fingerprint of one that the model learned" in note for note in again["notes"])


def test_new_compounds_are_not_said_to_be_known(bundles):
    result = judged(bundles["numbers"])
    assert result["near_duplicates"]["n_identical"] == 0
    assert not any("fingerprint" in note for note in result["notes"])
