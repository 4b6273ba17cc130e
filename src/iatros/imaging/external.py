"""Evaluate: a trained model on images from elsewhere or from later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError, RequestError
from iatros.core.report import render
from iatros.core.task import Target
from iatros.imaging.answering import Answers, answer_collection
from iatros.imaging.cohort import subgroup_labels, subject_codes
from iatros.imaging.evaluation import evidence, evidence_of_labels
from iatros.imaging.gating import count_findings
from iatros.imaging.labels import relabel
from iatros.imaging.levels import slice_and_study
from iatros.imaging.prediction import naming, open_imaging
from iatros.imaging.prevalence import consequences, prevalence_of
from iatros.imaging.report import build
from iatros.imaging.requests import EvaluateRequest
from iatros.imaging.schema import Collection, Refused
from iatros.imaging.sources import open_collection


def evaluate(request: EvaluateRequest, context: Context) -> Produced:
    """Metrics, calibration, thresholds, subgroups and quality of a bundle on images whose truth is known."""
    bundle = open_imaging(request.model)
    with context.progress.step("reading images"):
        collection = open_collection(
            request.images,
            context,
            table=request.table,
            subject=request.subject,
            site=request.site,
            split=request.split,
            window=bundle.manifest["request"]["window"],
        )
    collection = _one_side(collection, request.side)
    if bundle.manifest["task"] == "segmentation":
        from iatros.imaging.segmentation import evaluate_segmentation

        return evaluate_segmentation(bundle, request, context, collection)
    collection, unlabelled = _labelled(bundle, collection, request)
    answers = answer_collection(bundle, collection, context, precision=request.precision)
    with context.progress.step("metrics and intervals"):
        result = {**_naming(bundle), **_judge(bundle, collection, answers, unlabelled, request)}
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def _one_side(collection: Collection, side: str | None) -> Collection:
    """Only the records of the side that was asked for."""
    if side is None:
        return collection
    kept = tuple(record for record in collection.records if record.split == side)
    if not kept:
        known = sorted({record.split for record in collection.records if record.split is not None})
        raise RequestError(
            f"no image is on the side {side!r}",
            hint=f"sides of this source: {', '.join(known) or 'none'}",
        )
    return replace(collection, records=kept)


def _labelled(
    bundle: Bundle, collection: Collection, request: EvaluateRequest
) -> tuple[Collection, list[Refused]]:
    """The records whose truth is known and among the model's classes, and the others with the reason."""
    y = np.column_stack(_truth(bundle, collection, request))
    refused, kept = [], []
    for record, values in zip(collection.records, y, strict=True):
        if (values == -1).any() and bundle.manifest["targets"][0]["task"] != "continuous":
            refused.append(Refused(record.name, "its class is none of those that the model knows"))
        elif not np.isfinite(values).any():
            refused.append(Refused(record.name, "image without label"))
        else:
            kept.append(record)
    if not kept:
        reasons = sorted({one.reason for one in refused})
        raise OutcomeError(f"none of {len(refused)} images can be judged: {'; '.join(reasons)}")
    return replace(collection, records=tuple(kept)), refused


def _truth(bundle: Bundle, collection: Collection, request: EvaluateRequest) -> list[np.ndarray]:
    asked = bundle.manifest["request"]
    targets = [Target(**{**one, "classes": tuple(one["classes"])}) for one in bundle.manifest["targets"]]
    return relabel(collection.records, request.label or asked["label"], targets, asked["positive"])


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        **naming(bundle),
        "targets": manifest["targets"],
        "objective": manifest["objective"],
        "task": manifest["task"],
        "validation": "external",
        "headline_split": "external",
        "parent": bundle.parent_reference,
    }


def _judge(
    bundle: Bundle,
    collection: Collection,
    answers: Answers,
    unlabelled: list[Refused],
    request: EvaluateRequest,
) -> dict[str, Any]:
    model, records = answers.model, answers.records
    groups = subject_codes(records)
    judged = replace(collection, records=records)
    y = _truth(bundle, judged, request)
    cuts = _cuts(bundle)
    raw = model.finish_uncalibrated(answers.logits)
    common: dict[str, Any] = {
        "subgroups": subgroup_labels(records, request.subgroup),
        "confidence_level": request.confidence_level,
        "coverage": bundle.manifest["request"]["coverage"],
        "seed": request.seed,
    }
    if len(model.targets) > 1:
        parts = evidence_of_labels(
            model.targets, y, answers.predictions, groups, uncalibrated=raw, conformal=model.conformal,
            cuts=[cuts.get(target.name, {}) for target in model.targets], **common,
        )  # fmt: skip
    else:
        parts = evidence(
            model.targets[0], y[0], answers.predictions[0], groups, uncalibrated=raw[0],
            conformal=model.conformal[0], cuts=cuts.get(model.targets[0].name, {}),
            ordered=bundle.manifest["objective"] == "ordinal", **common,
        )  # fmt: skip
    metrics = parts.pop("metrics")
    refused = [*answers.refused, *unlabelled]
    return {
        "metrics": {"external": metrics},
        **parts,
        "prevalence": _shift(bundle, model.targets, y, groups, parts, request),
        "slices": _levels(answers, y, groups, request),
        "quality": count_findings(answers.findings),
        "splits": {"external": {"n_rows": len(records), "n_patients": len(np.unique(groups)),
                                "n_events": int(np.nansum(y[0])) if model.targets[0].task == "binary" else None}},
        "data": {
            "source": collection.source,
            "n_read": len(collection.records) + len(unlabelled),
            "n_used": len(records),
            "n_refused": len(refused),
            "refused": [{"name": one.name, "reason": one.reason} for one in refused[:200]],
        },
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "notes": list(collection.notes),
    }  # fmt: skip


def _cuts(bundle: Bundle) -> dict[str, dict[str, float]]:
    """The thresholds of each target, chosen when the model was trained."""
    first = bundle.manifest["targets"][0]["name"]
    found: dict[str, dict[str, float]] = {}
    for cut in bundle.manifest["chosen_thresholds"]:
        found.setdefault(cut.get("target", first), {})[cut["name"]] = float(cut["threshold"])
    return found


def _shift(
    bundle: Bundle,
    targets: tuple[Target, ...],
    y: list[np.ndarray],
    groups: np.ndarray,
    parts: dict[str, Any],
    request: EvaluateRequest,
) -> dict[str, Any]:
    """How common the finding is here and was in training, and what the calibrated operating point does at each."""
    level = request.confidence_level
    here = {"external": np.arange(len(groups))}
    sides = prevalence_of(targets, y, groups, here, reference="external", confidence_level=level)
    found: dict[str, Any] = {"sides": sides}
    if len(targets) > 1:
        return found
    before = ((bundle.manifest["prevalence"] or {}).get("sides") or {}).get("levels") or {}
    sides["levels"] |= {f"development: {name}": one for name, one in before.items()}
    point = next((row for row in parts["operating_points"] if row["on"] == "calibrated"), None)
    if targets[0].task == "binary" and point is not None:
        found["consequences"] = consequences(
            sides["levels"],
            point["sensitivity"],
            point["specificity"],
            threshold=point["threshold"],
            confidence_level=level,
        )
    return found


def _levels(
    answers: Answers, y: list[np.ndarray], groups: np.ndarray, request: EvaluateRequest
) -> dict[str, Any] | None:
    if answers.slice_predictions is None or answers.slice_owner is None or len(y) > 1:
        return None
    rows = answers.slice_owner
    return slice_and_study(
        answers.model.targets[0],
        y[0][rows],
        answers.slice_predictions[0],
        rows,
        groups[rows],
        confidence_level=request.confidence_level,
        seed=request.seed,
    )
