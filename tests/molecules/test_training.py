"""Training as a whole: the bundle, its evidence, and the procedure behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.molecules.series import compounds

from iatros.app import execute
from iatros.core.bundle import BundleDraft, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError, RequestError, UnknownNameError
from iatros.core.request import build
from iatros.molecules import development
from iatros.molecules.requests import TrainRequest
from iatros.molecules.training import train

QUICK: dict[str, Any] = {
    "model": "forest",
    "param": ("forest.n_estimators=10", "forest.n_bits=256"),
    "inner_folds": 2,
    "y_scrambling": 0,
}


def trained(rows: Any = None, context: Context | None = None, **fields: Any) -> Produced:
    """A quick training on made-up series; `fields` over those of QUICK."""
    asked = {"compounds": compounds() if rows is None else rows, "outcome": "y", **QUICK, **fields}
    return train(TrainRequest(**asked), context or Context())


def draft(produced: Produced) -> BundleDraft:
    """The bundle that was made."""
    assert produced.bundle is not None
    return produced.bundle


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Produced:
    """One endpoint of numbers, scaffolds held out, the check by chance included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(tmp_path_factory.mktemp("home")))
        return trained(y_scrambling=19)


def test_the_result_has_every_part(regression):
    result = regression.result
    metrics = result["metrics"]["held_out"]
    assert result["model"] == "forest"
    assert result["task"] == "continuous"
    assert metrics["rmse"]["low"] < metrics["rmse"]["value"] < metrics["rmse"]["high"]
    assert metrics["rmse"]["interval"].startswith("bootstrap over")
    assert metrics["rmse"]["interval"].endswith("scaffolds")
    assert result["endpoint_metrics"] == {"y": metrics}
    sizes = {name: side["n_rows"] for name, side in result["splits"].items()}
    assert sum(sizes.values()) == result["data"]["n_used"] == 90
    assert (
        metrics["rmse"]["n"]
        == sizes["held_out"]
        == len(result["by_endpoint"]["y"]["curves"]["points"]["observed"])
    )
    assert 0 <= result["by_endpoint"]["y"]["conformal"]["coverage"]["value"] <= 1
    assert result["near_duplicates"]["n_test"] == sizes["held_out"]
    domain = result["domain_of_applicability"]
    assert domain["inside"]["n"] + domain["outside"]["n"] == sizes["held_out"]
    json.dumps(result, allow_nan=False)


def test_real_outcomes_are_predicted_better_than_shuffled_ones(regression):
    found = regression.result["y_scrambling"]
    assert found["n"] == 19
    assert found["p_value"] == pytest.approx(0.05)
    assert found["score"] < 0.9 < found["mean_permuted"]


def test_the_bundle_holds_the_evidence_and_the_documents(regression):
    made = draft(regression)
    assert {"report.html", "model_card.md"} == set(made.documents)
    assert made.documents["report.html"].startswith(b"<!DOCTYPE html>")
    kept = json.loads(made.files["evidence.json"])
    assert set(kept) & set(made.manifest) == set()
    assert {*kept, *made.manifest} >= set(regression.result)
    assert made.manifest["endpoints"] == [{"name": "y", "task": "continuous", "classes": [], "unit": None}]


def test_the_same_seed_gives_the_same_bundle_and_another_seed_does_not():
    first, again, other = (draft(trained(seed=seed)) for seed in (3, 3, 4))
    assert first.files == again.files
    assert {**first.manifest, "created": None} == {**again.manifest, "created": None}
    assert first.documents == again.documents
    assert first.files != other.files


def test_the_command_line_and_worker_processes_give_the_same_bundle(tmp_path: Path):
    request = TrainRequest(compounds=compounds(), outcome="y", **QUICK)
    for name, engine in (("serial", "serial"), ("processes", "processes")):
        execute("molecules", "train", request, out=tmp_path / name, engine=engine)
    one, two = (open_bundle(tmp_path / name).manifest for name in ("serial", "processes"))
    assert {**one, "created": None} == {**two, "created": None}


def test_a_killed_run_is_taken_up_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fields = {"model": "forest,svm"}
    whole = draft(trained(**fields))
    real, called = development.cross_fit, []

    def dies_in_the_second(estimator: Any, *args: Any, **more: Any) -> Any:
        called.append(estimator.name)
        if len(called) == 2:
            raise KeyboardInterrupt
        return real(estimator, *args, **more)

    monkeypatch.setattr(development, "cross_fit", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        trained(context=Context(checkpoint=tmp_path), **fields)
    resumed = draft(trained(context=Context(checkpoint=tmp_path), **fields))
    assert called == ["forest", "svm", "svm"]
    assert resumed.files == whole.files
    assert {**resumed.manifest, "created": None} == {**whole.manifest, "created": None}


def test_members_of_the_ensemble_are_fitted_once_and_weighed(monkeypatch: pytest.MonkeyPatch):
    real, called = development.cross_fit, []

    def counted(estimator: Any, *args: Any, **more: Any) -> Any:
        called.append(estimator.name)
        return real(estimator, *args, **more)

    monkeypatch.setattr(development, "cross_fit", counted)
    params = (*QUICK["param"], "ensemble.members=forest,svm")
    result = trained(model="ensemble,svm", param=params).result
    assert sorted(called) == ["forest", "svm"]
    models = {entry["name"]: entry for entry in result["models"]}
    assert set(models) == {"ensemble", "svm", "forest"}
    weights = models["ensemble"]["notes"]["weights"]
    assert sum(each[0] for each in weights.values()) == pytest.approx(1.0, abs=1e-5)
    assert models["forest"]["candidate"] is False
    assert models["forest"]["difference_to_baseline"] is None
    assert models["svm"]["difference_to_baseline"]["baseline"] == "forest"
    assert models["svm"]["difference_to_baseline"]["value"] == pytest.approx(
        models["svm"]["metrics"]["held_out"]["rmse"]["value"]
        - models["forest"]["metrics"]["held_out"]["rmse"]["value"]
    )
    best = min(("ensemble", "svm"), key=lambda name: models[name]["tuning_score"]["value"])
    assert result["model"] == best


def test_classes_have_thresholds_sets_and_early_recognition():
    result = trained(outcome="active", validation="random").result
    metrics = result["metrics"]["held_out"]
    assert result["endpoints"][0]["classes"] == ["no", "yes"]
    assert metrics["auroc"]["value"] > 0.8
    assert metrics["enrichment_factor"]["value"] > 1
    assert [cut["name"] for cut in result["chosen_thresholds"]["active"]] == [
        "sensitivity 0.95", "sensitivity 0.90", "youden",
    ]  # fmt: skip
    table = result["by_endpoint"]["active"]["thresholds"]
    assert all(row["tp"] + row["fn"] == metrics["auroc"]["n_events"] for row in table)
    assert set(result["by_endpoint"]["active"]["conformal"]["by_class"]) == {"no", "yes"}


def test_endpoints_are_learned_together_with_gaps():
    rows = [
        {"smiles": row["smiles"], "a": row["y"] if k % 3 else "", "b": -row["y"] if k % 4 else ""}
        for k, row in enumerate(compounds())
    ]
    result = trained(rows, outcome="a,b", validation="random").result
    assert list(result["endpoint_metrics"]) == ["a", "b"]
    assert result["target"]["name"] == "2 endpoints"
    metrics = result["metrics"]["held_out"]
    assert "rmse" not in metrics, "errors of endpoints without a unit are not averaged"
    assert metrics["relative_rmse"]["interval"].endswith("mean of 2 endpoints")
    each = [result["endpoint_metrics"][name]["spearman"]["value"] for name in "ab"]
    assert metrics["spearman"]["value"] == pytest.approx(np.mean(each))
    assert [row["n_values"] for row in result["measured"]] == [60, 67]


def test_bounds_are_learned_from_and_enter_the_concordance_alone():
    rows = [
        {**row, "y": f">{row['y'] - 0.5}" if k % 5 == 0 else row["y"]} for k, row in enumerate(compounds())
    ]
    result = trained(rows, validation="random", unit="p").result
    n_judged = result["splits"]["held_out"]["n_rows"]
    n_exact = result["metrics"]["held_out"]["rmse"]["n"]
    assert 0 < n_exact < n_judged
    assert result["measured"][0]["n_bounds"] == 18
    assert any(f"{n_judged - n_exact:,} of {n_judged:,} judged compounds" in note for note in result["notes"])


def test_every_compound_is_judged_once_in_cross_validation():
    result = trained(folds=3).result
    assert result["headline_split"] == "cross_validation"
    assert result["metrics"]["cross_validation"]["rmse"]["n"] == 90
    assert result["splits"]["development"]["n_rows"] == 90
    assert result["near_duplicates"]["n_test"] == sum(result["near_duplicates"]["histogram"]["counts"]) == 90


@pytest.mark.parametrize("noise", range(2))
def test_nothing_leaks_from_outcomes_that_mean_nothing(noise: int):
    """Predictions for unseen compounds, calibrated and weighed, must be no better than a coin."""
    draw = np.random.default_rng(noise)
    rows = [{**row, "active": "yes" if draw.random() < 0.5 else "no"} for row in compounds(100)]
    result = trained(rows, outcome="active", folds=5, validation="random").result
    auroc = result["metrics"]["cross_validation"]["auroc"]
    assert auroc["low"] < 0.5 < auroc["high"] + 0.1
    assert auroc["value"] < 0.68


def test_fingerprints_of_the_training_compounds_can_be_left_out():
    kept, left_out = (draft(trained(keep_fingerprints=keep)) for keep in (True, False))
    words = "fingerprints of"
    assert any(words in note for note in kept.manifest["notes"])
    assert not any(words in note for note in left_out.manifest["notes"])
    sizes = [len(one.files["calibration.safetensors"]) for one in (kept, left_out)]
    assert sizes[0] > sizes[1] + 256 * 50  # 2048 bits are 256 bytes, of more than fifty compounds


EFFECTS = [
    {"validation": "random"},
    {"validation": "cluster", "cluster_similarity": 0.3},
    {"validation": "time", "time": "year"},
    {"validation": "given", "split": "side"},
    {"folds": 2},
    {"held_out_fraction": 0.4},
    {"inner_folds": 3},
    {"calibration": "slope"},
    {"coverage": 0.6},
    {"confidence_level": 0.6},
    {"y_scrambling": 2},
    {"param": ("forest.n_estimators=12",)},
    {"model": "svm"},
    {"unit": "nM"},
    {"positive": ">=7"},
]


@pytest.mark.parametrize("fields", EFFECTS, ids=str)
def test_each_field_changes_the_result(fields: dict[str, Any], regression: Produced):
    rows = [
        {**row, "year": 2000 + k % 7, "side": "test" if k % 4 == 0 else "train"}
        for k, row in enumerate(compounds())
    ]
    result = trained(rows, **fields).result
    said = ["metrics", "splits", "by_endpoint", "calibrators", "measured"]
    compared = [*said, "y_scrambling"] if "y_scrambling" in fields else said
    assert any(result[name] != regression.result[name] for name in compared)


WRONG = [
    ({"outcome": "nothing"}, UnknownNameError, "nothing"),
    ({"model": "magic"}, UnknownNameError, "magic"),
    ({"param": "svm.C=1"}, RequestError, "svm is not trained"),
    ({"param": "ensemble.n_folds=3", "model": "ensemble"}, RequestError, "inner_folds"),
    ({"outcome": "id"}, OutcomeError, "id"),
    ({"positive": ">=100"}, OutcomeError, "one class"),
]


@pytest.mark.parametrize(("fields", "error", "said"), WRONG, ids=str)
def test_what_cannot_be_trained_says_why(fields: dict[str, Any], error: type[Exception], said: str):
    with pytest.raises(error) as raised:
        trained(**fields)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": "y,y"}, "named twice"),
        ({"validation": "time"}, "go together"),
        ({"split": "side"}, "go together"),
        ({"folds": 1}, "one fold"),
        ({"folds": 5, "validation": "scaffold-deterministic"}, "no meaning"),
        ({"unit": "nM", "unit_column": "u"}, "either unit"),
        ({"positive": "1", "task": "continuous"}, "continuous"),
        ({"coverage": 1.5}, "coverage"),
    ],
    ids=str,
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, Any], said: str):
    with pytest.raises(RequestError, match=said):
        build(TrainRequest, {"compounds": compounds(), "outcome": "y", **fields})
