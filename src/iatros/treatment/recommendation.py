"""Recommend: treatments in order for each patient that is asked about."""

from __future__ import annotations

from typing import Any

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.treatment.requests import RecommendRequest
from iatros.treatment.responses.bundle import model_of
from iatros.treatment.responses.likeness import ResponseTable
from iatros.treatment.responses.recommending import candidates_of, listed, patients_of, rank


def recommend(request: RecommendRequest, context: Context) -> Produced:
    """The first treatments of each patient, with interval, reasons, and the number of subjects behind each."""
    bundle = open_bundle(request.model)
    model = model_of(bundle)
    candidates = candidates_of(model, request.candidates)
    patients = patients_of(bundle, model, request)
    table = ResponseTable(model.responses)
    better = bundle.manifest["better"]
    answers: list[dict[str, Any]] = []
    for name, patient in patients.items():
        ranked = rank(model, patient, better, candidates=candidates, taken_too=request.include_taken)
        answers.append(
            {"subject": name, "recommendations": listed(model, patient, ranked, table, request.top)}
        )
    result = {
        **naming(bundle),
        "n": len(answers),
        "better": better,
        "standing": bundle.manifest["standing"],
        "patients": answers,
        "notes": [f"every answer is {bundle.manifest['standing']}"],
    }
    for note in result["notes"]:
        context.progress.note(note)
    return Produced(result, table=_rows(answers))


def naming(bundle: Bundle) -> dict[str, Any]:
    """How an answer names the model that gave it."""
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "question": manifest["question"],
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
    }


def _rows(answers: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """One row for each recommendation."""
    names = ("rank", "treatment", "prediction", "low", "high", "n_subjects")
    rows = [
        (one["subject"], *(found[name] for name in names))
        for one in answers
        for found in one["recommendations"]
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(names) + 1)
    return {name: list(column) for name, column in zip(("subject", *names), columns, strict=True)}
