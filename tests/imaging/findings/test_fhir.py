"""The FHIR Bundle: references that lead somewhere, the UIDs of the DICOM objects, and the verdict of each target."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from iatros.imaging.findings import Answer, TargetAnswer, findings
from iatros.imaging.findings.coding import code_value
from iatros.imaging.findings.fhir import _interpretation

RUN = "20261126T101010Z-0123456789ab"
Make = Callable[[str], Answer]


@pytest.fixture
def bundle(answer: Make) -> dict[str, Any]:
    content = findings(answer("ct")).documents("x")["fhir/x.json"]
    return json.loads(content)


def _of(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "reference" in node:
            yield node["reference"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_it_is_valid_and_every_reference_leads_to_an_entry(bundle: dict[str, Any]) -> None:
    Bundle.model_validate(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls) == 6
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", url) for url in urls)
    references = set(_references(bundle))
    assert len(references) == 5
    assert references <= set(urls)


def test_every_resource_has_the_run_id_and_nothing_is_final(bundle: dict[str, Any]) -> None:
    assert bundle["identifier"]["value"] == RUN
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert {"system": "urn:iatros:run", "value": RUN} in resource["identifier"]
    reported = _of(bundle, "DiagnosticReport") + _of(bundle, "Observation")
    assert {one["status"] for one in reported} == {"preliminary"}


def test_the_study_names_the_sources_and_the_objects_that_were_made(answer: Make) -> None:
    said = answer("ct")
    made = findings(said)
    assert made.fhir is not None
    (study,) = _of(made.fhir, "ImagingStudy")
    found = {
        (series["uid"], instance["uid"], instance["sopClass"]["code"])
        for series in study["series"]
        for instance in series["instance"]
    }
    expected = {
        (str(one.SeriesInstanceUID), str(one.SOPInstanceUID), f"urn:oid:{one.SOPClassUID}")
        for one in (*said.sources, *made.objects.values())
    }
    assert found == expected
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (4, 6)
    assert study["identifier"][0]["value"] == f"urn:oid:{said.sources[0].StudyInstanceUID}"
    assert study["started"] == "2003-04-17"


def test_patient_and_numbers_travel_without_a_name(bundle: dict[str, Any]) -> None:
    assert "JANCT" not in json.dumps(bundle)
    observations = _of(bundle, "Observation")
    assert {one["subject"]["identifier"]["value"] for one in observations} == {"99000"}
    binary, continuous, quantity = observations
    assert binary["valueQuantity"]["value"] == 0.875
    assert binary["interpretation"][0]["coding"][0]["code"] == "POS"
    assert [part["valueQuantity"]["value"] for part in binary["component"][:2]] == [0.125, 0.875]
    assert continuous["valueQuantity"] == {"value": 61.25, "unit": "mm"}
    assert quantity["valueQuantity"]["code"] == "mL"
    (report,) = _of(bundle, "DiagnosticReport")
    assert report["conclusion"] == (
        "pneumonia: pneumonia with probability 0.875 (at or above the threshold of 0.4); with 90 % confidence: "
        "pneumonia. Größe des Herdes im linken Unterlappen: 61.25 mm (55 to 68.5 with 90 % confidence). "
        "volume of anterior: 12.5 millilitre. Quality: motion in two slices. "
        "Research software, not a medical device; not for diagnosis or treatment."
    )


def test_several_classes_are_a_code_with_a_probability_each(answer: Make) -> None:
    target = TargetAnswer(
        "grade",
        "multiclass",
        ("low", "middle", "high"),
        (0.2, 0.5, 0.3),
        confidence_level=0.9,
        conformal_set=("middle", "high"),
    )
    made = findings(replace(answer("ct"), targets=(target,), quantities=()), ("fhir",)).fhir
    assert made is not None
    (observation,) = _of(made, "Observation")
    assert observation["valueCodeableConcept"]["text"] == "middle"
    assert "interpretation" not in observation
    values = [part["valueQuantity"]["value"] for part in observation["component"] if "valueQuantity" in part]
    assert values == [0.2, 0.5, 0.3]
    held = [
        part["valueCodeableConcept"]["text"]
        for part in observation["component"]
        if "valueQuantity" not in part
    ]
    assert held == ["middle", "high"]


@pytest.mark.parametrize(
    ("probability", "threshold", "held", "verdict"),
    [
        (0.4, 0.4, None, "POS"),
        (0.39, 0.4, None, "NEG"),
        (0.9, 0.4, ("no", "yes"), "IND"),
        (0.9, 0.4, (), "IND"),
        (0.1, None, ("no",), "NEG"),
        (0.9, None, ("yes",), "POS"),
        (0.9, None, None, None),
    ],
)
def test_the_verdict(
    probability: float, threshold: float | None, held: tuple[str, ...] | None, verdict: str | None
) -> None:
    target = TargetAnswer(
        "x",
        "binary",
        ("no", "yes"),
        (1 - probability, probability),
        confidence_level=0.9,
        conformal_set=held,
        threshold=threshold,
    )
    assert _interpretation(target) == verdict


@pytest.mark.parametrize(
    ("one", "other"),
    [("lesion of the left lung", "lesion of the right lung"), ("Lesion", "lesion"), ("ä", "ö")],
)
def test_codes_are_short_and_apart(one: str, other: str) -> None:
    assert code_value(one) != code_value(other)
    assert all(0 < len(code_value(name)) <= 16 for name in (one, other))
