"""Predict with a segmentation model: the volume of each structure, and the label maps themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError
from iatros.imaging.gating import quality_of, rejection, rejection_notes
from iatros.imaging.quality import Finding, Gates
from iatros.imaging.requests import PredictRequest
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.scoring import Precision
from iatros.imaging.segmentation.evaluation import slug
from iatros.imaging.segmentation.plan import check_fits
from iatros.imaging.segmentation.scoring import SegmentationModel, Segmented
from iatros.imaging.segmentation.turned import turned, turned_pixels

_FACTOR = 1.5
"""How far a volume may lie outside the range of the training masks before it is flagged."""


@dataclass(frozen=True)
class Outlined:
    """What gates and model say of one record."""

    record: ImageRecord
    findings: tuple[Finding, ...]
    segmented: Segmented | None
    """None where a gate refuses the image, and no answer was asked for all the same."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What is unusual about the image, in words."""
        return (*self.record.flags, *(finding.message for finding in self.findings))

    @property
    def rejected(self) -> str | None:
        """Why a quality gate refuses the image; None where none does."""
        return rejection(self.findings)


@dataclass(frozen=True)
class Masks:
    """Answers to those records that the model could take, and the others with the reason."""

    model: SegmentationModel
    found: tuple[Outlined, ...]
    refused: tuple[Refused, ...]


def predict_segmentation(
    bundle: Bundle, request: PredictRequest, context: Context, collection: Collection
) -> Produced:
    """Per image or series: volume, voxels and certainty of each structure, and what is unusual about them."""
    masks = segment_collection(
        bundle, collection, context, precision=request.precision, refuse=request.refuse
    )
    rows = [_row(one, masks.model, refuse=request.refuse) for one in masks.found]
    notes = _notes(rows, masks, refuse=request.refuse)
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


def segment_collection(
    bundle: Bundle,
    collection: Collection,
    context: Context,
    *,
    precision: Precision = "fp32",
    refuse: bool = True,
) -> Masks:
    """Put every record of `collection` to gates and model of `bundle`; InputError where none suits it.

    With `refuse`, the model is not asked about images that a gate refuses.
    """
    model = SegmentationModel.from_bundle(bundle, precision=precision)
    gates = Gates.load(bundle.manifest["quality"], bundle.read)
    found, refused = [], list(collection.refused)
    with context.progress.step("outlining structures", total=len(collection.records)) as step:
        for record in collection.records:
            pixels = collection.pixels(record)
            try:
                check_fits(pixels, record, model.plan)
            except InputError as error:
                refused.append(Refused(record.name, error.message))
            else:
                said = tuple(gates.check(turned(record), turned_pixels(collection, record), None))
                kept = not refuse or rejection(said) is None
                found.append(Outlined(record, said, model.segment(pixels, record) if kept else None))
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


def _row(one: Outlined, model: SegmentationModel, *, refuse: bool) -> dict[str, Any]:
    flags = list(one.flags)
    answers: dict[str, dict[str, Any]] = {}
    if one.segmented is not None:
        answers = measured(one.record, one.segmented, model)
        flags += _unusual(answers, model)
    given = bool(answers)
    if given and not any(answer["voxels"] for answer in answers.values()):
        flags.append("no structure was found")
        given = not refuse or model.volume_ml is None
    row: dict[str, Any] = {"name": one.record.name, "status": "answered" if given else "refused"}
    for name in model.plan.structures:
        for key in ("voxels", "volume_ml", "certainty"):
            row[f"{key}_{slug(name)}"] = answers[name][key] if given else None
    row["flags"] = "; ".join(flags)
    row["quality"] = quality_of(one.findings)
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


def _notes(rows: list[dict[str, Any]], masks: Masks, *, refuse: bool) -> list[str]:
    notes = rejection_notes([one.findings for one in masks.found], refuse=refuse)
    flagged = sum(bool(row["flags"]) and row["status"] == "answered" for row in rows)
    if flagged:
        notes.append(f"{flagged} of {len(rows)} images are unusual for this model; see flags")
    if masks.refused:
        notes.append(f"{len(masks.refused)} files could not be read or do not fit the model; see refused")
    return notes


def _table(rows: list[dict[str, Any]], refused: tuple[Refused, ...]) -> dict[str, list[Any]]:
    """The rows as a table, with the files that were refused at its end."""
    table = {name: [row[name] for row in rows] for name in rows[0] if name != "quality"}
    for one in refused:
        for name in table:
            table[name].append({"name": one.name, "status": "refused", "flags": one.reason}.get(name))
    return table
