"""The action `check`: what a knowledge says against medicines, for one patient or for a table of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, TableError
from iatros.treatment.safety.gate import STATUSES, Checked, Finding, Gate, Policy, Verdict
from iatros.treatment.safety.knowledge import Knowledge
from iatros.treatment.safety.loading import load_knowledge
from iatros.treatment.safety.patient_table import PatientRows, candidates_of, patient_of, read_patients
from iatros.treatment.safety_requests import CheckRequest, SafetyFields

NO_PROMISE = (
    "nothing found is no promise of safety: it says what the given rules found. "
    "Research software, not a medical device"
)
_DIGITS = 12
"""Of the fingerprint, where it is shown in short."""


def open_gate(request: SafetyFields, *, together: bool = False) -> Gate:
    """The gate that a request asks for; without a knowledge it has no rules, and says so in every answer."""
    knowledge = load_knowledge({} if request.knowledge is None else request.knowledge)
    policy = Policy(request.hard_stop, request.unknown, request.missing, request.same_drug, together)
    return Gate(knowledge, policy)


def knowledge_notes(knowledge: Knowledge) -> list[str]:
    """What must be told about the knowledge with every answer; no patient data."""
    about = knowledge.about
    n = len(knowledge.rules)
    notes = [f"{named(knowledge)}: {n:,} rules"] if n else []
    if knowledge.empty:
        notes.append("the knowledge is empty: nothing was checked for safety, and nothing is said to be safe")
    if about.notice:
        notes.append(f"the knowledge says of itself: {about.notice}")
    if n and not about.version:
        notes.append("the knowledge tells no version: put it in knowledge.yaml")
    if knowledge.unlisted:
        first = "; ".join(f"{one.name} ({one.place})" for one in knowledge.unlisted[:3])
        notes.append(
            f"{len(knowledge.unlisted):,} drugs of rules stand in no table of names, perhaps misspelt: {first}"
            + ("; ..." if len(knowledge.unlisted) > 3 else "")
        )
    return [*notes, *(() if knowledge.empty else knowledge.notes)]


def named(knowledge: Knowledge) -> str:
    """A knowledge by its version and the beginning of its fingerprint."""
    return f"knowledge {knowledge.about.version or 'without version'} ({knowledge.fingerprint[:_DIGITS]})"


def check(request: CheckRequest, context: Context) -> Produced:
    """One answer for each candidate of each patient, in the order of the table."""
    gate = open_gate(request, together=request.together)
    knowledge = gate.knowledge
    given = candidates_of(request.candidates, knowledge)
    if request.patients is None:
        told = PatientRows((patient_of(request, knowledge),), (None,), None, ("the patient",))
    else:
        told = read_patients(request.patients, request, knowledge, subject=request.subject)
    answers = list(_answers(gate, told, given))
    if not answers:
        raise TableError("there is nothing to check", hint="give candidates, or tell the current medication")
    notes = [*knowledge_notes(knowledge), *told.notes, *_notes(answers, told), NO_PROMISE]
    for note in notes:
        context.progress.note(note)
    statuses = Counter(verdict.status for _, checked in answers for verdict in checked.verdicts)
    result = {
        "domain": "treatment",
        "question": "safety",
        "knowledge": knowledge.document(),
        "policy": {name: value for name, value in vars(gate.policy).items() if name != "together"},
        "n": len(told.patients),
        "n_checked": statuses.total(),
        **{f"n_{status.replace(' ', '_')}": statuses[status] for status in STATUSES},
        "checked": [_checked(gate, told, at, checked) for at, checked in answers],
        "notes": notes,
    }
    return Produced(result, table=_table(answers, told, knowledge))


def _answers(gate: Gate, told: PatientRows, given: tuple[str, ...] | None) -> Iterator[tuple[int, Checked]]:
    """The verdicts on the candidates of each patient that has some, or else on what the patient takes."""
    # A list that is checked against itself: each medicine beside all the others.
    of_current = Gate(gate.knowledge, replace(gate.policy, together=True))
    for at, patient in enumerate(told.patients):
        own = told.candidates[at] if told.candidates[at] is not None else given
        try:
            if own is not None:
                yield at, gate.check(own, patient)
            elif patient.current is not None:
                yield at, of_current.check(patient.current, replace(patient, current=()))
        except InputError as error:
            where = f"{told.places[at]}; {error.where}" if error.where else told.places[at]
            raise type(error)(error.message, hint=error.hint, where=where) from None


def _notes(answers: Sequence[tuple[int, Checked]], told: PatientRows) -> list[str]:
    """Counts over all patients, without a word about one of them."""
    verdicts = [verdict for _, checked in answers for verdict in checked.verdicts]
    notes = []
    idle = len(told.patients) - len(answers)
    if idle:
        notes.append(
            f"{idle:,} of {len(told.patients):,} patients have neither candidates nor current medication"
        )
    unknown = sum(not verdict.drugs for verdict in verdicts)
    if unknown:
        notes.append(f"{unknown:,} of {len(verdicts):,} candidates are not in the knowledge: see not_checked")
    gaps = sum(bool(verdict.gaps) for verdict in verdicts)
    if gaps:
        notes.append(
            f"{gaps:,} of {len(verdicts):,} answers are incomplete, because something was not known or not told"
        )
    unused = sum(checked.unused_conditions for _, checked in answers)
    if unused:
        notes.append(
            f"{unused:,} conditions are such as no rule is about: codes and names must be those of the knowledge"
        )
    return notes


def _checked(gate: Gate, told: PatientRows, at: int, checked: Checked) -> dict[str, Any]:
    pairs = gate.pairs([verdict.candidate for verdict in checked.verdicts])
    return _naming(told, at) | checked.document() | {"pairs": [finding.document() for finding in pairs]}


def _naming(told: PatientRows, at: int) -> dict[str, Any]:
    naming: dict[str, Any] = {"row": at}
    return naming if told.subjects is None else naming | {"subject": told.subjects[at]}


def _table(
    answers: Sequence[tuple[int, Checked]], told: PatientRows, knowledge: Knowledge
) -> dict[str, list[Any]]:
    rows = [
        {**_naming(told, at), **_row(verdict), "knowledge": named(knowledge)}
        for at, checked in answers
        for verdict in checked.verdicts
    ]
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {"row": 0})}


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "candidate": verdict.candidate,
        "status": verdict.status,
        "severity": next((one.severity for one in verdict.findings if one.severity), None),
        "because": "; ".join(map(sentence, verdict.findings)) or None,
        "not_checked": "; ".join(gap.reason for gap in verdict.gaps) or None,
    }


def sentence(finding: Finding) -> str:
    """A finding in one line: what with what, how severe, why, and where the rule stands."""
    where = "" if finding.place is None else f"; {finding.place}"
    why = f": {finding.mechanism}" if finding.mechanism else ""
    severity = f"[{finding.severity}] " if finding.severity else ""
    return f"{severity}{finding.rule}, here {finding.against}{why} ({finding.source}{where})"
