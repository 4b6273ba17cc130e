"""From a table of responses to a bundle, and from the bundle to recommendations, on a clinic with known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from iatros.app import treatment
from iatros.core.bundle import open_bundle
from iatros.core.errors import (
    BundleError,
    InputError,
    OutcomeError,
    RequestError,
    SplitError,
    UnknownNameError,
)
from iatros.treatment.simulation import Simulated


def test_the_best_on_the_folds_is_kept_beside_the_means(trained: dict[str, Any]) -> None:
    assert trained["model"] == "kernel"
    kept, other = trained["models"]
    assert (kept["name"], other["name"]) == ("kernel", "baseline")
    assert kept["difference_to_baseline"]["rmse"]["high"] < 0.0
    assert trained["metrics"]["judged"]["within_treatment"]["low"] > 0.0
    assert trained["standing"].startswith("association, not effect")


def test_intervals_hold_about_what_they_promise(trained: dict[str, Any]) -> None:
    reached = trained["intervals"]["coverage"]
    assert reached["low"] <= 0.9 <= reached["high"]


def test_no_name_of_a_subject_is_kept(bundle: Path) -> None:
    for file in bundle.rglob("*"):
        if file.is_file():
            assert b"Name0" not in file.read_bytes(), file.name


def test_names_are_kept_where_that_was_asked_for(responses: pl.DataFrame, tmp_path: Path) -> None:
    treatment.train(
        responses,
        outcome="score",
        model="baseline",
        folds=2,
        keep_names=True,
        out=tmp_path / "b",
        engine="serial",
    )
    found = treatment.similar(tmp_path / "b", subject="Name001")
    assert all(one["name"].startswith("Name") for one in found["similar"])


def test_a_known_subject_is_recommended_what_it_has_not_had(bundle: Path, responses: pl.DataFrame) -> None:
    answer = treatment.recommend(bundle, subject="Name000", top=10)
    had = set(responses.filter(pl.col("subject_id") == "Name000")["treatment"])
    (patient,) = answer["patients"]
    listed = [one["treatment"] for one in patient["recommendations"]]
    assert listed
    assert not had & set(listed)
    scores = [one["prediction"] for one in patient["recommendations"]]
    assert scores == sorted(scores, reverse=True)
    for one in patient["recommendations"]:
        assert one["low"] <= one["prediction"] <= one["high"]
        assert one["n_subjects"] == (responses["treatment"] == one["treatment"]).sum()
        assert all(similar["subject"].startswith("subject ") for similar in one["similar"])
        assert one["factors"]
    assert any("association" in note for note in answer["notes"])
    assert any("knowledge is empty" in note for note in answer["notes"])


def test_treatments_that_were_had_are_listed_on_request(bundle: Path) -> None:
    answer = treatment.recommend(bundle, subject="Name000", top=10, include_taken=True)
    assert len(answer["patients"][0]["recommendations"]) == 6


def test_a_new_patient_is_told_by_past_responses_or_covariates(bundle: Path) -> None:
    by_past = treatment.recommend(bundle, past="therapy A=9.5,therapy B=2", top=10)
    listed = {one["treatment"] for one in by_past["patients"][0]["recommendations"]}
    assert listed == {f"therapy {letter}" for letter in "CDEF"}
    old = treatment.recommend(bundle, covariate="age=88,sex=male,marker=-2", top=10)
    young = treatment.recommend(bundle, covariate="age=25,sex=female,marker=2", top=10)
    order = [[one["treatment"] for one in found["patients"][0]["recommendations"]] for found in (old, young)]
    assert order[0] != order[1]
    named = {one["factor"] for one in old["patients"][0]["recommendations"][0]["factors"]}
    assert named <= {"age", "sex", "marker"}


def test_new_patients_in_tables(bundle: Path) -> None:
    patients = [{"subject_id": "P1", "age": 70.0, "sex": "male", "marker": 1.0},
                {"subject_id": "P2", "age": 40.0, "sex": "female", "marker": None}]  # fmt: skip
    past = [{"subject_id": "P1", "treatment": "therapy C", "score": 8.0}]
    answer = treatment.recommend(bundle, patients, responses=past, top=6)
    assert [one["subject"] for one in answer["patients"]] == ["P1", "P2"]
    assert [len(one["recommendations"]) for one in answer["patients"]] == [5, 6]


def test_personal_rankings_are_nearer_to_the_truth_than_the_best_for_all(
    bundle: Path, made: Simulated, responses: pl.DataFrame
) -> None:
    means = responses.group_by("treatment").agg(pl.col("score").mean()).sort("treatment")["score"].to_numpy()
    own, all_ = [], []
    for k in range(60):
        answer = treatment.recommend(bundle, subject=f"Name{k:03d}", top=1, include_taken=True)
        first = answer["patients"][0]["recommendations"][0]["treatment"]
        own.append(made.truth[k, ord(first[-1]) - ord("A")])
        all_.append(made.truth[k, means.argmax()])
    assert np.mean(own) > np.mean(all_)


def test_what_the_knowledge_stops_never_comes_out(bundle: Path) -> None:
    free = treatment.recommend(bundle, covariate="age=60,sex=male,marker=0", top=6, current="warfarin")
    first = free["patients"][0]["recommendations"][0]["treatment"]
    knowledge = [
        {
            "table": "interactions",
            "drug_a": first,
            "drug_b": "warfarin",
            "severity": "major",
            "source": "by hand",
        }
    ]
    held = treatment.recommend(
        bundle, covariate="age=60,sex=male,marker=0", top=6, current="warfarin", knowledge=knowledge
    )
    (patient,) = held["patients"]
    assert first not in [one["treatment"] for one in patient["recommendations"]]
    assert [one["treatment"] for one in patient["stopped"]] == [first]
    assert patient["stopped"][0]["because"][0]["source"] == "by hand"
    assert held["knowledge"]["fingerprint"] != free["knowledge"]["fingerprint"]
    milder = treatment.recommend(
        bundle, covariate="age=60,sex=male,marker=0", top=6, current="warfarin", knowledge=knowledge,
        hard_stop="contraindicated",
    )  # fmt: skip
    (warned,) = [one for one in milder["patients"][0]["recommendations"] if one["treatment"] == first]
    assert warned["safety"]["status"] == "warning"


def test_a_treatment_at_a_dose_is_checked_by_its_drug(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"subject_id": f"s{k}", "treatment": drug, "dose": dose, "score": float(rng.normal(dose / 10))}
        for k in range(30)
        for drug, dose in (("warfarin", 5), ("warfarin", 10), ("aspirin", 100))
        if rng.random() < 0.8
    ]
    treatment.train(
        rows, outcome="score", dose="dose", model="baseline", folds=2, out=tmp_path / "b", engine="serial"
    )
    knowledge = [{"table": "interactions", "drug_a": "warfarin", "drug_b": "amiodarone", "severity": "major"}]
    answer = treatment.recommend(
        tmp_path / "b", past="aspirin 100=2", include_taken=True, current="amiodarone", knowledge=knowledge
    )
    (patient,) = answer["patients"]
    assert [one["treatment"] for one in patient["recommendations"]] == ["aspirin 100"]
    assert {one["treatment"] for one in patient["stopped"]} == {"warfarin 5", "warfarin 10"}


def test_similar_treatments_are_listed_with_what_they_share(bundle: Path) -> None:
    found = treatment.similar(bundle, treatment="therapy A")["similar"]
    assert {one["name"] for one in found} == {f"therapy {letter}" for letter in "BCDEF"}
    assert all(-1.0 <= one["similarity"] <= 1.0 and one["common"] > 0 for one in found)


def test_the_same_seed_gives_the_same_bytes(responses: pl.DataFrame, tmp_path: Path) -> None:
    for name, means in (("one", {"engine": "serial"}), ("two", {"engine": "processes", "workers": 2})):
        treatment.train(
            responses, outcome="score", covariates="age,marker", model="kernel", folds=2, out=tmp_path / name, **means,
        )  # fmt: skip
    one, two = (open_bundle(tmp_path / name).manifest for name in ("one", "two"))
    assert one["files"] == two["files"]
    assert one["metrics"] == two["metrics"]


def test_a_bundle_is_judged_on_other_subjects(bundle: Path, tmp_path: Path) -> None:
    from tests.treatment.responses.conftest import table_of

    from iatros.treatment.simulation import simulate

    other = table_of(simulate(200, 6, seed=3)).filter(pl.col("subject_id") > "Name139")
    found = treatment.evaluate(bundle, other, out=tmp_path / "judged")
    assert found["validation"] == "external"
    assert found["n_subjects"] == 60
    assert (tmp_path / "judged" / "report.html").exists()
    told = treatment.evaluate(bundle, other, given=2)
    assert told["metrics"]["judged"]["rmse"]["n"] < found["metrics"]["judged"]["rmse"]["n"]


def test_exposures_are_imitated_and_said_to_be(responses: pl.DataFrame, tmp_path: Path) -> None:
    made = treatment.train(
        responses.drop("score"), covariates="age,sex,marker", model="kernel,baseline", folds=2, out=tmp_path / "b",
        engine="serial",
    )  # fmt: skip
    assert made["standing"].startswith("imitation")
    assert made["prevalence"] == pytest.approx(responses.height / (140 * 6), abs=0.01)
    answer = treatment.recommend(tmp_path / "b", subject="Name000")
    for one in answer["patients"][0]["recommendations"]:
        assert 0.0 <= one["low"] <= one["prediction"] <= one["high"] <= 1.0
    judged = treatment.evaluate(tmp_path / "b", responses, given=1)
    assert 0.0 < judged["metrics"]["judged"]["auroc"]["value"] < 1.0


def test_a_binary_outcome_has_probabilities_of_the_named_value(
    responses: pl.DataFrame, tmp_path: Path
) -> None:
    table = responses.with_columns(
        answered=pl.when(pl.col("score") > 5.0).then(pl.lit("yes")).otherwise(pl.lit("no"))
    ).drop("score")
    made = treatment.train(
        table, outcome="answered", positive="yes", covariates="age,marker", model="baseline,kernel", folds=2,
        out=tmp_path / "b", engine="serial",
    )  # fmt: skip
    assert made["target"]["classes"] == ["no", "yes"]
    answer = treatment.recommend(tmp_path / "b", past="therapy A=yes,therapy B=no")
    for one in answer["patients"][0]["recommendations"]:
        assert 0.0 <= one["low"] <= one["prediction"] <= one["high"] <= 1.0


@pytest.mark.parametrize(
    ("newness", "more"), [("subjects", {}), ("subjects", {"given": 2}), ("time", {"time": "day"})]
)
def test_other_kinds_of_newness(
    newness: str, more: dict[str, Any], responses: pl.DataFrame, tmp_path: Path
) -> None:
    made = treatment.train(
        responses, outcome="score", covariates="age,sex,marker", model="kernel", validation=newness, folds=3,
        out=tmp_path / "b", engine="serial", **more,
    )  # fmt: skip
    assert made["metrics"]["judged"]["rmse"]["value"] < 2.0


def test_treatments_are_told_apart_by_their_structures(responses: pl.DataFrame, tmp_path: Path) -> None:
    smiles = ["CCO", "CCCO", "c1ccccc1", "Cc1ccccc1", "CC(=O)O", "CCC(=O)O"]
    described = [{"treatment": f"therapy {letter}", "structure": one, "class": f"c{k // 2}"}
                 for k, (letter, one) in enumerate(zip("ABCDEF", smiles, strict=True))]  # fmt: skip
    made = treatment.train(
        responses, outcome="score", covariates="age,marker", treatments=described, smiles="structure", model="kernel",
        validation="treatments", folds=3, out=tmp_path / "b", engine="serial",
    )  # fmt: skip
    assert made["validation"] == "treatments"
    blocks = open_bundle(tmp_path / "b").manifest["predictor"]["readers"]["treatments"]
    assert blocks["smiles"] == "structure"


def test_a_killed_run_goes_on_with_the_same_result(
    responses: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iatros.treatment.responses import training

    def train(out: Path, **more: Any) -> dict[str, Any]:
        return treatment.train(
            responses, outcome="score", model="knn,baseline", folds=2, out=out, engine="serial", **more
        )

    whole = train(tmp_path / "whole")
    monkeypatch.setattr(training, "fit_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halved", resume=True)
    monkeypatch.undo()
    kept = tmp_path / "halved.checkpoint"
    assert any(kept.rglob("judged-knn*"))
    resumed = train(tmp_path / "halved", resume=True)
    assert json.dumps(resumed["metrics"]) == json.dumps(whole["metrics"])


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"validation": "subjects"}, SplitError, "nothing is known of a subject"),
        ({"validation": "treatments"}, SplitError, "nothing is known of a treatment"),
        ({"validation": "time"}, RequestError, "time"),
        ({"given": 3}, RequestError, "given"),
        ({"model": "als"}, RequestError, "does not learn continuous"),
        ({"model": "svm"}, UnknownNameError, "svm"),
        ({"param": "svd.colour=red"}, RequestError, "colour"),
        ({"outcome": "age"}, OutcomeError, "same outcome"),
        ({"covariates": "score"}, InputError, "several values"),
    ],
)
def test_what_cannot_be_is_refused(
    fields: dict[str, Any], error: type[Exception], words: str, responses: pl.DataFrame, tmp_path: Path
) -> None:
    asked = {"outcome": "score", "model": "baseline", "folds": 2, **fields}
    if fields.get("outcome") == "age":
        responses = responses.with_columns(age=pl.lit(50.0))
    if fields.get("model") == "svm" or "param" in fields:
        asked["model"] = fields.get("model", "svd")
    with pytest.raises(error, match=words):
        treatment.train(responses, **asked, out=tmp_path / "b", engine="serial")
    assert not (tmp_path / "b").exists()


def test_constant_outcomes_are_refused(responses: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match="same outcome"):
        treatment.train(responses.with_columns(score=pl.lit(3.0)), outcome="score", out=tmp_path / "b")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"subject": "Nobody-SECRET"}, InputError),
        ({"past": "therapy Z=3"}, UnknownNameError),
        ({"past": "therapy A=much"}, RequestError),
        ({"covariate": "height=3"}, UnknownNameError),
        ({"candidates": "therapy Q", "subject": "Name000"}, UnknownNameError),
        ({}, RequestError),
        ({"subject": "Name000", "past": "therapy A=3"}, RequestError),
        ({"subject": "Name000", "hard_stop": "grave"}, RequestError),
    ],
)
def test_wrong_questions_are_refused_without_the_name_of_the_subject(
    fields: dict[str, Any], error: type[Exception], bundle: Path
) -> None:
    with pytest.raises(error) as caught:
        treatment.recommend(bundle, **fields)
    assert "SECRET" not in f"{caught.value} {getattr(caught.value, 'hint', '')}"


def test_a_bundle_of_another_question_is_refused(tmp_path: Path) -> None:
    from iatros.app import risk

    rows = [{"x": k % 7, "y": "yes" if k % 3 else "no"} for k in range(300)]
    risk.train(rows, outcome="y", model="logistic", instability=0, out=tmp_path / "r", engine="serial")
    with pytest.raises(BundleError, match="no model of responses"):
        treatment.recommend(tmp_path / "r", past="therapy A=3")
