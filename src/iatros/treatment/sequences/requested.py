"""The action recommend of a model of next medications, behind the gate of safety."""

from __future__ import annotations

from typing import Any

from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.treatment.requests import RecommendRequest
from iatros.treatment.safety.actions import NO_PROMISE, knowledge_notes, named, open_gate
from iatros.treatment.safety.gate import Gate
from iatros.treatment.safety.patient_table import columns_of, patient_of, read_patients
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.sets import interaction_rate
from iatros.treatment.safety.telling import said, stopped
from iatros.treatment.sequences.answers import recommend_next
from iatros.treatment.sequences.bundle import open_sequences

_MOST = 100_000
_OF_RESPONSES = ("subject", "past", "covariate", "candidates", "include_taken")


def recommend_sequences(request: RecommendRequest, context: Context) -> Produced:
    """For each subject what such subjects are usually prescribed next, without what the knowledge stops.

    The gate sees the names of all medications and the patient, never a probability, before the first are listed.
    """
    for name in _OF_RESPONSES:
        if getattr(request, name):
            raise RequestError(f"{name} has no meaning for a model of next medications", hint="leave it out")
    if request.responses is None:
        raise RequestError(
            "give responses, the visits of the subjects, with the columns that were learned from"
        )
    gate = open_gate(request)
    _, fitted = open_sequences(request.model)
    produced = recommend_next(
        request.model,
        request.responses,
        context,
        visits=request.visits,
        covariates=None if fitted.reader is None else request.patients,
        top=_MOST,
        others=columns_of(request),
    )
    answers = produced.result["recommendations"]
    patients = _patients(request, gate, [one["subject"] for one in answers])
    for one, patient in zip(answers, patients, strict=True):
        names = [found["medication"] for found in one["medications"]]
        verdicts = gate.check(names, patient).verdicts
        kept = [
            found | {"safety": said(verdict)}
            for found, verdict in zip(one["medications"], verdicts, strict=True)
            if not verdict.stopped
        ]
        one["medications"] = [found | {"rank": k} for k, found in enumerate(kept[: request.top], start=1)]
        removed = [stopped(verdict) for verdict in verdicts if verdict.stopped]
        one |= {"n_stopped": len(removed), "stopped": removed}
    notes = [*produced.result["notes"], *knowledge_notes(gate.knowledge), NO_PROMISE]
    for note in notes:
        context.progress.note(note)
    sets = [[found["medication"] for found in one["medications"] if found["in_set"]] for one in answers]
    result = produced.result | {
        "interactions_within_sets": None
        if gate.knowledge.empty
        else interaction_rate(sets, gate.knowledge).document(),
        "knowledge": gate.knowledge.document(),
        "policy": vars(gate.policy),
        "notes": notes,
    }
    return Produced(result, table=_rows(answers, named(gate.knowledge)))


def _patients(request: RecommendRequest, gate: Gate, subjects: list[str]) -> list[Patient]:
    """What the gate is told of each subject: by a table of patients, or by fields where there is one subject."""
    if request.patients is not None:
        if request.patient_subject is None:
            raise RequestError(
                "give patient_subject, the column of the table of patients that names the subject"
            )
        told = read_patients(request.patients, request, gate.knowledge, subject=request.patient_subject)
        places = dict(zip(told.subjects or (), told.patients, strict=True))
        return [places.get(name, Patient()) for name in subjects]
    if len(subjects) == 1:
        return [patient_of(request, gate.knowledge)]
    if request.told_of_one():
        raise RequestError(
            f"{request.told_of_one()[0]} is about one patient, and the visits are of {len(subjects)}",
            hint="give a table of patients",
        )
    return [Patient()] * len(subjects)


def _rows(answers: list[dict[str, Any]], knowledge: str) -> dict[str, list[Any]]:
    """One row for each subject and medication."""
    names = ("rank", "medication", "probability", "spread", "in_set", "last_given", "n_subjects")
    rows = [(one["subject"], found) for one in answers for found in one["medications"]]
    return {
        "subject": [subject for subject, _ in rows],
        **{name: [found[name] for _, found in rows] for name in names},
        "safety": [found["safety"]["status"] for _, found in rows],
        "because": ["; ".join(found["safety"]["because"]) or None for _, found in rows],
        "reasons": ["; ".join(found["reasons"]) for _, found in rows],
        "basis": ["imitation of what was prescribed"] * len(rows),
        "knowledge": [knowledge] * len(rows),
    }
