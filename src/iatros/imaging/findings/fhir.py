"""The answer as FHIR R4 (the R4B classes, which check what R4 demands): one collection Bundle."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from iatros.imaging.findings.answer import NOTICE, Answer, TargetAnswer
from iatros.imaging.findings.coding import code_value
from iatros.imaging.findings.marking import MANUFACTURER
from iatros.imaging.findings.wording import conclusion, sentence

RUN_SYSTEM = "urn:iatros:run"
CODE_SYSTEM = "urn:iatros:code"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_UCUM = "http://unitsofmeasure.org"
_MEANINGS = {"POS": "Positive", "NEG": "Negative", "IND": "Indeterminate"}


def bundle(answer: Answer, study: Any, objects: dict[str, Any]) -> dict[str, Any]:
    """A Bundle (collection) of DiagnosticReport, ImagingStudy, one Observation per target or quantity, and Device.

    `study` is the header that names patient and study, `objects` the DICOM objects that were made, by kind; the
    ImagingStudy holds their UIDs beside those of the sources. Status is preliminary throughout: nobody has
    confirmed it. Every resource has the run id as an identifier. The result is JSON-ready and has passed the
    checks of fhir.resources.
    """
    from fhir.resources.R4B.bundle import Bundle

    resources = [
        ("report", _report(answer, study)),
        ("study", _imaging_study(answer, study, objects)),
        *((_observation_key(target.name), _observation(answer, study, target)) for target in answer.targets),
        *(
            (_observation_key(quantity.name), _quantity(answer, study, index))
            for index, quantity in enumerate(answer.quantities)
        ),
        ("device", _device(answer)),
    ]
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": _run(answer),
        "timestamp": _instant(answer),
        "entry": [{"fullUrl": _url(answer, key), "resource": resource} for key, resource in resources],
    }
    checked = Bundle.model_validate(document)
    return json.loads(checked.model_dump_json(exclude_none=True))


def _report(answer: Answer, study: Any) -> dict[str, Any]:
    names = [*(target.name for target in answer.targets), *(each.name for each in answer.quantities)]
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [_run(answer)],
        "status": "preliminary",
        "category": [_concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
        "code": _concept("http://loinc.org", "18748-4", "Diagnostic imaging study"),
        "subject": _subject(study),
        **_when(study, "effectiveDateTime"),
        "issued": _instant(answer),
        "result": [_reference(answer, _observation_key(name)) for name in names],
        "imagingStudy": [_reference(answer, "study")],
        "conclusion": conclusion(answer),
    }


def _imaging_study(answer: Answer, study: Any, objects: dict[str, Any]) -> dict[str, Any]:
    series: dict[str, list[Any]] = {}
    for instance in (*answer.sources, *objects.values()):
        series.setdefault(str(instance.SeriesInstanceUID), []).append(instance)
    accession = str(study.get("AccessionNumber") or "")
    identifiers: list[dict[str, Any]] = [
        {"system": "urn:dicom:uid", "value": f"urn:oid:{study.StudyInstanceUID}"},
        _run(answer),
    ]
    if accession:
        code = _concept("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN", "Accession ID")
        identifiers.append({"type": code, "value": accession})
    return {
        "resourceType": "ImagingStudy",
        "identifier": identifiers,
        "status": "available",
        "subject": _subject(study),
        **_when(study, "started"),
        "numberOfSeries": len(series),
        "numberOfInstances": sum(len(instances) for instances in series.values()),
        "series": [_series(uid, instances) for uid, instances in series.items()],
    }


def _series(uid: str, instances: list[Any]) -> dict[str, Any]:
    first = instances[0]
    described = str(first.get("SeriesDescription") or "")
    return {
        "uid": uid,
        "modality": {"system": _DICOM, "code": str(first.get("Modality") or "OT")},
        **({"description": described} if described else {}),
        "numberOfInstances": len(instances),
        "instance": [
            {
                "uid": str(instance.SOPInstanceUID),
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{instance.SOPClassUID}"},
            }
            for instance in instances
        ],
    }


def _observation(answer: Answer, study: Any, target: TargetAnswer) -> dict[str, Any]:
    document = {
        **_observed(answer, study, target.name),
        "note": [{"text": sentence(target)}, {"text": NOTICE}],
    }
    if target.value is not None:
        document["valueQuantity"] = {
            "value": float(target.value),
            **({"unit": target.unit} if target.unit else {}),
        }
        return document
    if target.task == "binary":
        document["valueQuantity"] = _probability(target.probabilities[1])
    else:
        document["valueCodeableConcept"] = _own(str(target.predicted))
    document["component"] = [
        {"code": _own(f"probability of {name}"), "valueQuantity": _probability(probability)}
        for name, probability in zip(target.classes, target.probabilities, strict=True)
    ]
    if target.conformal_set is not None:
        held = target.conformal_set or ("no class fits",)
        document["component"] += [
            {"code": _own("class not ruled out"), "valueCodeableConcept": _own(name)} for name in held
        ]
    verdict = _interpretation(target)
    if verdict is not None:
        document["interpretation"] = [_concept(_INTERPRETATION, verdict, _MEANINGS[verdict])]
    return document


def _interpretation(target: TargetAnswer) -> str | None:
    """POS, NEG, or IND where the conformal set leaves the question open; None where nothing says so."""
    if target.task != "binary":
        return None
    if target.conformal_set is not None and len(target.conformal_set) != 1:
        return "IND"
    if target.crossed is not None:
        return "POS" if target.crossed else "NEG"
    if target.conformal_set is None:
        return None
    return "POS" if target.conformal_set[0] == target.classes[1] else "NEG"


def _quantity(answer: Answer, study: Any, index: int) -> dict[str, Any]:
    quantity = answer.quantities[index]
    value = {
        "value": float(quantity.value),
        "unit": quantity.unit,
        "system": _UCUM,
        "code": quantity.ucum,
    }
    return {
        **_observed(answer, study, quantity.name),
        "valueQuantity": value,
        "note": [{"text": NOTICE}],
    }


def _observed(answer: Answer, study: Any, name: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [_run(answer)],
        "status": "preliminary",
        "category": [
            _concept("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging")
        ],
        "code": _own(name),
        "subject": _subject(study),
        **_when(study, "effectiveDateTime"),
        "issued": _instant(answer),
        "device": _reference(answer, "device"),
        "derivedFrom": [_reference(answer, "study")],
    }


def _device(answer: Answer) -> dict[str, Any]:
    software = answer.software
    return {
        "resourceType": "Device",
        "identifier": [_run(answer)],
        "status": "active",
        "manufacturer": MANUFACTURER,
        "deviceName": [{"name": software.bundle or software.model, "type": "user-friendly-name"}],
        "modelNumber": software.model,
        "serialNumber": software.bundle_sha256,
        "type": {"text": "image classification software"},
        "version": [{"value": software.version}],
        "note": [{"text": NOTICE}],
    }


def _observation_key(name: str) -> str:
    return f"observation {name}"


def _url(answer: Answer, key: str) -> str:
    return f"urn:uuid:{answer.uuid('fhir', key)}"


def _reference(answer: Answer, key: str) -> dict[str, str]:
    return {"reference": _url(answer, key)}


def _run(answer: Answer) -> dict[str, str]:
    return {"system": RUN_SYSTEM, "value": answer.run_id}


def _instant(answer: Answer) -> str:
    return answer.at.astimezone(UTC).isoformat(timespec="seconds")


def _subject(study: Any) -> dict[str, Any]:
    """The patient by identifier alone: the receiver knows who it is, and no name travels."""
    number = str(study.get("PatientID") or "")
    if not number:
        return {"type": "Patient", "display": "unknown"}
    issuer = str(study.get("IssuerOfPatientID") or "")
    identifier = {"value": number, **({"assigner": {"display": issuer}} if issuer else {})}
    return {"type": "Patient", "identifier": identifier}


def _when(study: Any, key: str) -> dict[str, str]:
    date = str(study.get("StudyDate") or "")
    return {key: f"{date[:4]}-{date[4:6]}-{date[6:8]}"} if len(date) == 8 else {}


def _probability(value: float) -> dict[str, Any]:
    return {"value": round(float(value), 6), "unit": "probability", "system": _UCUM, "code": "1"}


def _own(name: str) -> dict[str, Any]:
    return {
        "coding": [{"system": CODE_SYSTEM, "code": code_value(name), "display": name}],
        "text": name,
    }


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}
