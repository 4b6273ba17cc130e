"""What is recommended next passes the gate, and a bundle is asked and judged through the actions."""

from __future__ import annotations

from typing import Any

import pytest

from iatros.app import treatment
from iatros.core.errors import RequestError
from iatros.treatment.sequences.simulation import simulate_visits


def _asked(trained: Any, simulated: Any, **more: Any) -> dict[str, Any]:
    rows = [row for row in simulated.rows if row["subject_id"] in ("s00001", "s00002")]
    return treatment.recommend(trained[1], simulated.subjects, responses=rows, top=3, **more)


def test_it_is_labelled_imitation_and_says_what_was_not_checked(trained, simulated):
    answer = _asked(trained, simulated, patient_subject="subject_id")
    assert [one["subject"] for one in answer["recommendations"]] == ["s00001", "s00002"]
    assert all(len(one["medications"]) == 3 for one in answer["recommendations"])
    assert any("imitation" in note for note in answer["notes"])
    assert any("knowledge is empty" in note for note in answer["notes"])
    assert answer["interactions_within_sets"] is None


def test_the_likeliest_medication_is_stopped_where_a_rule_says_so(trained, simulated):
    free = _asked(trained, simulated, patient_subject="subject_id")
    first = free["recommendations"][0]["medications"][0]["medication"]
    rules = [
        {
            "table": "interactions",
            "drug_a": first,
            "drug_b": "warfarin",
            "severity": "major",
            "source": "by hand",
        }
    ]
    patients = [
        one | {"current": "warfarin" if one["subject_id"] == "s00001" else "none"}
        for one in simulated.subjects
    ]
    rows = [row for row in simulated.rows if row["subject_id"] in ("s00001", "s00002")]
    held = treatment.recommend(
        trained[1], patients, responses=rows, top=100, patient_subject="subject_id", knowledge=rules
    )
    one, other = held["recommendations"]
    assert first not in [found["medication"] for found in one["medications"]]
    assert [found["treatment"] for found in one["stopped"]] == [first]
    assert first in [found["medication"] for found in other["medications"]]
    assert held["interactions_within_sets"]["n_sets"] == 2


def test_a_field_of_responses_has_no_meaning_here(trained, simulated):
    with pytest.raises(RequestError, match="past has no meaning"):
        treatment.recommend(trained[1], past="medication-0a=3")
    with pytest.raises(RequestError, match="visits of the subjects"):
        treatment.recommend(trained[1])
    with pytest.raises(RequestError, match="patient_subject"):
        _asked(trained, simulated)


def test_other_subjects_judge_it(trained, tmp_path):
    other = simulate_visits(60, seed=9)
    found = treatment.evaluate(trained[1], other.rows, subjects=other.subjects, out=tmp_path / "judged")
    assert found["validation"] == "external"
    assert 0.3 < found["metrics"]["external"]["jaccard"]["value"] <= 1.0
    assert (tmp_path / "judged" / "report.html").exists()
    with pytest.raises(RequestError, match="unit has no meaning"):
        treatment.evaluate(trained[1], other.rows, unit="mg/day")


def test_training_by_the_action(tmp_path):
    made = treatment.train_next(
        simulate_visits(120, seed=2).rows, visit="visit", model="logistic", certainty=0.9, out=tmp_path / "b",
        engine="serial",
    )  # fmt: skip
    assert made["question"] == "sequences"
    assert {one["name"] for one in made["models"]} == {"logistic", "previous", "frequency"}
