import json
import subprocess
import sys

import polars as pl
import pytest

from iatros.core.context import Context
from iatros.core.errors import InputError, RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.treatment.safety.actions import check, knowledge_notes, open_gate
from iatros.treatment.safety.loading import EXAMPLE, load_knowledge
from iatros.treatment.safety_requests import CheckRequest, SafetyFields

PATIENTS = """subject_id,meds,conditions,allergies,egfr,age_years,sex,pregnant,candidates
a,warfarin; metformin,none,none,28,70,f,,"ibuprofen, Tylenol"
b,,J45.9,penicillins,<15,30,F,yes,amoxicillin; propranolol
c,None,,NA,>90,12,m,,metformin
"""


@pytest.fixture(scope="module")
def example():
    return load_knowledge(EXAMPLE)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "patients.csv"
    path.write_text(PATIENTS)
    return path


def asked(**fields):
    return check(build(CheckRequest, fields), Context())


def statuses(produced):
    return [
        (row["candidate"], row["status"]) for one in produced.result["checked"] for row in one["candidates"]
    ]


def test_one_patient(example):
    produced = asked(
        knowledge=example, current="Coumadin, Zocor", candidates=["clarithromycin", "azithromycin; amiodaron"],
        conditions="none", allergies="none",
    )  # fmt: skip
    assert statuses(produced) == [
        ("clarithromycin", "stopped"), ("azithromycin", "nothing found"), ("amiodaron", "unchecked"),
    ]  # fmt: skip
    result = produced.result
    assert (result["n"], result["n_checked"], result["n_stopped"], result["n_nothing_found"]) == (1, 3, 1, 1)
    assert result["knowledge"]["version"] == "2026-11-27"
    assert result["knowledge"]["fingerprint"] == example.fingerprint
    because = produced.table["because"][0]
    assert because.startswith(
        "[contraindicated] simvastatin with clarithromycin, here Zocor: strong inhibition of CYP3A4"
    )
    assert "FDA label of simvastatin, section 4; interactions.csv, line 5" in because
    assert produced.table["knowledge"] == [f"knowledge 2026-11-27 ({example.fingerprint[:12]})"] * 3
    assert any("no promise of safety" in note for note in result["notes"])
    json.dumps(result, allow_nan=False)


def test_a_list_is_checked_against_itself(example):
    produced = asked(knowledge=example, current=["warfarin", "ibuprofen", "metformin"], allergies="none")
    assert statuses(produced)[:2] == [("warfarin", "stopped"), ("ibuprofen", "stopped")]
    (pair,) = produced.result["checked"][0]["pairs"]
    assert (pair["candidate"], pair["against"], pair["line"]) == ("warfarin", "ibuprofen", 3)


def test_a_table_of_patients(example, table):
    fields = {
        "knowledge": example, "patient_columns": "current=meds", "laboratory_units": "egfr=mL/min/1.73m2",
        "subject": "subject_id",
    }  # fmt: skip
    produced = asked(patients=table, **fields)
    assert statuses(produced) == [
        ("ibuprofen", "stopped"), ("Tylenol", "nothing found"), ("amoxicillin", "stopped"), ("propranolol", "stopped"),
        ("metformin", "unchecked"),
    ]  # fmt: skip
    assert produced.table["subject"] == ["a", "a", "b", "b", "c"]
    assert produced.table["row"] == [0, 0, 1, 1, 2]
    # "None" is the word none, an empty cell and NA are not told: of metformin only the conditions matter.
    assert produced.table["not_checked"][-1] == "allergies were not told; conditions were not told"
    as_frame = asked(patients=pl.read_csv(table), **fields)
    assert as_frame.result["checked"] == produced.result["checked"]
    rows = pl.read_csv(table).to_dicts()
    rows[0]["meds"] = ["warfarin", "metformin"]
    assert asked(patients=rows, **fields).result["checked"] == produced.result["checked"]
    none = asked(patients=table, empty_lists="none", **fields)
    assert none.table["not_checked"][-1] is None
    assert statuses(none)[-1] == ("metformin", "nothing found")


def test_candidates_for_every_patient(example, table):
    text = "\n".join(
        line.rpartition(",")[0] for line in PATIENTS.replace('"ibuprofen, Tylenol"', "x").splitlines()
    )
    table.write_text(text.replace("; ", "|"))
    produced = asked(
        patients=table, knowledge=example, candidates="metformin", laboratory_units={"egfr": "mL/min/1.73m2"}
    )
    assert statuses(produced) == [
        ("metformin", "stopped"),
        ("metformin", "stopped"),
        ("metformin", "unchecked"),
    ]
    produced = asked(patients=table, knowledge=example, candidates="metformin")
    assert any("egfr; rules about them were not checked" in note for note in produced.result["notes"])
    assert [status for _, status in statuses(produced)] == ["unchecked"] * 3


def test_a_patient_with_nothing_to_check_is_counted(example, table):
    produced = asked(patients=[{"current": "warfarin; ibuprofen"}, {"current": None}], knowledge=example)
    assert [one["row"] for one in produced.result["checked"]] == [0]
    assert any("1 of 2 patients have neither" in note for note in produced.result["notes"])
    with pytest.raises(TableError, match="nothing to check"):
        asked(patients=[{"current": None}], knowledge=example)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("age_years", "old", "line 3, column age_years: is not an age of 0 to 130 years"),
        ("age_years", "131", "is not an age"),
        ("sex", "unicorn", "line 3, column sex: is not female or male"),
        ("pregnant", "perhaps", "line 3, column pregnant: is not yes or no"),
        ("egfr", "thirty", "line 3, column egfr: the value is not a number"),
        ("egfr", "31 mg/dL", "line 3; contraindications.csv, line 2: egfr is given in mg/dL"),
        ("egfr", "31 oranges", "in a unit that is not known"),
    ],
)
def test_bad_cells_are_named_and_never_repeated(column, cell, said, example, table):
    frame = pl.read_csv(table, infer_schema=False).with_columns(candidates=pl.lit("metformin"))
    values = frame[column].to_list()
    values[1] = cell
    frame.with_columns(pl.Series(column, values)).write_csv(table)
    with pytest.raises(InputError) as raised:
        asked(patients=table, knowledge=example, laboratory_units="egfr=mL/min/1.73m2")
    assert said in str(raised.value)
    assert cell not in str(raised.value).replace("given in mg/dL", "")


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({}, RequestError, "give candidates, current, or a table of patients"),
        ({"candidates": "x", "subject": "id"}, RequestError, "subject is about a table"),
        ({"patients": [{"current": "x"}], "sex": "male"}, RequestError, "sex is about one patient"),
        ({"candidates": "x", "laboratory": "egfr"}, RequestError, "NAME=VALUE"),
        ({"candidates": "x", "laboratory": "egfr=1,egfr=2"}, RequestError, "given twice"),
        (
            {"candidates": "x", "laboratory": {"egfr": "low"}},
            RequestError,
            "laboratory, egfr: the value is not a number",
        ),
        ({"candidates": "x", "laboratory": {"egfr": 30}}, None, ""),
        ({"candidates": "metformin", "laboratory": {"egfr": 30}}, InputError, "egfr is given without a unit"),
        ({"candidates": "x", "hard_stop": "bad"}, RequestError, "no severity 'bad'"),
        ({"patients": [{"current": "x"}], "subject": "id"}, UnknownNameError, "no column is called 'id'"),
        (
            {"patients": [{"current": "x"}], "patient_columns": "curent=x"},
            UnknownNameError,
            "did you mean current",
        ),
        (
            {"patients": [{"current": "x"}], "patient_columns": "current=y"},
            UnknownNameError,
            "no column is called 'y'",
        ),
        (
            {"patients": [{"egfr": 3}], "laboratory_units": "egfr=mg/dL"},
            RequestError,
            "egfr is in mg/dL, and the rule in",
        ),
        ({"patients": []}, TableError, "no rows"),
    ],
)
def test_bad_requests(fields, error, said, example):
    if error is None:
        asked(knowledge=example, **fields)
        return
    with pytest.raises(error) as raised:
        asked(knowledge=example, **fields)
    assert said in str(raised.value)


def test_columns_that_no_rule_needs_are_left_alone(example):
    rows = [{"sex": 1, "pregnant": "x", "age_years": "young", "current": "a", "candidates": "b"}]
    pairs = [{"drug_a": "a", "drug_b": "b", "severity": "major"}]
    assert statuses(asked(patients=rows, knowledge=pairs)) == [("b", "stopped")]
    with pytest.raises(TableError, match="is not female or male"):
        asked(patients=rows, knowledge=pairs, patient_columns="sex=sex")
    for table, column in (
        ({"threshold": "sex = male"}, "sex"),
        ({"threshold": "age > 90 years"}, "age_years"),
    ):
        rule = {"drug": "b", "severity": "minor", **table}
        with pytest.raises(TableError, match=f"column {column}"):
            asked(patients=rows, knowledge={"tables": {"contraindications": [rule]}}, hard_stop="minor")


def test_broken_lines_leave_no_patient_out(example, tmp_path):
    path = tmp_path / "patients.csv"
    path.write_text("current,sex\n" + "warfarin,f\n" * 200 + "warfarin,f,extra\n")
    with pytest.raises(TableError, match="line 202: the line has 3 cell"):
        asked(patients=path, knowledge=example)


def test_no_patient_data_in_the_log_of_requests():
    request = build(
        CheckRequest,
        {
            "knowledge": "example", "candidates": "secretin", "current": "secretin", "conditions": ["secretin"],
            "allergies": "secretin", "laboratory": "secretin=77 mg/L", "age_years": 77.0, "sex": "female",
            "pregnant": True,
        },
    )  # fmt: skip
    said = json.dumps(request.model_dump(mode="json"))
    assert not any(text in said for text in ("secretin", "77", "female", "true", "/"))
    assert request.model_dump(mode="json")["knowledge"] == {"file": "example"}


def test_the_fields_are_those_of_any_request_behind_the_gate(example):
    class Recommend(SafetyFields):
        """A request whose answers pass the gate."""

    gate = open_gate(Recommend())
    assert gate.knowledge.empty
    assert knowledge_notes(gate.knowledge) == [
        "the knowledge is empty: nothing was checked for safety, and nothing is said to be safe"
    ]
    assert open_gate(Recommend(knowledge=example, hard_stop="moderate")).policy.hard_stop == "moderate"


def test_every_field_changes_the_answer(example):
    told = {
        "knowledge": example,
        "candidates": "warfarin; lisinopril; metformin",
        "current": "spironolactone; Coumadin; x",
    }
    plain = statuses(asked(**told))
    assert plain == [("warfarin", "warning"), ("lisinopril", "warning"), ("metformin", "unchecked")]
    for change in (
        {"hard_stop": "moderate"}, {"unknown": "stop"}, {"missing": "stop"}, {"same_drug": "stop"},
        {"current": "amiodarone"}, {"conditions": "metabolic acidosis"}, {"allergies": "warfarin"}, {"together": True,
        "candidates": "warfarin; amiodarone"}, {"laboratory": "egfr=20 mL/min/1.73m2"}, {"pregnant": True},
        {"knowledge": {}},
    ):  # fmt: skip
        assert statuses(asked(**(told | change))) != plain
    codeine = {
        "knowledge": example,
        "candidates": "codeine; warfarin",
        "current": "none",
        "allergies": "none",
    }
    assert statuses(asked(**codeine, age_years=8.0, sex="female"))[0] == ("codeine", "stopped")
    assert statuses(asked(**codeine, age_years=30.0, sex="female"))[1] == ("warfarin", "unchecked")
    assert statuses(asked(**codeine, age_years=30.0, sex="male"))[1] == ("warfarin", "nothing found")


def test_answering_imports_nothing_heavy():
    code = (
        "import sys; from iatros.core.context import Context; from iatros.treatment.safety.actions import check; "
        "from iatros.treatment.safety_requests import CheckRequest as R; "
        "check(R(knowledge='example', candidates='warfarin'), Context()); "
        "print({'torch', 'pandas', 'sklearn', 'scipy', 'lightgbm'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.strip() == "set()"
