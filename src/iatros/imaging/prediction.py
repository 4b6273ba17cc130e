"""Predict: what each image or study shows, how sure the model is, and what is unusual about the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import BundleError
from iatros.imaging.answering import Answers, answer_collection, describe_answers
from iatros.imaging.gating import quality_of, rejection_notes
from iatros.imaging.requests import PredictRequest
from iatros.imaging.sources import open_collection


def predict(request: PredictRequest, context: Context) -> Produced:
    """One answer per image or series, in the order of the source; then one per study where it has several."""
    bundle = open_imaging(request.model)
    with context.progress.step("reading images"):
        collection = open_collection(
            request.images, context, table=request.table, window=bundle.manifest["request"]["window"]
        )
    if bundle.manifest["task"] == "segmentation":
        from iatros.imaging.segmentation import predict_segmentation

        return predict_segmentation(bundle, request, context, collection)
    answers = answer_collection(bundle, collection, context, precision=request.precision)
    rows = _rows(answers, refuse=request.refuse)
    notes = _notes(answers, refuse=request.refuse)
    for note in notes:
        context.progress.note(note)
    result = {
        **naming(bundle),
        "n": len(answers.records),
        "n_refused": len(answers.refused) + sum(row["status"] == "refused" for row in rows),
        "n_flagged": sum(bool(row["flags"]) for row in rows),
        "predictions": rows,
        "studies": _studies(answers, rows),
        "refused": [{"name": one.name, "reason": one.reason} for one in answers.refused],
        "notes": notes,
    }
    return Produced(result, table=_table(rows, answers))


def open_imaging(reference: Any) -> Bundle:
    """The bundle at `reference`; one of another domain raises BundleError."""
    bundle = open_bundle(reference)
    if bundle.manifest["domain"] != "imaging":
        raise BundleError(f"{bundle.name} answers questions of {bundle.manifest['domain']}, not of imaging")
    return bundle


def naming(bundle: Bundle) -> dict[str, Any]:
    """How an answer names the model that gave it."""
    manifest = bundle.manifest
    return {
        "domain": "imaging",
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
    }


def _rows(answers: Answers, *, refuse: bool) -> list[dict[str, Any]]:
    """One entry per record: name, status, the answer (empty where a gate refuses it), flags and how far out."""
    columns = describe_answers(answers.model.targets, answers.model.conformal, answers.predictions)
    rows = []
    for place, record in enumerate(answers.records):
        reason = answers.rejected(place) if refuse else None
        given = {name: None if reason else values[place] for name, values in columns.items()}
        row: dict[str, Any] = {"name": record.name, "status": "refused" if reason else "answered", **given}
        if len(answers.model.networks) > 1:
            row["spread"] = None if reason else float(answers.spread[place])
        if answers.slice_weights is not None:
            row["slice_weights"] = np.round(answers.slice_weights[place], 4).tolist()
        row["flags"] = "; ".join([*record.flags, *[finding.message for finding in answers.findings[place]]])
        row["quality"] = quality_of(answers.findings[place])
        rows.append(row)
    return rows


def _table(rows: list[dict[str, Any]], answers: Answers) -> dict[str, list[Any]]:
    """The rows as a table, with the files that were refused at its end."""
    names = [name for name in rows[0] if name not in ("quality", "slice_weights")]
    table = {name: [row[name] for row in rows] for name in names}
    for one in answers.refused:
        for name in names:
            table[name].append({"name": one.name, "status": "refused", "flags": one.reason}.get(name))
    return table


def _studies(answers: Answers, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean answer over the images of each study that has several; images that were refused do not count."""
    members: dict[str, list[int]] = {}
    for place, record in enumerate(answers.records):
        if record.study_uid is not None and rows[place]["status"] == "answered":
            members.setdefault(record.study_uid, []).append(place)
    studies = []
    for study, places in members.items():
        if len(places) < 2:
            continue
        means = [prediction[places].mean(axis=0, keepdims=True) for prediction in answers.predictions]
        columns = describe_answers(answers.model.targets, [None] * len(means), means)
        studies.append(
            {
                "study_uid": study,
                "images": [rows[place]["name"] for place in places],
                **{name: values[0] for name, values in columns.items()},
            }
        )
    return studies


def _notes(answers: Answers, *, refuse: bool) -> list[str]:
    n = len(answers.records)
    flagged = sum(any(finding.severity == "flag" for finding in found) for found in answers.findings)
    notes = rejection_notes(answers.findings, refuse=refuse)
    if flagged:
        notes.append(f"{flagged} of {n} images are unusual for this model; see flags")
    if answers.refused:
        notes.append(f"{len(answers.refused)} files could not be read or do not fit the model; see refused")
    return notes
