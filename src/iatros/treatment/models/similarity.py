"""Which subjects responded alike, and which treatments are responded to alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import InputError
from iatros.learners.completion.neighbours import Compared, Likeness, Rule, Wanted, compare, deviations
from iatros.learners.completion.sparse import SparseTable
from iatros.learners.tabular.scorers import Read, Saved, nest, within
from iatros.treatment.models.baseline import Baseline, MeansPredictor
from iatros.treatment.models.scale import history, table_of
from iatros.treatment.responses.schema import Ask, Responses, Subjects, Treatments

_ARRAYS = "responses.safetensors"
_SHRINKAGE = 100.0


class Alike(NamedTuple):
    """A subject or treatment at `place` among those learned from, with the number that both have responses in."""

    place: int
    similarity: float
    in_common: int


@dataclass(frozen=True)
class Similarity:
    """The responses themselves, around a baseline; all that is needed to compare anyone with those learned from.

    `outcomes` (subjects x treatments) are the outcomes. A bundle that holds this holds the responses of patients.
    """

    baseline: MeansPredictor
    outcomes: SparseTable
    rule: Rule

    @classmethod
    def of(
        cls,
        responses: Responses,
        likeness: Likeness = "pearson-baseline",
        shrinkage: float = _SHRINKAGE,
        baseline: MeansPredictor | None = None,
    ) -> Similarity:
        """From responses; the baseline is fitted where none is given."""
        means = baseline or Baseline().fit(responses, newness="pairs", seed=0)[0]
        return cls(means, table_of(responses, responses.y), Rule(likeness, shrinkage))

    @cached_property
    def _left(self) -> SparseTable:
        """What the baseline leaves of the outcomes, by subjects."""
        s, t = self.outcomes.n_rows, self.outcomes.n_columns
        nothing = np.empty(0, np.int64)
        everyone = Subjects(np.arange(s), np.zeros(s + 1, np.int64), nothing, np.empty(0))
        ask = Ask(
            everyone, Treatments(np.arange(t)), self.outcomes.rows(), self.outcomes.column.astype(np.int64)
        )
        left = self.outcomes.value - self.baseline.predict(ask)
        return SparseTable(self.outcomes.start, self.outcomes.column, left.astype(np.float32), t)

    @cached_property
    def _left_by_treatment(self) -> SparseTable:
        return self._left.transposed()

    @cached_property
    def _by_treatment(self) -> SparseTable:
        return self.outcomes.transposed()

    @property
    def _values(self) -> tuple[SparseTable, SparseTable]:
        """What is compared, by subjects and by treatments."""
        if self.rule.likeness == "pearson-baseline":
            return self._left, self._left_by_treatment
        return self.outcomes, self._by_treatment

    def subjects(self, subjects: Subjects, k: int, top: int) -> list[Alike]:
        """The `top` subjects learned from that are most like number `k` of those asked about, the likest first.

        One without a positive similarity is not listed, nor is the subject itself.
        """
        values = self._histories(subjects)[self.rule.likeness != "pearson-baseline"].take(np.array([k]))
        found = compare(values.column, values.value, self._values[1], self.rule)
        return _likest(found, int(subjects.known[k]), top)

    def treatments(self, place: int, top: int) -> list[Alike]:
        """The `top` treatments learned from whose responses are most like those to the treatment at `place`."""
        if not 0 <= place < self.outcomes.n_columns:
            raise InputError(
                f"there are {self.outcomes.n_columns} treatments to compare, got the place {place}"
            )
        by_subject, by_treatment = self._values
        values = by_treatment.take(np.array([place]))
        return _likest(compare(values.column, values.value, by_subject, self.rule), place, top)

    def expected_left(
        self, ask: Ask, *, by_subjects: bool, most: int, least: int, damping: float
    ) -> np.ndarray:
        """By how much each pair's outcome is expected to differ from the baseline (n,), from the likest `most`."""
        left, outcomes = self._histories(ask.subjects)
        treatment = ask.treatments.known[ask.treatment]
        asked = treatment >= 0
        out = np.zeros(len(ask))
        subject, treatment = ask.subject[asked], treatment[asked]
        compared, by_treatment = self._values
        if by_subjects:
            targets = left if self.rule.likeness == "pearson-baseline" else outcomes
            wanted = Wanted(targets, ask.subjects.known, subject, self._left_by_treatment, treatment)
            out[asked] = deviations(wanted, by_treatment, self.rule, most=most, least=least, damping=damping)
        else:
            places = np.arange(self.outcomes.n_columns)
            wanted = Wanted(by_treatment, places, treatment, left, subject)
            out[asked] = deviations(wanted, compared, self.rule, most=most, least=least, damping=damping)
        return out

    def _histories(self, subjects: Subjects) -> tuple[SparseTable, SparseTable]:
        """What the baseline leaves of each asked subject's outcomes, and the outcomes."""
        known = subjects.known >= 0
        if known.all():
            places = subjects.known
            whole = len(places) == self.outcomes.n_rows and bool((places == np.arange(len(places))).all())
            tables = (self._left, self.outcomes)
            return tables if whole else (tables[0].take(places), tables[1].take(places))
        t = self.outcomes.n_columns
        own = np.repeat(np.arange(len(subjects)), np.diff(subjects.start))
        ask = Ask(subjects, Treatments(np.arange(t)), own, subjects.treatment)
        given = (
            history(subjects, subjects.y - self.baseline.predict(ask), t),
            history(subjects, subjects.y, t),
        )
        order = np.where(known, subjects.known, self.outcomes.n_rows + np.arange(len(subjects)))
        return (
            _stacked(self._left, given[0]).take(order),
            _stacked(self.outcomes, given[1]).take(order),
        )

    def save(self) -> Saved:
        """The document, and the files."""
        document, files = self.baseline.save()
        arrays = {"start": self.outcomes.start, "column": self.outcomes.column, "value": self.outcomes.value}
        described = {
            "baseline": document,
            "likeness": self.rule.likeness,
            "shrinkage": self.rule.shrinkage,
            "n_treatments": self.outcomes.n_columns,
        }
        return described, {_ARRAYS: pack_arrays(arrays), **nest("baseline", files)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> Similarity:
        """What `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        table = SparseTable(arrays["start"], arrays["column"], arrays["value"], int(document["n_treatments"]))
        baseline = MeansPredictor.load(document["baseline"], within("baseline", read))
        return cls(baseline, table, Rule(document["likeness"], float(document["shrinkage"])))


def _stacked(one: SparseTable, other: SparseTable) -> SparseTable:
    """The rows of one, then those of the other."""
    return SparseTable(
        np.concatenate([one.start, one.start[-1] + other.start[1:]]),
        np.concatenate([one.column, other.column]),
        np.concatenate([one.value, other.value]),
        one.n_columns,
    )


def _likest(found: Compared, itself: int, top: int) -> list[Alike]:
    order = np.argsort(-found.similarity, kind="stable")
    order = order[(found.similarity[order] > 0.0) & (order != itself)][:top]
    return [Alike(int(at), float(found.similarity[at]), int(found.in_common[at])) for at in order]
