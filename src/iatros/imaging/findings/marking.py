"""What every DICOM object carries alike: names of its source, the run id, the software, the research notice."""

from __future__ import annotations

from typing import Any

from iatros.imaging.findings.answer import NOTICE, Answer, Software

MANUFACTURER = "iatros"
SERIES_NUMBERS = {"sr": 9801, "sc": 9802, "seg": 9803}
_TITLES = {"sr": "AI findings", "sc": "AI overlay", "seg": "AI segmentation"}
_WRITER = "Highdicom open-source contributors"
_NAMES = ("PatientName", "ReferringPhysicianName")


def identity(answer: Answer, kind: str) -> dict[str, Any]:
    """The arguments by which highdicom names an object of `kind` (sr, sc or seg) and says what made it."""
    return {
        "series_instance_uid": answer.uid(kind, "series"),
        "series_number": SERIES_NUMBERS[kind],
        "sop_instance_uid": answer.uid(kind, "instance"),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "specific_character_set": "ISO_IR 192",
        "content_qualification": "RESEARCH",
        "series_description": f"{_TITLES[kind]} (research) {answer.run_id}"[:64],
        "contributing_equipment": [equipment(answer)],
    }


def device(software: Software) -> dict[str, Any]:
    """The attributes of the equipment module: the bundle's hash stands for a serial number."""
    return {
        "manufacturer_model_name": software.model[:64],
        "software_versions": software.version,
        "device_serial_number": software.bundle_sha256,
    }


def equipment(answer: Answer) -> Any:
    """The item of the Contributing Equipment Sequence that names the run."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    return ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=answer.software.model[:64],
        software_versions=answer.software.version,
        device_serial_number=answer.software.bundle_sha256,
        contribution_datetime=answer.at.replace(tzinfo=None),
        contribution_description=f"{NOTICE}. Run {answer.run_id}, bundle {answer.software.bundle}",
    )


def nameless(source: Any) -> Any:
    """A shallow copy of a header without names: highdicom prints those that it finds unusual."""
    from pydicom.dataset import Dataset

    bare = Dataset()
    for element in source:
        if element.keyword not in _NAMES:
            bare.add(element)
    for keyword in _NAMES:
        setattr(bare, keyword, "")
    return bare


def finish(made: Any, source: Any, answer: Answer) -> Any:
    """Give an object the names of its source and the time of the run."""
    for keyword in _NAMES:
        setattr(made, keyword, source.get(keyword, ""))
    for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"):
        if keyword in source:
            made.add(source[keyword])
    date, time = answer.at.strftime("%Y%m%d"), answer.at.strftime("%H%M%S")
    made.InstanceCreationDate, made.InstanceCreationTime = date, time
    made.SeriesDate, made.SeriesTime = date, time
    if "ContentDate" in made:
        made.ContentDate, made.ContentTime = date, time
    for item in made.ContributingEquipmentSequence:
        if item.Manufacturer in (MANUFACTURER, _WRITER):  # not that of the scanner
            item.ContributionDateTime = f"{date}{time}"
    return made
