"""What could not be checked, which is never taken for safe: unknown names, lists not told, values missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from iatros.treatment.safety.knowledge import Knowledge
from iatros.treatment.safety.rules import Contraindication
from iatros.treatment.safety.thresholds import Fact
from iatros.treatment.safety.vocabulary import Drug

if TYPE_CHECKING:
    from iatros.treatment.safety.gate import Policy, Told

GapKind = Literal["knowledge", "name", "class", "not told", "value"]


@dataclass(frozen=True, order=True, repr=False)
class Gap:
    """Something about a candidate that was not checked, and why; `stops` where the policy stops what is not known."""

    kind: GapKind
    reason: str
    stops: bool = False

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return {"kind": self.kind, "reason": self.reason, "stops": self.stops}


class Gaps:
    """What of one drug cannot be checked by the knowledge, whoever the patient is, and what it asks of a patient."""

    def __init__(
        self, drug: Drug, knowledge: Knowledge, stops: Callable[[str], bool], policy: Policy
    ) -> None:
        self._drug, self._knowledge, self._stops = drug, knowledge, stops
        self._unknown, self._missing = policy.unknown == "stop", policy.missing == "stop"
        partners, against = knowledge.partners, knowledge.against
        parties = [(key, other) for key in drug.keys & partners.keys() for other in partners[key]]
        self._by_class = any(knowledge.is_class(other) for _, other in parties)
        self._severities = {rule.severity for key, other in parties for rule in partners[key][other]}
        rules = [rule for key in drug.keys & against.keys() for rule in against[key]]
        self._conditions = [rule for rule in rules if rule.condition is not None]
        self._thresholds = [rule for rule in rules if rule.threshold is not None]

    def of(self, current: Sequence[Drug], told: Told) -> tuple[Gap, ...]:
        """What was not checked for a patient with `current` medication; each once, sorted."""
        if self._knowledge.empty:
            return (Gap("knowledge", "the knowledge has no rule", self._unknown),)
        found = {*self._own(), *self._of_current(current), *self._of_allergies(told)}
        return tuple(sorted(found.union(self._of_lists(told), self._of_values(told))))

    def _own(self) -> Iterator[Gap]:
        if not self._drug.known:
            yield self._not_known(self._drug, "it")
        elif not self._drug.codes and self._knowledge.about_classes:
            yield _no_class("it")

    def _of_current(self, current: Sequence[Drug]) -> Iterator[Gap]:
        for other in current:
            subject = f"{other.written} (current medication)"
            if not other.known:
                yield self._not_known(other, subject)
            elif self._by_class and not other.codes:
                yield _no_class(subject)

    def _not_known(self, drug: Drug, subject: str) -> Gap:
        if drug.codes:
            code = ", ".join(sorted(drug.codes))
            said = f"{subject} is known by the ATC code {code} alone: rules that name a drug were not checked"
            return Gap("name", said)
        near = self._knowledge.vocabulary.nearest(drug.written)
        asked = f" (is it {near}?)" if near else ""
        return Gap("name", f"{subject} is not in the knowledge{asked}", self._unknown)

    def _of_allergies(self, told: Told) -> Iterator[Gap]:
        for written, _, _ in told.allergies:
            if not self._knowledge.knows_allergy(written):
                yield Gap("name", f"the allergy to {written} is not in the knowledge", self._unknown)

    def _of_lists(self, told: Told) -> Iterator[Gap]:
        patient = told.patient
        if patient.current is None and self._severities:
            stops = self._missing and any(map(self._stops, self._severities))
            yield Gap("not told", "current medication was not told", stops)
        if patient.conditions is None and self._conditions:
            stops = self._missing and any(self._stops(rule.severity) for rule in self._conditions)
            yield Gap("not told", "conditions were not told", stops)
        if patient.allergies is None:
            yield Gap("not told", "allergies were not told", self._missing)

    def _of_values(self, told: Told) -> Iterator[Gap]:
        for rule in self._thresholds:
            if told.met(rule) is None:
                yield Gap("value", _why(rule, told), self._missing and self._stops(rule.severity))


def _why(rule: Contraindication, told: Told) -> str:
    assert rule.threshold is not None
    name, text = rule.threshold.name, rule.threshold.text
    if isinstance(rule.threshold, Fact):
        return f"{'pregnancy' if name == 'pregnant' else name} was not told"
    if told.laboratory.get(name):
        return f"the value of {name} leaves open whether {text}"
    return f"{name} is missing (rule: {text})"


def _no_class(subject: str) -> Gap:
    return Gap("class", f"no ATC code of {subject} is known: rules about classes were not checked")
