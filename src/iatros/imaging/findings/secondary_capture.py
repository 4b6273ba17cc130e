"""The overlay as a DICOM Secondary Capture: a picture that every viewer shows, with the notice burnt into it."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.findings.answer import Answer
from iatros.imaging.findings.marking import device, finish, identity, nameless
from iatros.imaging.findings.wording import conclusion, headline

_LEAST_SIDE = 384
_MARGIN = 4
_MOST_REFERENCES = 64


def secondary_capture(answer: Answer, source: Any) -> Any:
    """An RGB Secondary Capture of `answer.overlay`, in a strip above it the words "research only" and the answer.

    `source` is the header whose patient and study it takes. Raises InputError where there is no overlay.
    """
    from highdicom.sc import SCImage

    if answer.overlay is None:
        raise InputError("a Secondary Capture needs an overlay, and this answer has none")
    made = SCImage(
        pixel_array=captioned(answer.overlay, ("RESEARCH ONLY, not a medical device", headline(answer))),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=source.StudyInstanceUID,
        **device(answer.software),
        **identity(answer, "sc"),
    )
    if "SOPClassUID" in source:
        made.copy_patient_and_study_information(nameless(source))
    else:
        for element in source:
            made.add(element)
    _describe(made, answer)
    return finish(made, source, answer)


def captioned(picture: np.ndarray, lines: tuple[str, ...]) -> np.ndarray:
    """`picture` (rows, columns, 3), enlarged by a whole factor where small, under a black strip with `lines` of text.

    The strip covers nothing of the picture.
    """
    from PIL import Image, ImageDraw, ImageFont

    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(
            f"an overlay is uint8 (rows, columns, 3), got {picture.dtype} of {list(picture.shape)}"
        )
    factor = max(1, -(-_LEAST_SIDE // max(picture.shape[:2])))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    width = max(large.shape[1], _LEAST_SIDE)
    size = max(12, width // 32)
    strip = Image.new("RGB", (width, len(lines) * (size + _MARGIN) + 2 * _MARGIN))
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        ImageDraw.Draw(strip).text(
            (_MARGIN, _MARGIN + number * (size + _MARGIN)), line, fill=(255, 200, 0), font=font
        )
    beside = np.zeros((large.shape[0], width - large.shape[1], 3), dtype=np.uint8)
    return np.concatenate([np.asarray(strip), np.concatenate([large, beside], axis=1)])


def _describe(made: Any, answer: Answer) -> None:
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset
    from pydicom.sr.codedict import codes

    made.ConversionType = "WSD"
    made.DateOfSecondaryCapture, made.TimeOfSecondaryCapture = (
        answer.at.strftime("%Y%m%d"),
        answer.at.strftime("%H%M%S"),
    )
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = ""  # the picture may come from any plane
    made.Laterality = ""
    made.DerivationDescription = f"Heat map ({answer.overlay_method or 'overlay'}) over the image"
    made.ImageComments = conclusion(answer)[:10240]
    burnt = {source.get("BurnedInAnnotation") for source in answer.sources}
    # The words in the strip name no patient; what the source holds in its pixels is in this picture too.
    if burnt == {"NO"}:
        made.BurnedInAnnotation = "NO"
    elif "YES" in burnt:
        made.BurnedInAnnotation = "YES"
    elif "BurnedInAnnotation" in made:
        del made.BurnedInAnnotation
    if any(source.get("LossyImageCompression") == "01" for source in answer.sources):
        made.LossyImageCompression = "01"
    references = []
    for source in answer.sources[:_MOST_REFERENCES]:
        item = Dataset()
        item.ReferencedSOPClassUID = source.SOPClassUID
        item.ReferencedSOPInstanceUID = source.SOPInstanceUID
        purpose = CodedConcept(*codes.DCM.SourceImageForImageProcessingOperation[:3])
        item.PurposeOfReferenceCodeSequence = [purpose]
        references.append(item)
    if references:
        made.SourceImageSequence = references
