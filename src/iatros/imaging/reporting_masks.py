"""From segmented images to the plain answer that hospital documents are made from."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from iatros.core.bundle import Bundle
from iatros.core.context import Context
from iatros.imaging.findings import Answer, Mask, Quantity
from iatros.imaging.reporting_answers import Sources, software, time_of
from iatros.imaging.schema import ImageRecord
from iatros.imaging.segmentation.nifti import nifti_bytes
from iatros.imaging.segmentation.outlines import COLOURS
from iatros.imaging.segmentation.prediction import Masks, Outlined

_COLOURS = np.array(COLOURS, dtype=np.float32)
_OPAQUE = 0.5
_KEY_SLICES = 3


def segmented(
    bundle: Bundle, masks: Masks, sources: Sources, context: Context
) -> Iterator[tuple[Answer, str | None]]:
    """The answer to each record that the model could take, and why a quality gate gives none where one refuses it."""
    labels = masks.model.plan.structures
    with context.progress.step("writing findings", total=len(masks.found)) as step:
        for one in masks.found:
            if one.segmented is None:
                yield _nothing(bundle, one, context), one.rejected
            else:
                mask = one.segmented.labels
                yield mask_answer(bundle, one.record, mask, labels, sources, context, flags=one.flags), None
            step.advance()


def mask_answer(
    bundle: Bundle,
    record: ImageRecord,
    mask: np.ndarray,
    labels: tuple[str, ...],
    sources: Sources,
    context: Context,
    *,
    flags: tuple[str, ...] = (),
) -> Answer:
    """The answer of a label map (slices, rows, columns) or (rows, columns), in which `labels` names 1, 2, ..."""
    headers, remarks = sources.headers(record)
    planes = mask if mask.ndim == 3 else mask[None]
    order = np.argsort(-(planes > 0).reshape(len(planes), -1).sum(axis=1), kind="stable")
    first = int(order[0])
    keys = tuple(int(k) for k in order[:_KEY_SLICES] if planes[k].any()) if mask.ndim == 3 else ()
    nothing = () if planes.any() else ("no structure was found",)
    return Answer(
        record=record.name,
        record_sha256=record.sha256,
        run_id=context.run_id,
        at=time_of(context.run_id),
        software=software(bundle),
        quantities=tuple(size_of(mask == value, name, record) for value, name in enumerate(labels, start=1)),
        sources=headers,
        flags=(*flags, *nothing),
        overlay=coloured(_plane(sources.collection.pixels(record), first), planes[first]),
        overlay_method="segmentation",
        mask=Mask(mask, labels, record.affine, None if headers else _file(mask, record, sources)),
        key_slices=keys,
        notes=tuple(remarks),
    )


def _nothing(bundle: Bundle, one: Outlined, context: Context) -> Answer:
    """What there is to say of an image that a quality gate refuses."""
    return Answer(
        record=one.record.name,
        record_sha256=one.record.sha256,
        run_id=context.run_id,
        at=time_of(context.run_id),
        software=software(bundle),
        flags=one.flags,
    )


def _file(mask: np.ndarray, record: ImageRecord, sources: Sources) -> tuple[str, bytes] | None:
    """The label map as a NIfTI file, voxel on voxel with a NIfTI source, or as an 8-bit PNG for a single image."""
    if mask.ndim == 2:
        stream = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8)).save(stream, format="PNG")
        return "png", stream.getvalue()
    if record.affine is None:
        return None
    first = record.files[0] if record.files else ""
    source = Path(sources.collection.root) / first if first.lower().endswith((".nii", ".nii.gz")) else None
    return "nii.gz", nifti_bytes(mask, record.affine, source=source)


def size_of(inside: np.ndarray, name: str, record: ImageRecord) -> Quantity:
    """The volume of a structure in millilitres or its area in square millimetres; its voxels without a spacing."""
    count = int(np.count_nonzero(inside))
    spacing = record.spacing_mm
    if spacing is None or len(spacing) != inside.ndim:
        return Quantity(f"size of {name}", float(count), "1", "voxels")
    size = count * float(np.prod(spacing))
    if inside.ndim == 3:
        return Quantity(f"volume of {name}", size / 1000, "mL", "millilitre")
    return Quantity(f"area of {name}", size, "mm2", "square millimetre")


def coloured(plane: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """RGB uint8 (rows, columns, 3): pixels (channels, rows, columns) in 0 to 1 with each label in its colour."""
    grey = np.broadcast_to(np.moveaxis(plane, 0, -1), (*plane.shape[1:], 3)) * 255
    marked = labels > 0
    shown = grey.copy()
    shown[marked] = (1 - _OPAQUE) * grey[marked] + _OPAQUE * _COLOURS[(labels[marked] - 1) % len(_COLOURS)]
    return np.round(shown).astype(np.uint8)


def _plane(pixels: np.ndarray, k: int) -> np.ndarray:
    plane = pixels[:, k] if pixels.ndim == 4 else pixels
    return plane.astype(np.float32) / np.iinfo(plane.dtype).max
