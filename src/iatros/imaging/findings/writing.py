"""All documents of one answer, made together so that each names the others by the right identifier."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from iatros.core.errors import InputError
from iatros.imaging.findings.answer import Answer
from iatros.imaging.findings.fhir import bundle
from iatros.imaging.findings.secondary_capture import secondary_capture
from iatros.imaging.findings.segmentation_object import segmentation
from iatros.imaging.findings.source import invented
from iatros.imaging.findings.sr import structured_report

KINDS = ("sr", "sc", "seg", "fhir")


@dataclass(frozen=True)
class Findings:
    """The DICOM objects of one answer by kind, its FHIR Bundle, and what could not be made, with the reason.

    `label_map` is the mask of an image that is not DICOM, as the ending and the bytes of a file.
    """

    objects: dict[str, Any]
    fhir: dict[str, Any] | None
    notes: tuple[str, ...]
    label_map: tuple[str, bytes] | None = None

    def documents(self, name: str) -> dict[str, bytes]:
        """Bytes by file name: `sr/NAME.dcm`, `sc/NAME.dcm`, `seg/NAME.dcm` (or .nii.gz, .png), `fhir/NAME.json`."""
        files = {f"{kind}/{name}.dcm": encoded(made) for kind, made in self.objects.items()}
        if self.label_map is not None:
            ending, content = self.label_map
            files[f"seg/{name}.{ending}"] = content
        if self.fhir is not None:
            files[f"fhir/{name}.json"] = json.dumps(self.fhir, indent=1, ensure_ascii=False).encode()
        return files


def findings(answer: Answer, kinds: tuple[str, ...] = KINDS) -> Findings:
    """The documents of `answer` that `kinds` asks for; what cannot be made is said in the notes.

    An image that is not DICOM gets a study of its own for a pseudonymous patient; its SR then refers to the
    Secondary Capture, because a report needs an image of its study, so that one is made even if not asked for.
    """
    notes: list[str] = []
    objects: dict[str, Any] = {}
    study = answer.sources[0] if answer.sources else invented(answer.record, answer.record_sha256, answer.at)
    if not answer.sources:
        notes.append(
            "the image is not DICOM: its objects belong to a new study of the pseudonymous patient "
            f"{study.PatientID}"
        )
    if answer.overlay is not None and ("sc" in kinds or ("sr" in kinds and not answer.sources)):
        objects["sc"] = secondary_capture(answer, study)
    elif "sc" in kinds:
        notes.append("no Secondary Capture: there is no overlay for this answer")
    label_map = None
    if "seg" in kinds and answer.mask is not None and not answer.sources:
        label_map = answer.mask.file
    if "seg" in kinds and label_map is None:
        _try_segmentation(answer, objects, notes)
    if "sr" in kinds:
        evidence = answer.sources or ((objects["sc"],) if "sc" in objects else ())
        if evidence:
            related = tuple(made for made in objects.values() if made is not evidence[0])
            objects["sr"] = structured_report(answer, evidence, related)
        else:
            notes.append("no SR: a report needs an image, and there is neither a DICOM source nor an overlay")
    document = bundle(answer, study, objects) if "fhir" in kinds else None
    return Findings(objects, document, tuple(notes), label_map)


def encoded(made: Any) -> bytes:
    """A DICOM object as the bytes of a file (PS3.10)."""
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _try_segmentation(answer: Answer, objects: dict[str, Any], notes: list[str]) -> None:
    if answer.mask is None:
        notes.append("no SEG: the model makes no mask")
        return
    try:
        objects["seg"] = segmentation(answer)
    except InputError as error:
        notes.append(f"no SEG: {error.message}")
