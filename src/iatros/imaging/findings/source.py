"""Headers of source instances: what a new object of the same study takes over, with invalid values left out."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from iatros.imaging.findings.answer import name_uuid

_EMPTY_WHERE_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "PatientBirthDate", "PatientSex",
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
)  # fmt: skip
_STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    "StudyDescription", "PatientAge", "PatientSize", "PatientWeight",
)  # fmt: skip
_SERIES = (
    "SeriesInstanceUID", "SeriesNumber", "Modality", "Laterality", "BodyPartExamined", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "LongitudinalTemporalInformationModified",
)  # fmt: skip
_IMAGE = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "ImageType", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "SliceThickness", "SpacingBetweenSlices", "PatientOrientation", "BurnedInAnnotation",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DimensionOrganizationSequence",
    "DimensionIndexSequence",
)  # fmt: skip

_SEXES = ("M", "F", "O")
_AGE = re.compile(r"\d{3}[DWMY]")
_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_VALID = {"AS": _AGE, "DA": _DATE, "TM": _TIME}


def header(source: Any) -> Any:
    """A Dataset with the patient, study, series and geometry of `source`, in Unicode, without pixels and private data.

    Attributes that every object of a study must have are there, empty where the source lacks them. A value
    that DICOM does not allow (an age of `62`, a date that is none) is left out instead of copied.
    """
    from pydicom.dataset import Dataset

    source.decode()
    copy = Dataset()
    for keyword in (*_PATIENT, *_STUDY, *_SERIES, *_IMAGE):
        if keyword in source and _is_valid(source[keyword]):
            copy.add(source[keyword])
    for keyword in _EMPTY_WHERE_ABSENT:
        if keyword not in copy:
            setattr(copy, keyword, "")
    copy.SpecificCharacterSet = "ISO_IR 192"
    return copy


def invented(record: str, record_sha256: str, at: datetime) -> Any:
    """The header of a new study for an image that no DICOM study holds, with a pseudonym for its patient.

    The pseudonym and the study's UID come from hashes of the record's name and pixels: the same image gives the
    same study.
    """
    from pydicom.dataset import Dataset

    made = Dataset()
    pseudonym = f"ANON-{name_uuid('patient', record).hex[:12].upper()}"
    for keyword in _EMPTY_WHERE_ABSENT:
        setattr(made, keyword, "")
    made.PatientID = made.PatientName = pseudonym
    made.StudyInstanceUID = f"2.25.{name_uuid('study', record, record_sha256).int}"
    made.StudyDate, made.StudyTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    made.SpecificCharacterSet = "ISO_IR 192"
    return made


def _is_valid(element: Any) -> bool:
    if element.is_empty:
        return element.VR != "AS"
    if element.keyword == "PatientSex":
        return str(element.value) in _SEXES
    allowed = _VALID.get(element.VR)
    return allowed is None or allowed.fullmatch(str(element.value)) is not None
