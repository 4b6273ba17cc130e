"""Predict with a segmentation model: the volume of each structure, and the label maps themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError
from iatros.imaging.requests import PredictRequest
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.segmentation.evaluation import slug
from iatros.imaging.segmentation.scoring import SegmentationModel, Segmented

_FACTOR = 1.5
"""How far a volume may lie outside the range of the training masks before it is flagged."""


@dataclass(frozen=True)
class Masks:
    """Label maps of those records that the model could take, and the others with the reason."""

    model: SegmentationModel
    found: tuple[tuple[ImageRecord, Segmented], ...]
    refused: tuple[Refused, ...]


def predict_segmentation(
    bundle: Bundle, request: PredictRequest, context: Context, collection: Collection
) -> Produced:
    """Per image or series: volume, voxels and certainty of each structure, and what is unusual about them."""
    masks = segment_collection(bundle, collection, context, precision=request.precision)
    rows = [_row(record, found, masks.model, refuse=request.refuse) for record, found in masks.found]
    notes = _notes(rows, masks)
    for note in notes:
        context.progress.note(note)
    manifest = bundle.manifest
    result = {
        "domain": "imaging",
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
        "n": len(rows),
        "n_refused": len(masks.refused) + sum(row["status"] == "refused" for row in rows),
        "n_flagged": sum(bool(row["flags"]) for row in rows),
        "predictions": rows,
        "refused": [{"name": one.name, "reason": one.reason} for one in masks.refused],
        "notes": notes,
    }
    return Produced(plain(result), table=plain(_table(rows, masks.refused)))


def masks_of(
    bundle: Bundle, collection: Collection, context: Context
) -> list[tuple[ImageRecord, np.ndarray, tuple[tuple[float, ...], ...] | None]]:
    """Each record that the model can take with its label map (uint8, in the pixels' own order) and affine."""
    masks = segment_collection(bundle, collection, context)
    return [(record, found.labels, record.affine) for record, found in masks.found]


def segment_collection(
    bundle: Bundle, collection: Collection, context: Context, *, precision: str = "fp32"
) -> Masks:
    """Put every record of `collection` to the model of `bundle`; InputError where none suits it."""
    model = SegmentationModel.from_bundle(bundle, precision=precision)
    found, refused = [], list(collection.refused)
    with context.progress.step("outlining structures", total=len(collection.records)) as step:
        for record in collection.records:
            try:
                found.append((record, model.segment(collection.pixels(record), record)))
            except InputError as error:
                refused.append(Refused(record.name, error.message))
            step.advance()
    if not found:
        reasons = sorted({one.reason for one in refused})
        raise InputError(
            f"none of {len(refused)} files can be put to this model: {'; '.join(reasons[:3]) or 'nothing was given'}"
        )
    return Masks(model, tuple(found), tuple(refused))


def measured(record: ImageRecord, found: Segmented, model: SegmentationModel) -> dict[str, dict[str, Any]]:
    """By structure: `voxels`, `volume_ml` (None where voxels have no size), `certainty` (None where it is absent)."""
    size = None
    if record.spacing_mm is not None and found.labels.ndim == 3:
        size = float(np.prod(record.spacing_mm)) / 1000.0
    answers = {}
    for value, name in enumerate(model.plan.structures, start=1):
        voxels = int((found.labels == value).sum())
        sure = found.certainty[value - 1]
        answers[name] = {
            "voxels": voxels,
            "volume_ml": None if size is None else voxels * size,
            "certainty": float(sure) if np.isfinite(sure) else None,
        }
    return answers


def _row(record: ImageRecord, found: Segmented, model: SegmentationModel, *, refuse: bool) -> dict[str, Any]:
    answers = measured(record, found, model)
    nothing = all(not one["voxels"] for one in answers.values())
    flags = [*record.flags, *_unusual(answers, model)]
    row: dict[str, Any] = {"name": record.name, "status": "answered"}
    if nothing:
        flags.append("no structure was found")
        row["status"] = "refused" if refuse and model.volume_ml is not None else "answered"
    given = row["status"] == "answered"
    for name, one in answers.items():
        row |= {f"{key}_{slug(name)}": value if given else None for key, value in one.items()}
    row["flags"] = "; ".join(flags)
    return row


def _unusual(answers: dict[str, dict[str, Any]], model: SegmentationModel) -> list[str]:
    """Structures that are missing, or far smaller or larger than any of training."""
    if model.volume_ml is None:
        return []
    flags = []
    for (name, one), (low, high) in zip(answers.items(), model.volume_ml, strict=True):
        volume = one["volume_ml"]
        if volume is not None and not low / _FACTOR <= volume <= high * _FACTOR:
            flags.append(f"{name}: {volume:.3g} ml, in training {low:.3g} to {high:.3g} ml")
    return flags


def _notes(rows: list[dict[str, Any]], masks: Masks) -> list[str]:
    notes = []
    flagged = sum(bool(row["flags"]) for row in rows)
    if flagged:
        notes.append(f"{flagged} of {len(rows)} images are unusual for this model; see flags")
    if masks.refused:
        notes.append(f"{len(masks.refused)} files could not be read or do not fit the model; see refused")
    return notes


def _table(rows: list[dict[str, Any]], refused: tuple[Refused, ...]) -> dict[str, list[Any]]:
    """The rows as a table, with the files that were refused at its end."""
    table = {name: [row[name] for row in rows] for name in rows[0]}
    for one in refused:
        for name in table:
            table[name].append({"name": one.name, "status": "refused", "flags": one.reason}.get(name))
    return table
