"""The knowledge that a check goes by: rules and names from tables that the user gave, with a fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from iatros.core.errors import TableError
from iatros.treatment.safety.names import ATC_LENGTHS, CLASS, as_atc, condition_key, folded, level_of
from iatros.treatment.safety.rows import RULES, TABLES, Row
from iatros.treatment.safety.rules import (
    AllergyRule,
    Contraindication,
    Duplicate,
    Interaction,
    Party,
    Rule,
    Scale,
    class_key,
)
from iatros.treatment.safety.thresholds import Limit, read_threshold
from iatros.treatment.safety.vocabulary import Drug, Vocabulary, build_vocabulary

SHOWN = 20
"""Drugs that stand in no table of names, as many as an answer lists."""

_ANYWHERE = "*"
_SHORTEST_PREFIX = 2


@dataclass(frozen=True)
class About:
    """What a knowledge says of itself; every answer carries its version."""

    version: str = ""
    source: str = ""
    licence: str = ""
    notice: str = ""


@dataclass(frozen=True)
class Unlisted:
    """A drug that a rule names and that stands in no table of names: perhaps misspelt."""

    name: str
    place: str


@dataclass(frozen=True)
class Knowledge:
    """Rules with their places, and what names mean. Empty knowledge answers too: that nothing was checked."""

    about: About
    scale: Scale
    vocabulary: Vocabulary
    interactions: tuple[Interaction, ...] = ()
    contraindications: tuple[Contraindication, ...] = ()
    allergies: tuple[AllergyRule, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()
    """Content of the tables of names, sorted; a part of the fingerprint."""
    unlisted: tuple[Unlisted, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule."""
        return (*self.interactions, *self.contraindications, *self.allergies, *self.duplicates)

    @property
    def empty(self) -> bool:
        """Whether there is no rule at all."""
        return not self.rules

    def counts(self) -> dict[str, int]:
        """The number of rules in each table."""
        return {table: len(getattr(self, table)) for table in RULES}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the severities, rules and names; file names, order of rows and repeats do not enter."""
        digest = hashlib.sha256(json.dumps(self.scale.names).encode())
        contents = {table: {_content(rule) for rule in getattr(self, table)} for table in RULES}
        for table, lines in {**contents, "names": set(self.names)}.items():
            digest.update(f"\n{table}\n".encode())
            for line in sorted(lines):
                digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    def document(self) -> dict[str, Any]:
        """How an answer names the knowledge."""
        about = dataclasses.asdict(self.about)
        return {
            **{key: value or None for key, value in about.items()},
            "fingerprint": self.fingerprint,
            "severities": list(self.scale.names),
            "rules": self.counts(),
            "empty": self.empty,
            "n_unlisted": len(self.unlisted),
            "unlisted": [dataclasses.asdict(one) for one in self.unlisted[:SHOWN]],
        }

    @cached_property
    def partners(self) -> dict[str, dict[str, tuple[Interaction, ...]]]:
        """For each key the keys that it interacts with, and by which rules."""
        found: dict[str, dict[str, tuple[Interaction, ...]]] = {}
        for rule in self.interactions:
            for one, other in {(rule.one.key, rule.other.key), (rule.other.key, rule.one.key)}:
                there = found.setdefault(one, {})
                there[other] = (*there.get(other, ()), rule)
        return found

    @cached_property
    def against(self) -> dict[str, tuple[Contraindication, ...]]:
        """Contraindications by the key of their drug."""
        return _grouped((rule.drug.key, rule) for rule in self.contraindications)

    @cached_property
    def by_allergy(self) -> dict[str, tuple[AllergyRule, ...]]:
        """Rules about allergies by the allergy."""
        return _grouped((rule.allergy, rule) for rule in self.allergies)

    @cached_property
    def conditions(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """The conditions that some rule is about, and the beginnings of conditions that some rule is about."""
        named = [rule for rule in self.contraindications if rule.condition is not None]
        exact = frozenset(str(rule.condition) for rule in named if not rule.prefix)
        return exact, tuple(sorted({str(rule.condition) for rule in named if rule.prefix}))

    @cached_property
    def about_classes(self) -> bool:
        """Whether some rule is about a class of drugs, which asks for the ATC code of a drug."""
        others = (*self.against, *(rule.drug.key for rule in self.allergies))
        return bool(self.duplicates) or any(map(self.is_class, (*self.partners, *others)))

    @staticmethod
    def is_class(key: str) -> bool:
        """Whether the key of a party is that of a class."""
        return key.startswith(CLASS)

    def knows_condition(self, text: str) -> bool:
        """Whether some rule or term is about a condition."""
        keys = {condition_key(text), self.vocabulary.term(text)}
        exact, begins = self.conditions
        return any(key in exact or key in self.vocabulary.terms or key.startswith(begins) for key in keys)

    def knows_allergy(self, text: str) -> bool:
        """Whether some rule or term is about an allergy, or it is one to a drug or class that is known."""
        drug = self.vocabulary.drug(text)
        return drug.known or bool(drug.codes) or self.vocabulary.term(text) in self.by_allergy

    def drug(self, text: str) -> Drug:
        """What a name stands for."""
        return self.vocabulary.drug(text)


def not_among(knowledge: Knowledge, treatments: Iterable[str]) -> tuple[Unlisted, ...]:
    """The drugs of interactions that stand for none of `treatments`, each with the place of its first rule."""
    there = {key for treatment in treatments for key in knowledge.drug(treatment).keys}
    found: dict[str, Unlisted] = {}
    for rule in knowledge.interactions:
        for party in (rule.one, rule.other):
            if party.key not in there:
                found.setdefault(party.key, Unlisted(party.written, rule.place))
    return tuple(found.values())


def build_knowledge(
    tables: Mapping[str, Sequence[Row]],
    about: About,
    scale: Scale,
    notes: Sequence[str] = (),
) -> Knowledge:
    """The knowledge in `tables` (keys as in `rows.TABLES`); TableError, with its place, for the first wrong row."""
    vocabulary = build_vocabulary(tables)
    reader = _Reader(vocabulary, scale, about.source)
    rules: dict[str, tuple[Any, ...]] = {
        table: tuple(getattr(reader, table)(row) for row in tables.get(table, ())) for table in RULES
    }
    listed = vocabulary.listed
    unlisted = [one for name, one in reader.named.items() if listed and name not in listed]
    content = {
        (table, *(folded(row[column]) for column in (*TABLES[table].needed, *TABLES[table].optional)))
        for table, rows in tables.items() if table not in RULES
        for row in rows
    }  # fmt: skip
    return Knowledge(
        about=about, scale=scale, vocabulary=dataclasses.replace(vocabulary, known=listed.union(reader.named)), **rules,
        names=tuple(sorted(content)), unlisted=tuple(unlisted), notes=tuple(notes),
    )  # fmt: skip


class _Reader:
    """From rows to rules; keeps the drugs that they name."""

    def __init__(self, vocabulary: Vocabulary, scale: Scale, source: str) -> None:
        self._vocabulary, self._scale, self._source = vocabulary, scale, source
        self._parties: dict[str, Party] = {}
        self.named: dict[str, Unlisted] = {}
        """Each drug that a rule names, by its key, with the place of the first such rule."""

    def interactions(self, row: Row) -> Interaction:
        one, other = (self._party(row, column) for column in ("drug_a", "drug_b"))
        return Interaction(**self._common(row), one=one, other=other)

    def contraindications(self, row: Row) -> Contraindication:
        condition, limit = row["condition"], row["threshold"]
        if bool(condition) == bool(limit):
            what = "both a condition and a threshold" if condition else "neither a condition nor a threshold"
            raise TableError(
                f"has {what}", where=row.where, hint="write one of the two; a second on a row of its own"
            )
        key, threshold, begin = None, None, condition.endswith(_ANYWHERE)
        if condition:
            base = condition.rstrip(_ANYWHERE)
            key = condition_key(base) if begin else self._vocabulary.term(condition)
            if begin and len(key) < _SHORTEST_PREFIX:
                hint = "write more of it, such as K25*"
                raise TableError(
                    "would be about almost every condition", where=row.place("condition"), hint=hint
                )
        else:
            try:
                threshold = read_threshold(limit)
            except ValueError as error:
                raise TableError(str(error), where=row.place("threshold"), cell=limit) from None
            if isinstance(threshold, Limit):
                threshold = dataclasses.replace(threshold, name=self._vocabulary.term(threshold.name))
        return Contraindication(
            **self._common(row), drug=self._party(row, "drug"), condition=key, prefix=begin, threshold=threshold,
            written=condition or limit,
        )  # fmt: skip

    def allergies(self, row: Row) -> AllergyRule:
        allergy = row["allergy"]
        return AllergyRule(
            **self._common(row),
            drug=self._party(row, "drug"),
            allergy=self._vocabulary.term(allergy),
            written=allergy,
        )

    def duplicates(self, row: Row) -> Duplicate:
        written = row["class"]
        code = "" if written == _ANYWHERE else as_atc(written)
        if code is None:
            hint = "write an ATC class such as ATC:C10AA, or * for all"
            raise TableError("is no ATC class", where=row.place("class"), cell=written, hint=hint)
        least = level_of(code) if code else 1
        level = row["level"] or (str(least) if code else "")
        if level not in map(str, range(least, max(ATC_LENGTHS) + 1)):
            raise TableError(
                "is no ATC level at which two drugs of the class are told apart", where=row.place("level"), cell=level,
                hint=f"a whole number from {least} to 5",
            )  # fmt: skip
        return Duplicate(**self._common(row), code=code, level=int(level))

    def _party(self, row: Row, column: str) -> Party:
        text = row[column]
        if text not in self._parties:
            party = self._vocabulary.party(text, row, column)
            self._parties[text] = party
            if not party.is_class:
                self.named.setdefault(party.key, Unlisted(party.written, row.where))
        return self._parties[text]

    def _common(self, row: Row) -> dict[str, Any]:
        severity = folded(row["severity"])
        if severity not in self._scale.names:
            raise TableError(
                "is not a severity of this knowledge", where=row.place("severity"), cell=row["severity"],
                hint=f"one of {', '.join(self._scale.names)}; another scale is declared in knowledge.yaml",
            )  # fmt: skip
        return {
            "severity": severity, "mechanism": row["mechanism"], "source": row["source"] or self._source,
            "table": row.table, "line": row.line, "place": row.where,
        }  # fmt: skip


def _content(rule: Rule) -> tuple[str, ...]:
    """What a rule says, without its place."""
    said: list[str] = [rule.severity, rule.mechanism, rule.source]
    if isinstance(rule, Interaction):
        return (*sorted((rule.one.key, rule.other.key)), *said)
    if isinstance(rule, Contraindication):
        limit = folded(rule.threshold.text) if rule.threshold else ""
        return (rule.drug.key, rule.condition or "", str(rule.prefix), limit, *said)
    if isinstance(rule, AllergyRule):
        return (rule.drug.key, rule.allergy, *said)
    assert isinstance(rule, Duplicate)
    return (class_key(rule.code), str(rule.level), *said)


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = {}
    for key, rule in pairs:
        found.setdefault(key, []).append(rule)
    return {key: tuple(rules) for key, rules in found.items()}
