"""The answer in the forms that hospital systems take: DICOM SR, Secondary Capture and SEG, and FHIR."""

from iatros.imaging.findings.answer import Answer, Mask, Quantity, Software, TargetAnswer
from iatros.imaging.findings.writing import KINDS, Findings, encoded, findings

__all__ = [
    "KINDS",
    "Answer",
    "Findings",
    "Mask",
    "Quantity",
    "Software",
    "TargetAnswer",
    "encoded",
    "findings",
]
