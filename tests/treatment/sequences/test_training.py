"""From visits to a bundle and back: what is learned from simulated visits, what is said of it, and what it answers."""

import json

import numpy as np
import polars as pl
import pytest

from iatros.core.bundle import open_bundle, write_bundle
from iatros.core.context import Context
from iatros.core.errors import NotABundleError, RequestError, TableError
from iatros.treatment.sequences.actions import train_sequences
from iatros.treatment.sequences.answers import evaluate_next, recommend_next
from iatros.treatment.sequences.settings import SequenceSettings
from iatros.treatment.sequences.simulation import line_name, simulate_visits
from iatros.treatment.sequences.sources import Columns

COLUMNS = Columns(visit="visit", time="day")
QUICK = {"members": 1, "embedding": 12, "units": 10, "hidden": 16, "max_epochs": 3}


def model(result, name):
    return next(one for one in result["models"] if one["name"] == name)


def test_gated_units_follow_rules_that_no_sum_over_codes_can(trained):
    result = trained[0].result
    assert result["model"] == "gru"
    for other in ("previous", "frequency", "logistic"):
        found = model(result, "gru")["differences"][other]["jaccard"]
        assert found["low"] > 0.02, other
    assert model(result, "logistic")["metrics"]["jaccard"]["value"] > 0.45  # the baseline is no straw man


def test_every_number_has_an_interval_over_patients(trained):
    metrics = trained[0].result["metrics"]["held_out"]
    assert {"jaccard", "f1", "prauc", "recall_at_k", "ndcg_at_k", "calibration_slope", "interaction_rate",
            "interaction_rate_prescribed"} <= set(metrics)  # fmt: skip
    for name, metric in metrics.items():
        assert metric["low"] <= metric["value"] <= metric["high"], name
        assert "90 patients" in metric["interval"], name


def test_every_result_says_that_it_is_imitation(trained, simulated):
    produced, path = trained
    assert produced.result["statement"].startswith("imitation")
    assert "imitation" in produced.bundle.documents["report.html"].decode()
    assert "imitation" in produced.bundle.documents["model_card.md"].decode()
    assert open_bundle(path).manifest["statement"].startswith("imitation")
    answered = recommend_next(path, simulated.rows[:200], Context(), top=1, reasons=0)
    assert answered.result["statement"].startswith("imitation")
    assert set(answered.table["basis"]) == {"imitation of what was prescribed"}


def test_the_result_is_plain_and_the_bundle_holds_no_subject(trained, simulated):
    produced, path = trained
    assert json.loads(json.dumps(produced.result)) == produced.result
    for file in path.iterdir():
        content = file.read_bytes()
        assert b"s00001" not in content, file.name


def test_the_promise_about_missed_medications_is_reached(trained):
    control = trained[0].result["conformal"]
    assert 0 < control["threshold"] < 0.5
    assert control["reached"]["low"] <= control["missed"]
    assert control["mean_size"]["value"] < control["n_medications"] - 3


def test_interactions_are_counted_and_unknown_names_listed(simulated):
    extra = [*simulated.interactions, {"drug_a": "unheard-of", "drug_b": "support-0"}]
    rows = [row for row in simulated.rows if row["subject_id"] < "s00150"]
    result = train_sequences(
        SequenceSettings("frequency", n_bootstrap=20), rows, COLUMNS, Context(), interactions=extra
    ).result
    assert result["interactions"]["n_pairs"] == 4
    assert result["interactions"]["unknown"] == ["unheard-of"]
    assert 0 < result["metrics"]["held_out"]["interaction_rate_prescribed"]["value"] < 0.2


def test_the_same_request_gives_the_same_bytes_and_a_resumed_run_too(simulated, tmp_path):
    rows = [row for row in simulated.rows if row["subject_id"] < "s00120"]
    settings = SequenceSettings("gru", QUICK, {"cnn": QUICK}, n_bootstrap=20)

    def train(checkpoint):
        return train_sequences(settings, rows, COLUMNS, Context(checkpoint=checkpoint))

    first, resumed = train(tmp_path / "kept"), train(tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 5
    plain = train(None)
    for other in (resumed, plain):
        assert other.bundle.files == first.bundle.files
        assert other.bundle.manifest == first.bundle.manifest


def test_the_best_on_the_tuning_side_is_kept(simulated):
    rows = [row for row in simulated.rows if row["subject_id"] < "s00120"]
    settings = SequenceSettings("frequency", also={"logistic": {}}, n_bootstrap=0)
    result = train_sequences(settings, rows, COLUMNS, Context()).result
    assert result["model"] == "logistic"
    assert result["n_candidates"] == 2


@pytest.mark.parametrize("validation", ["cross-validation", "time"])
def test_other_validations(simulated, validation):
    rows = [row for row in simulated.rows if row["subject_id"] < "s00150"]
    settings = SequenceSettings("logistic", validation=validation, n_folds=3, n_bootstrap=20)
    result = train_sequences(settings, rows, COLUMNS, Context()).result
    split = validation.replace("-", "_")
    assert list(result["metrics"]) == [split]
    assert result["splits"][split]["n_patients"] == (150 if validation == "cross-validation" else 30)


def test_recommendations_are_ranked_and_say_why(trained):
    """A line that does not control its condition is not given again, one that does is, and the codes say why."""
    lines = [
        ("diagnosis", 0, "condition-2"), ("medication", 0, line_name(2, 0)),
        ("diagnosis", 1, "condition-2"), ("diagnosis", 1, "failed-2"),
    ]  # fmt: skip
    rows = [
        {"subject_id": "new", "visit": v, "day": 40.0 * v, "kind": kind, "code": code}
        for kind, v, code in lines
    ]
    ages = [{"subject_id": "new", "age_years": 45}]

    def asked():
        (answer,) = recommend_next(trained[1], rows, Context(), covariates=ages, top=50, reasons=4).result[
            "recommendations"
        ]
        assert (answer["visit"], answer["n_visits_before"]) == ("1", 1)
        assert not answer["nothing_known_of_the_visit"]
        probabilities = [one["probability"] for one in answer["medications"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert [one["rank"] for one in answer["medications"]] == list(range(1, len(probabilities) + 1))
        return {one["medication"]: one for one in answer["medications"]}

    failed = asked()
    rows[-1]["code"] = "controlled-2"
    controlled = asked()
    again, following = line_name(2, 0), line_name(2, 1)
    assert failed[following]["probability"] > controlled[following]["probability"] + 0.1
    assert controlled[again]["probability"] > failed[again]["probability"] + 0.1
    assert any(reason.startswith("diagnosis failed-2 (visit 1): -") for reason in failed[again]["reasons"])
    assert (failed[again]["last_given"], failed[following]["last_given"]) == ("0", None)
    assert failed[again]["n_subjects"] > 20
    assert all(one["spread"] >= 0 for one in failed.values())


def test_after_a_visit_with_medications_the_next_one_is_asked_about(trained, simulated):
    rows = [row for row in simulated.rows if row["subject_id"] in ("s00003", "s00004")]
    produced = recommend_next(trained[1], rows, Context(), subjects=["s00004"], top=2, reasons=1)
    (answer,) = produced.result["recommendations"]
    assert answer["visit"] == "next"
    assert answer["nothing_known_of_the_visit"]
    assert any("the model learned with age_years" in note for note in produced.result["notes"])
    assert any("of which no code is known" in note for note in produced.result["notes"])
    assert produced.table["rank"] == [1, 2]
    with pytest.raises(TableError, match="no line is of the subject"):
        recommend_next(trained[1], rows, Context(), subjects=["nobody"])
    with pytest.raises(RequestError, match="top must be at least 1"):
        recommend_next(trained[1], rows, Context(), top=0)


def test_codes_and_kinds_that_were_never_seen_are_answered_for(trained):
    rows = [{"subject_id": "new", "visit": 1, "day": 0.0, "kind": kind, "code": "unseen"}
            for kind in ("diagnosis", "allergy")]  # fmt: skip
    result = recommend_next(trained[1], rows, Context(), top=1).result
    assert result["recommendations"][0]["medications"][0]["reasons"][0].startswith(
        "diagnosis that is not known"
    )
    assert any("not looked at: allergy" in note for note in result["notes"])


def test_a_bundle_is_judged_on_other_subjects(trained):
    other = simulate_visits(80, seed=9)
    produced = evaluate_next(
        trained[1],
        other.rows,
        Context(),
        covariates=other.subjects,
        interactions=other.interactions,
        n_bootstrap=50,
    )
    own = trained[0].result["metrics"]["held_out"]["jaccard"]["value"]
    found = produced.result["metrics"]["external"]["jaccard"]
    assert abs(found["value"] - own) < 0.12
    assert produced.result["parent"]["name"] == "next"
    assert b"Evaluating a gru model" in produced.documents["report.html"]


def test_settings_out_of_bounds_are_refused():
    for wrong, said in (
        ({"validation": "random"}, "validation must be one of"), ({"known": "all"}, "known must be one of"),
        ({"missed": 1.0}, "missed must lie between"), ({"certainty": 0.2}, "certainty must lie between"),
        ({"k": 0}, "k must be at least 1"), ({"also": {"gru": {}}}, "named twice"),
    ):  # fmt: skip
        with pytest.raises(RequestError, match=said):
            SequenceSettings(**wrong)


def test_another_bundle_is_refused(tmp_path, trained):
    from iatros.core.bundle import BundleDraft

    path = write_bundle(
        BundleDraft({"domain": "treatment", "model": "svd"}, {"a.txt": b"a"}), tmp_path / "other"
    )
    with pytest.raises(NotABundleError, match="which medications come next"):
        recommend_next(path, [{"subject_id": 1}], Context())


def test_real_admissions_can_be_learned_from_although_they_are_few(shared_data, tmp_path):
    """MIMIC-III's demonstration: 100 patients, nearly all with one admission, so no model is better than another."""
    folder = shared_data / "mimic3_demo"
    named = {"diagnosis": ("DIAGNOSES_ICD", "icd9_code"), "procedure": ("PROCEDURES_ICD", "icd9_code"),
             "medication": ("PRESCRIPTIONS", "drug")}  # fmt: skip
    tables = {
        kind: pl.read_csv(folder / f"{file}.csv.gz", infer_schema_length=0).select(
            "subject_id", "hadm_id", code
        )
        for kind, (file, code) in named.items()
    }
    visits = pl.read_csv(folder / "ADMISSIONS.csv.gz", infer_schema_length=0).select(
        "subject_id", "hadm_id", "admittime"
    )
    columns = Columns(
        visit="hadm_id", time="admittime", code={kind: code for kind, (_, code) in named.items()}
    )
    settings = SequenceSettings("cnn", QUICK, n_bootstrap=50)
    produced = train_sequences(settings, tables, columns, Context(), visits=visits)
    result = produced.result
    assert (result["n_subjects"], result["n_visits"]) == (100, 129)
    assert result["data"]["n_lines"] == 12665
    assert 0.15 < result["metrics"]["held_out"]["jaccard"]["value"] < 0.45
    assert any("100 subjects are few" in note for note in result["notes"])
    path = write_bundle(produced.bundle, tmp_path / "mimic")
    answered = recommend_next(path, tables, Context(), visits=visits, subjects=["10006"], top=5)
    (answer,) = answered.result["recommendations"]
    assert len(answer["medications"]) == 5
    assert np.isfinite([one["probability"] for one in answer["medications"]]).all()
