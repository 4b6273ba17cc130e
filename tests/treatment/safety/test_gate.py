import inspect
from dataclasses import replace

import pytest
from tests.treatment.safety.knowing import WARFARIN, knowing

from iatros.core.errors import InputError, RequestError
from iatros.treatment.safety.gate import Gate, Policy, check
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.thresholds import Measurement

WELL = Patient(current=(), conditions=(), allergies=(), age_years=40.0, sex="male")


def one(candidate, patient, knowledge, policy=None):
    (verdict,) = check([candidate], patient, knowledge, policy).verdicts
    return verdict


def test_the_gate_cannot_be_given_a_score():
    assert list(inspect.signature(check).parameters) == ["candidates", "patient", "knowledge", "policy"]
    assert list(inspect.signature(Gate.check).parameters) == ["self", "candidates", "patient"]


def test_a_block_names_its_rule_and_where_it_stands(knowledge):
    verdict = one("Amiodarone", replace(WELL, current=("Coumadin",)), knowledge)
    assert verdict.status == "stopped"
    (found,) = verdict.findings
    assert found.document() == {
        "kind": "interaction", "candidate": "Amiodarone", "against": "Coumadin", "stops": True,
        "rule": "warfarin with amiodarone", "severity": "major", "mechanism": "CYP2C9", "source": "label",
        "table": "interactions.csv", "line": 2, "place": "interactions.csv, line 2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["11289", "RxNorm:11289", "B01AA03", "atc:b01aa03", "WARFARIN  sodium", "warfarin"]
)
def test_every_name_of_a_drug_is_that_drug(name, knowledge):
    for candidate, current in ((name, "amiodarone"), ("amiodarone", name)):
        assert one(candidate, replace(WELL, current=(current,)), knowledge).stopped


def test_below_the_hard_stop_is_a_warning(knowledge):
    patient = replace(WELL, current=("warfarin",))
    assert one("ibuprofen", patient, knowledge).status == "warning"
    assert one("ibuprofen", patient, knowledge, Policy("moderate")).status == "stopped"
    assert one("amiodarone", patient, knowledge, Policy("contraindicated")).status == "warning"
    with pytest.raises(
        RequestError, match=r"no severity 'severe'.*one of minor, moderate, major, contraindicated"
    ):
        check(["ibuprofen"], patient, knowledge, Policy("severe"))


def test_values_conditions_age_and_pregnancy(knowledge):
    def low(value):
        return replace(WELL, laboratory={"GFR": (Measurement(value, "mL/min/1.73 m2"),)})

    assert one("metformin", low(29.0), knowledge).stopped
    assert one("metformin", low(31.0), knowledge).status == "nothing found"
    assert one("propranolol", replace(WELL, conditions=("J45.901",)), knowledge).stopped
    assert one("propranolol", replace(WELL, conditions=("Bronchial  Asthma",)), knowledge).stopped
    assert one("propranolol", replace(WELL, conditions=("J44",)), knowledge).status == "nothing found"
    assert one("codeine", replace(WELL, age_years=11.9), knowledge).stopped
    assert one("codeine", replace(WELL, age_years=12.0), knowledge).status == "nothing found"
    assert one("warfarin", replace(WELL, pregnant=True), knowledge).stopped


def test_what_is_missing_is_told_and_stops_where_asked(knowledge):
    verdict = one("metformin", WELL, knowledge)
    assert (verdict.status, [gap.reason for gap in verdict.gaps]) == (
        "unchecked", ["egfr is missing (rule: eGFR < 30 mL/min/1.73m2)"],
    )  # fmt: skip
    strict = Policy(missing="stop")
    assert one("metformin", WELL, knowledge, strict).stopped
    assert one("ibuprofen", WELL, knowledge, strict).status == "nothing found"
    # A value that leaves it open is missing too.
    vague = replace(WELL, laboratory={"egfr": (Measurement(60.0, "mL/min/1.73m2", "<"),)})
    assert one("metformin", vague, knowledge, strict).stopped
    # Only a rule that would stop asks for it.
    assert not one(
        "propranolol", replace(WELL, conditions=None), knowledge, Policy("contraindicated", missing="stop")
    ).stopped
    assert one("propranolol", replace(WELL, conditions=None), knowledge, strict).stopped


def test_a_list_that_was_not_told_is_not_an_empty_one(knowledge):
    reasons = [gap.reason for gap in one("warfarin", Patient(sex="male"), knowledge).gaps]
    assert reasons == ["allergies were not told", "current medication was not told"]
    assert one("ibuprofen", WELL, knowledge).status == "nothing found"


def test_what_is_not_known_is_unchecked_and_never_safe(knowledge):
    verdict = one("amiodaron", WELL, knowledge)
    assert (verdict.status, verdict.drugs) == ("unchecked", ())
    assert verdict.gaps[0].reason == "it is not in the knowledge (is it amiodarone?)"
    assert one("amiodaron", WELL, knowledge, Policy(unknown="stop")).stopped
    with_unknown = replace(WELL, current=("mystery",), allergies=("pollen",))
    reasons = [gap.reason for gap in one("warfarin", with_unknown, knowledge).gaps]
    assert reasons == [
        "mystery (current medication) is not in the knowledge", "the allergy to pollen is not in the knowledge",
    ]  # fmt: skip
    assert one("warfarin", with_unknown, knowledge, Policy(unknown="stop")).stopped


def test_a_drug_without_a_code_is_not_checked_by_class(knowledge):
    assert [gap.kind for gap in one("clavulanic acid", WELL, knowledge).gaps] == ["class"]
    gaps = one("warfarin", replace(WELL, current=("clavulanic acid",)), knowledge).gaps
    assert [gap.reason for gap in gaps] == [
        "no ATC code of clavulanic acid (current medication) is known: rules about classes were not checked"
    ]


def test_a_code_alone_is_checked_by_class(knowledge):
    verdict = one("J01CA99", replace(WELL, allergies=("penicillin",)), knowledge)
    assert verdict.stopped
    assert "known by the ATC code J01CA99 alone" in verdict.gaps[0].reason


def test_allergies(knowledge):
    assert one("amoxicillin", replace(WELL, allergies=("Penicillin",)), knowledge).stopped
    # an ingredient of a product
    assert one("Augmentin", replace(WELL, allergies=("penicillin",)), knowledge).stopped
    assert one("amoxicillin", replace(WELL, allergies=("Augmentin",)), knowledge).stopped
    # to a drug itself, and to a class that is written as one
    (found,) = one("Coumadin", replace(WELL, allergies=("warfarin",)), knowledge).findings
    assert (found.stops, found.severity, found.table) == (True, "contraindicated", None)
    assert one("naproxen", replace(WELL, allergies=("ATC:M01",)), knowledge).stopped
    assert one("naproxen", replace(WELL, allergies=("ATC:N02",)), knowledge).status == "nothing found"


def test_duplicate_therapy(knowledge):
    found = one("naproxen", replace(WELL, current=("ibuprofen",)), knowledge).findings
    assert [(one.kind, one.severity, one.rule) for one in found] == [
        ("duplicate", "moderate", "two drugs of ATC:M01A that share ATC level 3 (ATC:M01A)")
    ]
    same = one("Coumadin", replace(WELL, current=("warfarin",)), knowledge)
    assert (same.status, same.findings[0].rule, same.findings[0].severity) == (
        "warning",
        "the same drug twice",
        "",
    )
    assert one("Coumadin", replace(WELL, current=("11289",)), knowledge, Policy(same_drug="stop")).stopped
    # one ingredient of a product that is taken
    assert one("amoxicillin", replace(WELL, current=("Augmentin",)), knowledge).status == "warning"


def test_a_level_tells_drugs_of_one_class_apart():
    tables = {
        "drugs": [
            {"drug": "a", "atc": "N02BE01"},
            {"drug": "b", "atc": "N02BA01"},
            {"drug": "c", "atc": "N02BE51"},
        ],
        "duplicates": [{"class": "*", "level": "4", "severity": "major"}],
    }
    knowledge = knowing(tables)
    assert one("c", replace(WELL, current=("a",)), knowledge).stopped
    assert one("b", replace(WELL, current=("a",)), knowledge).status == "nothing found"


def test_an_empty_knowledge_is_told_of_every_candidate():
    for tables in ({}, {"drugs": WARFARIN["drugs"]}):
        empty = knowing(tables)
        verdict = one("warfarin", replace(WELL, current=("amiodarone",)), empty)
        assert (empty.empty, verdict.status, verdict.gaps[0].reason) == (
            True,
            "unchecked",
            "the knowledge has no rule",
        )
        assert one("warfarin", WELL, empty, Policy(unknown="stop")).stopped


def test_a_set_is_checked_against_itself(knowledge):
    together = Policy(together=True)
    names = ["ibuprofen", "Coumadin", "amiodarone", "metformin"]
    checked = check(names, WELL, knowledge, together)
    assert [verdict.status for verdict in checked.verdicts] == ["warning", "stopped", "stopped", "unchecked"]
    assert [(f.candidate, f.against) for f in checked.verdicts[2].findings] == [("amiodarone", "Coumadin")]
    assert checked.allowed == ("ibuprofen", "metformin")
    apart = Gate(knowledge, Policy())
    assert [verdict.status for verdict in apart.check(names, WELL).verdicts][1:3] == ["nothing found"] * 2
    assert [(pair.candidate, pair.against, pair.severity) for pair in apart.pairs(names)] == [
        ("ibuprofen", "Coumadin", "moderate"), ("Coumadin", "amiodarone", "major"),
    ]  # fmt: skip


def test_conditions_that_no_rule_is_about_are_counted(knowledge):
    assert (
        check(["warfarin"], replace(WELL, conditions=("asthma", "gout", "J45")), knowledge).unused_conditions
        == 1
    )


def test_bad_input_is_refused_without_patient_data(knowledge):
    patient = replace(WELL, laboratory={"egfr": (Measurement(87.654, "mg/dL"),)})
    with pytest.raises(InputError) as raised:
        check(["metformin"], patient, knowledge)
    assert raised.value.where == "contraindications.csv, line 2"
    assert "87" not in str(raised.value)
    with pytest.raises(InputError, match="names of treatments"):
        check("warfarin", WELL, knowledge)
    with pytest.raises(InputError, match="names of treatments"):
        check([3.5], WELL, knowledge)


def test_documents_are_plain(knowledge):
    import json

    checked = check(["warfarin", "amiodarone"], replace(WELL, current=("warfarin",)), knowledge)
    json.dumps([checked.document(), knowledge.document()], allow_nan=False)
