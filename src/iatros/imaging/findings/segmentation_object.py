"""A mask as a DICOM Segmentation on the geometry of its source images."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.findings.answer import Answer
from iatros.imaging.findings.coding import own, scheme
from iatros.imaging.findings.marking import MANUFACTURER, device, finish, identity, nameless
from iatros.imaging.findings.wording import conclusion

_SAME_PLANE = 0.25
"""Of the distance between slices: how far a plane of the mask may lie from its source's."""


def segmentation(answer: Answer) -> Any:
    """A binary SEG with one segment for each label of `answer.mask`, an empty label included.

    The mask lies on the grid of the sources: one plane per single-frame source in their order, or one per frame of a
    single multi-frame source. Raises InputError where there is no mask or no DICOM source, or the grids differ.
    """
    from highdicom.seg import Segmentation

    if answer.mask is None:
        raise InputError("a SEG needs a mask, and this answer has none")
    if not answer.sources:
        raise InputError("a SEG lies on the geometry of DICOM images, and this image is none")
    planes = _on_grid(answer)
    made = Segmentation(
        source_images=[nameless(source) for source in answer.sources],
        pixel_array=planes,
        segmentation_type="BINARY",
        segment_descriptions=[
            _segment(answer, number, label) for number, label in enumerate(answer.mask.labels, start=1)
        ],
        content_description=conclusion(answer)[:64],
        content_label="IATROS",
        # Where nothing was found at all, the empty frames stay: looking and not finding is an answer.
        omit_empty_frames=bool(planes.any()),
        coding_schemes=[scheme()],
        **device(answer.software),
        **identity(answer, "seg"),
    )
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = answer.uid("seg", "dimensions")  # by itself another one at every call
    if "FrameOfReferenceUID" not in made:
        made.PatientOrientation = answer.sources[0].get("PatientOrientation", "")
    return finish(made, answer.sources[0], answer)


def _on_grid(answer: Answer) -> np.ndarray:
    """The mask's planes (frames, rows, columns) in the order of the sources' frames, uint8."""
    assert answer.mask is not None
    array = np.asarray(answer.mask.array)
    planes = array[None] if array.ndim == 2 else array
    first = answer.sources[0]
    frames = int(first.get("NumberOfFrames", 1) or 1)
    count = frames if len(answer.sources) == 1 else len(answer.sources)
    wanted = (count, int(first.Rows), int(first.Columns))
    if planes.shape != wanted:
        got, needed = (" x ".join(map(str, shape)) for shape in (planes.shape, wanted))
        raise InputError(f"the mask has {got} voxels and its DICOM source {needed}", where=answer.record)
    highest = int(planes.max(initial=0))
    if planes.min(initial=0) < 0 or highest > len(answer.mask.labels):
        raise InputError(f"the mask holds the value {highest} and names {len(answer.mask.labels)} labels")
    return planes.astype(np.uint8)[_order(answer, frames)]


def _order(answer: Answer, frames: int) -> np.ndarray:
    """For each frame of the sources the plane of the mask that lies there, by its position in the patient."""
    assert answer.mask is not None
    places = _positions(answer.sources, frames)
    affine = answer.mask.affine
    if frames > 1 and (places is None or affine is None):
        raise InputError(
            "a SEG needs the position of each frame, and this multi-frame image has none", where=answer.record
        )
    if places is None or affine is None:
        return np.arange(len(answer.sources))
    matrix = np.asarray(affine, dtype=float)
    normal = matrix[:3, 0]
    spacing = float(np.linalg.norm(normal))
    # RAS+ to the LPS of DICOM: left and back are positive there.
    offsets = (places * [-1, -1, 1] - matrix[:3, 3]) @ normal / spacing**2
    order = np.round(offsets).astype(int)
    if sorted(order) != list(range(len(places))) or np.abs(offsets - order).max() > _SAME_PLANE:
        raise InputError("the mask lies in other planes than its DICOM source", where=answer.record)
    return order


def _positions(sources: tuple[Any, ...], frames: int) -> np.ndarray | None:
    """ImagePositionPatient of each frame (frames, 3); None where one has none."""
    if frames == 1:
        found = [source.get("ImagePositionPatient") for source in sources]
    else:
        groups = sources[0].get("PerFrameFunctionalGroupsSequence") or []
        found = [group.get("PlanePositionSequence") for group in groups]
        found = [item[0].get("ImagePositionPatient") if item else None for item in found]
    if not found or any(place is None or len(place) != 3 for place in found):
        return None
    return np.array([[float(value) for value in place] for place in found])


def _segment(answer: Answer, number: int, label: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    software = answer.software
    algorithm = AlgorithmIdentificationSequence(
        name=f"{MANUFACTURER} {software.model}",
        family=codes.cid7162.ArtificialIntelligence,
        version=software.version,
        source=MANUFACTURER,
        parameters={"bundle_sha256": software.bundle_sha256, "run_id": answer.run_id},
    )
    return SegmentDescription(
        segment_number=number,
        segment_label=label[:64],
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=own(label),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=answer.uid("segment", label),
        tracking_id=f"{label} {answer.run_id}"[:64],
    )
