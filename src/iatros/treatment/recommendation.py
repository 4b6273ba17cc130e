"""Recommend: treatments in order for each patient that is asked about, behind the gate of safety."""

from __future__ import annotations

from typing import Any

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.treatment.requests import RecommendRequest
from iatros.treatment.responses.bundle import ResponseModel, model_of
from iatros.treatment.responses.likeness import ResponseTable
from iatros.treatment.responses.recommending import Ranked, candidates_of, listed, patients_of, rank
from iatros.treatment.safety.actions import NO_PROMISE, knowledge_notes, named, open_gate
from iatros.treatment.safety.gate import Gate, Verdict
from iatros.treatment.safety.patient_table import patient_of, read_patients
from iatros.treatment.safety.patients import Patient as SafetyPatient
from iatros.treatment.safety.telling import said, stopped

STOPPED_SHOWN = 100


def recommend(request: RecommendRequest, context: Context) -> Produced:
    """The first treatments of each patient that safety does not stop, with interval, reasons and what was stopped.

    The gate sees names of treatments and the patient, never a score. It judges every candidate before any is listed.
    """
    bundle = open_bundle(request.model)
    if bundle.manifest.get("question") == "sequences":
        from iatros.treatment.sequences.requested import recommend_sequences

        return recommend_sequences(request, context)
    model = model_of(bundle)
    candidates = candidates_of(model, request.candidates)
    patients = patients_of(bundle, model, request)
    gate = open_gate(request)
    safety = _safety_patients(request, gate, list(patients))
    table = ResponseTable(model.responses)
    better = bundle.manifest["better"]
    answers = []
    for (name, patient), own in zip(patients.items(), safety, strict=True):
        ranked = rank(model, patient, better, candidates=candidates, taken_too=request.include_taken)
        verdicts = _verdicts(
            model, gate, ranked, own, at_doses=bundle.manifest["columns"]["dose"] is not None
        )
        allowed = _allowed(ranked, verdicts)
        found = listed(model, patient, allowed, table, request.top)
        for one in found:
            one["safety"] = said(verdicts[one["treatment"]])
        removed = [
            stopped(verdict) | {"treatment": treatment}
            for treatment, verdict in verdicts.items()
            if verdict.stopped
        ]
        answers.append(
            {
                "subject": name,
                "recommendations": found,
                "n_stopped": len(removed),
                "stopped": removed[:STOPPED_SHOWN],
            }
        )
    notes = [f"every answer is {bundle.manifest['standing']}", *knowledge_notes(gate.knowledge), NO_PROMISE]
    result = {
        **naming(bundle),
        "n": len(answers),
        "better": better,
        "standing": bundle.manifest["standing"],
        "knowledge": gate.knowledge.document(),
        "policy": vars(gate.policy),
        "patients": answers,
        "notes": notes,
    }
    for note in notes:
        context.progress.note(note)
    return Produced(result, table=_rows(answers, named(gate.knowledge)))


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


def _safety_patients(request: RecommendRequest, gate: Gate, names: list[str]) -> list[SafetyPatient]:
    """What the gate is told of each patient, in their order: by a table of patients, or by fields of one."""
    if request.patients is not None:
        return list(read_patients(request.patients, request, gate.knowledge).patients)
    if len(names) == 1:
        return [patient_of(request, gate.knowledge)]
    if told := request.told_of_one():
        raise RequestError(
            f"{told[0]} is about one patient, and the responses are of {len(names)}",
            hint="give a table of patients",
        )
    return [SafetyPatient()] * len(names)


def _verdicts(
    model: ResponseModel, gate: Gate, ranked: Ranked, patient: SafetyPatient, *, at_doses: bool
) -> dict[str, Verdict]:
    """The verdict on each treatment; one at a dose is checked by the name of the drug, which the rules are about."""
    names = [model.treatments[place] for place in ranked.places]
    drugs = [name.rpartition(" ")[0] for name in names] if at_doses else names
    return dict(zip(names, gate.check(drugs, patient).verdicts, strict=True))


def _allowed(ranked: Ranked, verdicts: dict[str, Verdict]) -> Ranked:
    """What the gate lets through, in its order."""
    kept = [k for k, verdict in enumerate(verdicts.values()) if not verdict.stopped]
    return Ranked(ranked.places[kept], ranked.prediction[kept], ranked.low[kept], ranked.high[kept])


def _rows(answers: list[dict[str, Any]], knowledge: str) -> dict[str, list[Any]]:
    """One row for each recommendation."""
    names = ("rank", "treatment", "prediction", "low", "high", "n_subjects")
    columns: dict[str, list[Any]] = {
        name: [] for name in ("subject", *names, "safety", "because", "not_checked", "knowledge")
    }
    for one in answers:
        for found in one["recommendations"]:
            columns["subject"].append(one["subject"])
            for name in names:
                columns[name].append(found[name])
            columns["safety"].append(found["safety"]["status"])
            columns["because"].append("; ".join(found["safety"]["because"]) or None)
            columns["not_checked"].append("; ".join(found["safety"]["not_checked"]) or None)
            columns["knowledge"].append(knowledge)
    return columns
