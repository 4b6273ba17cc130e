"""Asking a bundle about images: what every record gets as an answer, or why it gets none. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.context import Context
from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.imaging.gating import rejection
from iatros.imaging.inputs import prepare
from iatros.imaging.patients import encoded
from iatros.imaging.prepared import Prepared, prepare_records
from iatros.imaging.quality import Finding, Gates
from iatros.imaging.schema import Collection, ImageRecord, InputSpec, Refused
from iatros.imaging.scoring import ImagingModel, Precision

_BLOCK = 256


@dataclass(frozen=True)
class Answers:
    """Answers for `records`, those that the network could take; arrays have one entry per record."""

    model: ImagingModel
    records: tuple[ImageRecord, ...]
    predictions: tuple[np.ndarray, ...]
    """Calibrated, one array per target."""
    logits: np.ndarray
    features: np.ndarray
    spread: np.ndarray
    """Standard deviation of the members of an ensemble; NaN for one network."""
    slice_weights: list[np.ndarray] | None
    slice_predictions: tuple[np.ndarray, ...] | None
    """Where slices were asked one by one: uncalibrated answers of each slice, with `slice_owner`."""
    slice_owner: np.ndarray | None
    findings: tuple[tuple[Finding, ...], ...]
    refused: tuple[Refused, ...]
    """What could not be read, or not be put to this network."""

    def rejected(self, row: int) -> str | None:
        """Why a quality gate refuses the image of a row; None where none does."""
        return rejection(self.findings[row])


def answer_collection(
    bundle: Bundle, collection: Collection, context: Context, *, precision: Precision = "fp32"
) -> Answers:
    """Put every record of `collection` to the model of `bundle`; what does not fit it is refused with the reason."""
    model = ImagingModel.from_bundle(bundle, precision=precision)
    gates = Gates.load(bundle.manifest["quality"], bundle.read)
    slicewise = bool(bundle.manifest["network"]["slicewise"])
    records, refused = fitting_records(collection, model.spec, slicewise)
    if not records:
        reasons = sorted({one.reason for one in (*refused, *collection.refused)})
        raise InputError(
            f"none of {len(refused) + len(collection.refused)} files can be put to this model: {'; '.join(reasons[:3])}"
        )
    prepared = prepare_records(collection, records, model.spec, context.progress, slicewise=slicewise)
    raw = _raw(model, prepared, records, context)
    every = np.arange(len(records))
    logits = prepared.mean_over_records(raw["logits"], every)
    features = prepared.mean_over_records(raw["features"], every)
    with context.progress.step("quality gates", total=len(records)) as step:
        findings = []
        for row, record in enumerate(records):
            findings.append(tuple(gates.check(record, collection.pixels(record), features[row])))
            step.advance()
    return Answers(
        model=model,
        records=records,
        predictions=tuple(model.finish(logits)),
        logits=logits,
        features=features,
        spread=prepared.mean_over_records(raw["spread"], every),
        slice_weights=raw["slice_weights"],
        slice_predictions=None if prepared.one_each else tuple(model.finish_uncalibrated(raw["logits"])),
        slice_owner=None if prepared.one_each else prepared.owner,
        findings=tuple(findings),
        refused=(*collection.refused, *refused),
    )


def fitting_records(
    collection: Collection, spec: InputSpec, slicewise: bool
) -> tuple[tuple[ImageRecord, ...], list[Refused]]:
    """The records that a network of `spec` can take, and the others with the reason."""
    kept, refused = [], []
    for record in collection.records:
        reason = _misfit(record, spec, slicewise)
        if reason is None:
            kept.append(record)
        else:
            refused.append(Refused(record.name, reason))
    return tuple(kept), refused


def _misfit(record: ImageRecord, spec: InputSpec, slicewise: bool) -> str | None:
    shape = record.shape
    if slicewise:
        if len(shape) != 4:
            return "this is a single image, and the model takes series of slices"
        shape = (shape[0], *shape[2:])
    # An array of one number in each direction is enough to be told what does not fit.
    smallest = np.zeros((shape[0], *([1] * (len(shape) - 1))), dtype=np.uint8)
    try:
        prepare(smallest, InputSpec(spec.kind, spec.channels, tuple(1 for _ in spec.size)))
    except InputError as error:
        return error.message
    return None


def _raw(
    model: ImagingModel, prepared: Prepared, records: Sequence[ImageRecord], context: Context
) -> dict[str, Any]:
    """Logits, features, spread of every array, in blocks that a person can watch."""
    table = encoded(model.table, records)
    n = len(prepared.owner)
    parts: list[Any] = []
    with context.progress.step("asking the model", total=n) as step:
        for start in range(0, n, _BLOCK):
            positions = np.arange(start, min(start + _BLOCK, n))
            rows = None if table is None else table[prepared.owner[positions]]
            parts.append(model.raw(prepared.take(positions), table=rows))
            step.advance(len(positions))
    weights = None
    if parts[0].slice_weights is not None:
        weights = [one for part in parts for one in part.slice_weights]
    return {
        "logits": np.concatenate([part.logits for part in parts]),
        "features": np.concatenate([part.features for part in parts]),
        "spread": np.concatenate([part.spread for part in parts]),
        "slice_weights": weights,
    }


def describe_answers(
    targets: Sequence[Target],
    conformal: Sequence[ConformalSet | ConformalInterval | None],
    predictions: Sequence[np.ndarray],
) -> dict[str, list[Any]]:
    """The columns of an answer: probability or value, the conformal set or interval, target by target."""
    columns: dict[str, list[Any]] = {}
    for target, rule, prediction in zip(targets, conformal, predictions, strict=True):
        prefix = f"{target.name}_" if len(targets) > 1 else ""
        columns |= {f"{prefix}{name}": values for name, values in _columns(target, rule, prediction).items()}
    return columns


def _columns(
    target: Target, rule: ConformalSet | ConformalInterval | None, prediction: np.ndarray
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    if target.task == "continuous":
        columns["prediction"] = prediction.tolist()
        if isinstance(rule, ConformalInterval):
            low, high = rule.apply(prediction)
            columns |= {"low": _finite(low), "high": _finite(high)}
        return columns
    if target.task == "binary":
        columns["probability"] = prediction.tolist()
    else:
        columns["prediction"] = [target.classes[k] for k in prediction.argmax(axis=1)]
        columns |= {f"probability_{name}": prediction[:, k].tolist() for k, name in enumerate(target.classes)}
    if isinstance(rule, ConformalSet):
        columns["conformal_set"] = [
            " | ".join(name for name, held in zip(target.classes, row, strict=True) if held)
            for row in rule.sets(prediction)
        ]
    return columns


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
