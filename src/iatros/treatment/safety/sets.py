"""Interactions within sets of treatments: as a matrix, as a rate, and kept out of a set that is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.treatment.safety.gate import Gate, Policy, Verdict
from iatros.treatment.safety.knowledge import Knowledge
from iatros.treatment.safety.patients import Patient


def interaction_matrix(names: Sequence[str], knowledge: Knowledge, at_least: str | None = None) -> np.ndarray:
    """Which of `names` interact, (n, n) bool, symmetric, by rules of severity `at_least` (None: any); diagonal False.

    RequestError for a severity that the knowledge does not have.
    """
    least = 0 if at_least is None else knowledge.scale.rank(at_least)
    bad = frozenset(knowledge.scale.names[least:])
    keys = [knowledge.drug(name).keys for name in names]
    matrix = np.zeros((len(names), len(names)), dtype=bool)
    for one, own in enumerate(keys):
        partners = {
            other
            for key in own & knowledge.partners.keys()
            for other, rules in knowledge.partners[key].items()
            if any(rule.severity in bad for rule in rules)
        }
        if partners:
            matrix[one] = [not partners.isdisjoint(theirs) for theirs in keys]
    np.fill_diagonal(matrix, False)
    return matrix


@dataclass(frozen=True)
class InteractionRate:
    """How many pairs within sets interact: `interacting` of `pairs` (s,) int64 in each of s sets."""

    interacting: np.ndarray
    pairs: np.ndarray
    n_names: int
    n_unknown: int
    """Different names, and those of them that the knowledge does not have: their pairs count as not interacting."""

    @property
    def rate(self) -> float:
        """The share of interacting pairs among all pairs of all sets; NaN without a pair."""
        pairs = int(self.pairs.sum())
        return int(self.interacting.sum()) / pairs if pairs else float("nan")

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "rate": self.rate if self.pairs.sum() else None,
            "n_interacting": int(self.interacting.sum()),
            "n_pairs": int(self.pairs.sum()),
            "n_sets": len(self.pairs),
            "n_names": self.n_names,
            "n_unknown": self.n_unknown,
        }


def interaction_rate(
    sets: Sequence[Sequence[str]], knowledge: Knowledge, at_least: str | None = None
) -> InteractionRate:
    """The interactions within each of `sets`, names given twice counted once.

    The rate is that of Yang and others (SafeDrug, IJCAI 2021), there of interactions of any severity: interacting pairs
    over all pairs.
    """
    names = sorted({name for one in sets for name in one})
    place = {name: at for at, name in enumerate(names)}
    matrix = interaction_matrix(names, knowledge, at_least)
    interacting, pairs = [], []
    for one in sets:
        rows = np.array(sorted({place[name] for name in one}), dtype=np.int64)
        interacting.append(int(np.triu(matrix[np.ix_(rows, rows)], 1).sum()) if len(rows) else 0)
        pairs.append(len(rows) * (len(rows) - 1) // 2)
    unknown = sum(not knowledge.drug(name).known for name in names)
    return InteractionRate(
        np.array(interacting, dtype=np.int64), np.array(pairs, dtype=np.int64), len(names), unknown
    )


def assemble(
    ranked: Sequence[str],
    patient: Patient,
    knowledge: Knowledge,
    policy: Policy | None = None,
    *,
    size: int | None = None,
) -> tuple[tuple[str, ...], tuple[Verdict, ...]]:
    """A set to be taken together: those of `ranked`, in their order, that are not stopped beside what was taken before.

    Each that is taken counts as current medication for those after it, up to `size` of them. Also gives the verdict on
    each that was asked about, so that what was left out has its rule and source.
    """
    gate = Gate(knowledge, replace(policy or Policy(), together=False))
    taken: list[str] = []
    verdicts = []
    for name in ranked:
        if size is not None and len(taken) >= size:
            break
        told = patient if not taken else replace(patient, current=(*(patient.current or ()), *taken))
        (verdict,) = gate.check([name], told).verdicts
        if patient.current is None and taken:
            # That the others are known does not tell what the patient takes.
            (alone,) = gate.check([name], patient).verdicts
            verdict = replace(verdict, gaps=tuple(sorted({*verdict.gaps, *alone.gaps})))
        verdicts.append(verdict)
        if not verdict.stopped:
            taken.append(name)
    return tuple(taken), tuple(verdicts)
