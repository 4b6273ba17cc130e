"""Predicting from a bundle: one row for each line, in order, with nothing heavy imported."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.molecules.series import compounds

from iatros.app import execute
from iatros.app.python import workbench
from iatros.cli.entry import run
from iatros.core.bundle import open_bundle
from iatros.core.context import Context
from iatros.core.errors import BundleError, TableError
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.prediction import predict
from iatros.molecules.requests import PredictRequest, TrainRequest
from iatros.molecules.scoring import ActivityModel, predict_with_spread
from iatros.server import create_app

LINES = ["Cc1ccccc1", "aspirin", "CCOc1ccncc1", "[Na+].[Cl-]", "Cc1ccccc1", "CC(=O)[O-].[Na+]"]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle of numbers (an ensemble), one of classes, and one of two endpoints."""
    folder = tmp_path_factory.mktemp("bundles")
    quick: dict[str, Any] = {"inner_folds": 2, "y_scrambling": 0, "validation": "random"}
    param = ("forest.n_estimators=10", "forest.n_bits=256")
    rows = [{**row, "z": 10 - row["y"]} for row in compounds()]
    asked = {
        "numbers": {"outcome": "y", "model": "ensemble", "param": (*param, "ensemble.members=forest,svm")},
        "classes": {"outcome": "active", "model": "forest", "param": param},
        "two": {"outcome": "y,z", "model": "forest", "param": param},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        for name, fields in asked.items():
            request = TrainRequest(compounds=rows, **quick, **fields)
            execute("molecules", "train", request, out=folder / name, engine="serial")
    return {name: folder / name for name in asked}


def asked(bundle: Path, lines: Any = None, **fields: Any) -> Any:
    """The table and the result of a prediction."""
    request = PredictRequest(model=bundle, compounds=LINES if lines is None else lines, **fields)
    return predict(request, Context())


def test_each_line_ends_as_answered_or_refused_in_its_order(bundles):
    produced = asked(bundles["numbers"])
    table = produced.table
    assert table["line"] == [1, 2, 3, 4, 5, 6]
    assert table["status"] == ["answered", "refused", "answered", "refused", "answered", "answered"]
    assert table["reason"][1].startswith("a name or identifier")
    assert table["reason"][3] == "no organic fragment"
    assert table["smiles"][5] == "CC(=O)O", "standardised as in training"
    assert table["prediction"][0] == table["prediction"][4]
    assert [table["prediction"][k] for k in (1, 3)] == [None, None]
    assert all(table["low"][k] < table["prediction"][k] < table["high"][k] for k in (0, 2, 4, 5))
    assert all(table["spread"][k] > 0 for k in (0, 2, 5))
    counts = [produced.result[name] for name in ("n_lines", "n_answered", "n_refused")]
    assert counts == [6, 4, 2]
    assert produced.result["predictions"][2]["prediction"] == table["prediction"][2]


def test_the_answer_for_a_compound_does_not_depend_on_the_others(bundles):
    alone = [asked(bundles["numbers"], [line]).table["prediction"][0] for line in (LINES[0], LINES[2])]
    together = asked(bundles["numbers"]).table["prediction"]
    assert alone == pytest.approx([together[0], together[2]], abs=1e-6)


def test_the_stored_model_answers_as_the_trained_one_was_judged(bundles):
    rows = {row["id"]: row for row in compounds()}
    bundle = open_bundle(bundles["numbers"])
    points = json.loads(bundle.read("evidence.json"))["by_endpoint"]["y"]["curves"]["points"]
    answers = asked(bundles["numbers"], list(rows.values())).table
    predicted = {
        round(row["y"], 3): value for row, value in zip(rows.values(), answers["prediction"], strict=True)
    }
    found = [predicted[round(y, 3)] for y in points["observed"]]
    same = np.isclose(found, points["predicted"], atol=1e-6)
    assert same.mean() > 0.9, "values that stand twice in the data may be another compound's"


def test_probabilities_and_sets_of_classes(bundles):
    table = asked(bundles["classes"]).table
    answered = [k for k, status in enumerate(table["status"]) if status == "answered"]
    assert all(0 <= table["probability"][k] <= 1 for k in answered)
    assert {table["conformal_set"][k] for k in answered} <= {"", "no", "yes", "no | yes"}


def test_columns_of_several_endpoints_begin_with_their_names(bundles):
    table = asked(bundles["two"]).table
    assert {"y_prediction", "y_low", "z_prediction", "z_spread"} <= set(table)
    assert table["y_prediction"][0] + table["z_prediction"][0] == pytest.approx(10, abs=0.5)


def test_compounds_of_another_kind_lie_outside_and_can_be_left_without_an_answer(bundles):
    strange = ["FC(F)(F)C(F)(F)C(F)(F)C(F)(F)F", "Cc1ccccc1"]
    plain = asked(bundles["numbers"], strange)
    assert plain.table["in_domain"] == [False, True]
    assert plain.table["prediction"][0] is not None
    assert plain.result["n_outside_domain"] == 1
    careful = asked(bundles["numbers"], strange, abstain=True)
    assert careful.table["status"] == ["refused", "answered"]
    assert careful.table["reason"][0].startswith("outside the domain of applicability: unlike the compounds")
    assert careful.table["prediction"][0] is None
    assert careful.result["n_outside_domain"] == 0


def test_a_file_without_any_compound_that_can_be_read_has_reasons_and_no_answers(bundles):
    table = asked(bundles["numbers"], ["aspirin", "C(C"]).table
    assert table["status"] == ["refused", "refused"]
    assert table["prediction"] == [None, None]


def test_blank_lines_are_said_to_be_blank(bundles, tmp_path: Path):
    path = tmp_path / "library.smi"
    path.write_text("Cc1ccccc1 toluene\n\nCO\n")
    produced = asked(bundles["numbers"], path)
    assert produced.table["line"] == [1, 2, 3]
    assert produced.table["name"] == ["toluene", "", ""]
    assert produced.table["reason"] == [None, "the line is blank", None]
    (tmp_path / "empty.smi").write_text("\n\n")
    with pytest.raises(TableError, match="holds no compounds"):
        asked(bundles["numbers"], tmp_path / "empty.smi")


def test_the_table_on_disk_has_a_row_for_each_line(bundles, tmp_path: Path):
    request = PredictRequest(model=bundles["numbers"], compounds=LINES)
    execute("molecules", "predict", request, out=tmp_path / "answers.csv", engine="serial")
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["line"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[1]["prediction"] == ""


def test_a_bundle_that_is_not_about_activity_is_refused(bundles, tmp_path: Path, bundle: Path):
    with pytest.raises(BundleError, match="answers questions of clinic"):
        asked(bundle)


def test_nothing_heavy_is_imported_to_predict(bundles):
    code = (
        "import sys\n"
        "from iatros.core.context import Context\n"
        "from iatros.molecules.prediction import predict\n"
        "from iatros.molecules.requests import PredictRequest\n"
        f"predict(PredictRequest(model={str(bundles['numbers'])!r}, compounds=['CCO', 'Cc1ccccc1']), Context())\n"
        "heavy = {'torch', 'sklearn', 'lightgbm', 'pandas', 'chemprop', 'lightning'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().splitlines()[-1] == "[]"


def test_the_spread_is_that_of_the_fits_and_the_disagreement_that_of_the_members(bundles):
    model = ActivityModel.from_bundle(open_bundle(bundles["numbers"]))
    asked_about = Compounds(["Cc1ccccc1", "CCOc1ccncc1", "CC(=O)O"])
    value, spread, disagreement = predict_with_spread(model.predictor, asked_about)
    assert value == pytest.approx(model.predictor.predict(asked_about))
    forest, svm = (member.parts(asked_about) for member in model.predictor.members)
    weights, intercept = model.predictor.weights[:, 0], model.predictor.intercept[0]
    fits = weights[0] * forest[:, :, 0] + weights[1] * svm[:, :, 0] + intercept
    assert spread[:, 0] == pytest.approx(fits.std(axis=0))
    assert disagreement[:, 0] == pytest.approx(np.abs(forest.mean(axis=0) - svm.mean(axis=0))[:, 0] / 2)


def test_python_the_command_line_and_http_give_the_same_answers(bundles, tmp_path: Path):
    library = tmp_path / "library.smi"
    library.write_text("\n".join(LINES) + "\n")
    for name in ("numbers", "classes"):
        by_python = workbench("molecules").predict(bundles[name], LINES, engine="serial")
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = run(
                ["molecules", "predict", str(bundles[name]), str(library), "--json", "--engine", "serial"]
            )
        assert code == 0
        client = TestClient(
            create_app(bundles[name].parent, "a-key-of-tests"), headers={"X-API-Key": "a-key-of-tests"}
        )
        by_http = client.post("/molecules/predict", json={"model": name, "compounds": LINES})
        assert by_http.status_code == 200
        answers = [by_python, json.loads(out.getvalue()), by_http.json()]
        assert answers[0]["predictions"] == answers[1]["predictions"] == answers[2]["predictions"]
        assert len({answer["bundle_sha256"] for answer in answers}) == 1
