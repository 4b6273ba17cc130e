"""The gate: which treatments a patient may not be given by the knowledge, which need care, and what was not checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from iatros.core.errors import InputError
from iatros.treatment.safety.gaps import Gap, Gaps
from iatros.treatment.safety.knowledge import Knowledge
from iatros.treatment.safety.names import ATC_LENGTHS, condition_key
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.rules import Contraindication, Duplicate, Interaction, Kind, Rule, class_key
from iatros.treatment.safety.thresholds import Measurement
from iatros.treatment.safety.vocabulary import Drug

Status = Literal["stopped", "warning", "unchecked", "nothing found"]
STATUSES: tuple[Status, ...] = ("stopped", "warning", "unchecked", "nothing found")
"""From the worst. The last is no promise of safety: it says that the rules that were given found nothing."""

_OF_PATIENT = "what was told of the patient"


@dataclass(frozen=True)
class Policy:
    """What is stopped and what is only told.

    A finding at or above the severity `hard_stop` stops a treatment. `unknown` is about names that the knowledge does
    not have, `missing` about values that a rule as severe as a hard stop needs: told, or stopped. `same_drug` is about
    a drug that the patient takes already. With `together` the candidates are one set, each checked against the others.
    """

    hard_stop: str = "major"
    unknown: Literal["tell", "stop"] = "tell"
    missing: Literal["tell", "stop"] = "tell"
    same_drug: Literal["warn", "stop"] = "warn"
    together: bool = False


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing that speaks against a candidate: with what (`against`), by which rule, and where the rule stands.

    `severity` is empty for what the gate finds without a table: that the patient takes the drug already. `table` and
    `line` are None for what follows from what was told of the patient, such as an allergy to the drug itself.
    """

    kind: Kind
    candidate: str
    against: str
    stops: bool
    rule: str
    severity: str
    mechanism: str
    source: str
    table: str | None = None
    line: int | None = None
    place: str | None = None
    """`table` and `line` in words."""

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


@dataclass(frozen=True, repr=False)
class Verdict:
    """What the gate says of one candidate; `drugs` are what it stands for, without which nothing could be checked."""

    candidate: str
    drugs: tuple[str, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]

    @property
    def stopped(self) -> bool:
        """Whether it may not come out."""
        return any(one.stops for one in self.findings) or any(one.stops for one in self.gaps)

    @property
    def status(self) -> Status:
        """The worst that holds of it."""
        if self.stopped:
            return "stopped"
        return "warning" if self.findings else "unchecked" if self.gaps else "nothing found"

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "candidate": self.candidate,
            "drugs": list(self.drugs),
            "status": self.status,
            "findings": [one.document() for one in self.findings],
            "not_checked": [one.document() for one in self.gaps],
        }


@dataclass(frozen=True, repr=False)
class Checked:
    """The verdict on each candidate, in their order."""

    verdicts: tuple[Verdict, ...]
    unused_conditions: int
    """How many conditions of the patient no rule is about: perhaps written otherwise than in the knowledge."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """The candidates that are not stopped, in their order."""
        return tuple(one.candidate for one in self.verdicts if not one.stopped)

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "candidates": [one.document() for one in self.verdicts],
            "unused_conditions": self.unused_conditions,
        }


def check(
    candidates: Sequence[str], patient: Patient, knowledge: Knowledge, policy: Policy | None = None
) -> Checked:
    """What the knowledge says against each of `candidates` for the patient.

    A verdict depends on the candidate, the patient, the knowledge and the policy alone (with `policy.together` on the
    other candidates too), never on an order or a score. Another rule, or another medicine that the patient takes, can
    stop more and free nothing that a rule has stopped.

    RequestError for a `hard_stop` that the knowledge does not have; InputError for a value in a unit that cannot be
    turned into that of a rule.
    """
    return Gate(knowledge, policy or Policy()).check(candidates, patient)


class Gate:
    """A knowledge and a policy, ready for many patients; what names stand for is worked out once."""

    def __init__(self, knowledge: Knowledge, policy: Policy) -> None:
        self.knowledge, self.policy = knowledge, policy
        self._limit = knowledge.scale.rank(policy.hard_stop)
        self._drugs: dict[str, Drug] = {}
        self._gaps: dict[str, Gaps] = {}
        self._partners: dict[str, dict[str, tuple[Interaction, ...]]] = {}
        self._last: tuple[tuple[str, ...], Sequence[tuple[int, int, Finding]]] = ((), ())

    def check(self, candidates: Sequence[str], patient: Patient) -> Checked:
        """As the function `check`."""
        if isinstance(candidates, str) or not all(isinstance(one, str) for one in candidates):
            raise InputError("candidates are names of treatments", hint="give a list of texts")
        drugs = [self._drug(text) for text in candidates]
        current = [self._drug(text) for text in patient.current or ()]
        told = self._told(patient)
        pairs = self._pairs(tuple(candidates)) if self.policy.together else ()
        verdicts = []
        for place, drug in enumerate(drugs):
            found = [*self._of_patient(drug, told)]
            for other in current:
                found += self.between(drug, other)
            found += [
                finding if one == place else _turned(finding)
                for one, other, finding in pairs
                if place in (one, other)
            ]
            gaps = self._gaps_of(drug).of(current, told)
            verdicts.append(Verdict(drug.written, _shown(drug), self._sorted(found), gaps))
        return Checked(tuple(verdicts), told.n_unused)

    def pairs(self, candidates: Sequence[str]) -> tuple[Finding, ...]:
        """What speaks against taking two of `candidates` together, whoever takes them."""
        return tuple(finding for _, _, finding in self._pairs(tuple(candidates)))

    def between(self, drug: Drug, other: Drug) -> Iterator[Finding]:
        """What speaks against taking a drug with another."""
        partners = self._partners_of(drug)
        for key in sorted(other.keys & partners.keys()):
            for interaction in partners[key]:
                yield self._finding(interaction, interaction.text, drug, other.written)
        same = _same(drug, other)
        if same:
            stops = self.policy.same_drug == "stop"
            rule = "the same drug twice"
            yield Finding(
                "duplicate", drug.written, other.written, stops, rule, "", "both hold " + same, _OF_PATIENT
            )
        for duplicate in self.knowledge.duplicates:
            shared = _shared(duplicate, drug, other)
            if shared:
                yield self._finding(duplicate, f"{duplicate.text} (ATC:{shared})", drug, other.written)

    def _drug(self, text: str) -> Drug:
        if text not in self._drugs:
            self._drugs[text] = self.knowledge.drug(text)
        return self._drugs[text]

    def _partners_of(self, drug: Drug) -> dict[str, tuple[Interaction, ...]]:
        """For each key that the drug interacts with, by which rules."""
        if drug.written not in self._partners:
            found: dict[str, tuple[Interaction, ...]] = {}
            for key in sorted(drug.keys & self.knowledge.partners.keys()):
                for other, rules in self.knowledge.partners[key].items():
                    found[other] = (*found.get(other, ()), *rules)
            self._partners[drug.written] = found
        return self._partners[drug.written]

    def _gaps_of(self, drug: Drug) -> Gaps:
        if drug.written not in self._gaps:
            self._gaps[drug.written] = Gaps(drug, self.knowledge, self._stops, self.policy)
        return self._gaps[drug.written]

    def _stops(self, severity: str) -> bool:
        return self.knowledge.scale.names.index(severity) >= self._limit

    def _told(self, patient: Patient) -> Told:
        term = self.knowledge.vocabulary.term
        laboratory: dict[str, tuple[Measurement, ...]] = {}
        measured = [*patient.laboratory.items()]
        if patient.age_years is not None:
            measured.append(("age", (Measurement(patient.age_years, "years"),)))
        for name, values in measured:
            laboratory[term(name)] = (*laboratory.get(term(name), ()), *values)
        conditions = {
            key: text for text in patient.conditions or () for key in (condition_key(text), term(text))
        }
        unused = sum(not self.knowledge.knows_condition(text) for text in patient.conditions or ())
        allergies = [(text, term(text), self._drug(text)) for text in patient.allergies or ()]
        return Told(patient, laboratory, conditions, tuple(allergies), unused)

    def _of_patient(self, drug: Drug, told: Told) -> Iterator[Finding]:
        for rule in _found(self.knowledge.against, drug):
            against = told.against(rule)
            if against is not None:
                yield self._finding(rule, rule.text, drug, against)
        for written, term, allergen in told.allergies:
            for allergy in self.knowledge.by_allergy.get(term, ()):
                if allergy.drug.key in drug.keys:
                    yield self._finding(allergy, allergy.text, drug, f"allergy to {written}")
            if drug.names & allergen.names or any(class_key(code) in drug.keys for code in allergen.codes):
                worst, said = self.knowledge.scale.names[-1], "an allergy to the drug itself, or to its class"
                yield Finding(
                    "allergy", drug.written, f"allergy to {written}", True, said, worst, "", _OF_PATIENT
                )

    def _pairs(self, candidates: tuple[str, ...]) -> Sequence[tuple[int, int, Finding]]:
        if self._last[0] != candidates:
            drugs = [self._drug(text) for text in candidates]
            found = [
                (one, other, finding)
                for one in range(len(drugs))
                for other in range(one + 1, len(drugs))
                for finding in self._sorted(self.between(drugs[one], drugs[other]))
            ]
            self._last = (candidates, found)
        return self._last[1]

    def _finding(self, rule: Rule, text: str, drug: Drug, against: str) -> Finding:
        return Finding(
            rule.kind, drug.written, against, self._stops(rule.severity), text, rule.severity, rule.mechanism,
            rule.source, rule.table, rule.line, rule.place,
        )  # fmt: skip

    def _sorted(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Each once, the worst first."""
        names = ("", *self.knowledge.scale.names)

        def order(one: Finding) -> tuple[Any, ...]:
            return (
                -one.stops,
                -names.index(one.severity),
                one.kind,
                one.rule,
                one.against,
                one.table or "",
                one.line or 0,
            )

        return tuple(sorted(set(findings), key=order))


@dataclass(frozen=True, repr=False)
class Told:
    """What was told of the patient, by the spelling of the knowledge."""

    patient: Patient
    laboratory: Mapping[str, tuple[Measurement, ...]]
    conditions: Mapping[str, str]
    allergies: tuple[tuple[str, str, Drug], ...]
    n_unused: int

    def against(self, rule: Contraindication) -> str | None:
        """By what of the patient the rule holds; None where it does not, or where that is not known."""
        if rule.threshold is not None:
            return rule.threshold.text if self.met(rule) else None
        wanted = str(rule.condition)
        if rule.prefix:
            return next(
                (self.conditions[key] for key in sorted(self.conditions) if key.startswith(wanted)), None
            )
        return self.conditions.get(wanted)

    def met(self, rule: Contraindication) -> bool | None:
        """Whether the threshold of the rule is met; None where that is not known."""
        assert rule.threshold is not None
        try:
            return self.patient.meets(rule.threshold, self.laboratory.get(rule.threshold.name, ()))
        except InputError as error:
            raise InputError(error.message, hint=error.hint, where=rule.place) from None


def _found(rules: Mapping[str, tuple[Contraindication, ...]], drug: Drug) -> Iterator[Contraindication]:
    for key in sorted(drug.keys & rules.keys()):
        yield from rules[key]


def _same(drug: Drug, other: Drug) -> str:
    """What both hold, in words; empty where it is nothing."""
    whole = {code for code in drug.codes & other.codes if len(code) == ATC_LENGTHS[5]}
    return ", ".join(sorted(drug.names & other.names) or sorted(whole))


def _shared(rule: Duplicate, drug: Drug, other: Drug) -> str:
    """The class of the rule's level that both are in, and within its class; empty where there is none."""
    length = ATC_LENGTHS[rule.level]
    one, two = (
        {code[:length] for code in one.codes if len(code) >= length and code.startswith(rule.code)}
        for one in (drug, other)
    )
    return min(one & two, default="")


def _turned(finding: Finding) -> Finding:
    """The finding as it is told of the other of the two."""
    swapped = {"candidate": finding.against, "against": finding.candidate}
    return Finding(**{**vars(finding), **swapped})


def _shown(drug: Drug) -> tuple[str, ...]:
    return tuple(sorted(drug.names)) if drug.known else ()
