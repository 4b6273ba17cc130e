"""What one response is, a list of them, and what is asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from iatros.core.errors import InputError

Outcome = Literal["continuous", "binary", "implicit"]
"""A value on a scale; 0 or 1; or that the treatment was taken, of which nothing more is known (weights above 0)."""


@dataclass(frozen=True)
class Block:
    """Columns `start` to `stop` of a matrix of features: numbers, one-hot categories, bits, or similarities.

    The similarities are those to the subjects (treatments) learned from, in their order.
    """

    name: str
    kind: Literal["numbers", "categories", "bits", "similarity"]
    start: int
    stop: int


@dataclass(frozen=True)
class Features:
    """`values` (n, k) float64 without gaps, one row for each subject or treatment, in `blocks` side by side."""

    values: np.ndarray
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        width = self.blocks[-1].stop if self.blocks else 0
        if self.values.ndim != 2 or self.values.shape[1] != width or not np.isfinite(self.values).all():
            raise InputError("features are a finite matrix, each column in one block")

    def take(self, rows: Sequence[int] | np.ndarray) -> Features:
        """The rows at `rows`."""
        return replace(self, values=self.values[np.asarray(rows, dtype=np.int64)])


@dataclass(frozen=True)
class Responses:
    """n responses of subjects to treatments.

    `subject` and `treatment` (n,) int64 are places in the names; a pair stands once. `y` (n,) float64 is the outcome:
    a value, 0.0 or 1.0, or the weight of an exposure. `time` (n,) float64 in any unit orders the responses. Features
    have one row for each name. A name may have no response: `take` keeps all of them, so that a subject whose rows are
    held out stays at its place.
    """

    subjects: tuple[str, ...]
    treatments: tuple[str, ...]
    subject: np.ndarray
    treatment: np.ndarray
    y: np.ndarray
    outcome: Outcome = "continuous"
    time: np.ndarray | None = None
    of_subjects: Features | None = None
    of_treatments: Features | None = None

    def __post_init__(self) -> None:
        if not len(self.subject) == len(self.treatment) == len(self.y):
            raise InputError("each response needs a subject, a treatment and an outcome")
        if len(self) and not (
            self.subject.min() >= 0 and self.subject.max() < len(self.subjects)
            and self.treatment.min() >= 0 and self.treatment.max() < len(self.treatments)
        ):  # fmt: skip
            raise InputError("a response names a subject or a treatment that is not there")
        for features, names in ((self.of_subjects, self.subjects), (self.of_treatments, self.treatments)):
            if features is not None and len(features.values) != len(names):
                raise InputError("features need one row for each subject, or for each treatment")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, int]:
        """How many subjects and how many treatments there are."""
        return len(self.subjects), len(self.treatments)

    def take(self, rows: Sequence[int] | np.ndarray) -> Responses:
        """The responses at `rows`, among the same subjects and treatments."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            subject=self.subject[rows],
            treatment=self.treatment[rows],
            y=self.y[rows],
            time=None if self.time is None else self.time[rows],
        )

    def pairs(self, rows: Sequence[int] | np.ndarray) -> Ask:
        """What is asked when the outcomes at `rows` are to be predicted for the subjects and treatments themselves."""
        rows = np.asarray(rows, dtype=np.int64)
        s, t = self.shape
        return Ask(
            Subjects(np.arange(s), np.zeros(s + 1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0),
                     self.of_subjects),
            Treatments(np.arange(t), self.of_treatments),
            self.subject[rows], self.treatment[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class Subjects:
    """Subjects that are asked about.

    `known` (s,) int64 is the place among the subjects learned from, -1 for a new one. The past responses of subject k
    are `treatment[start[k]:start[k + 1]]` (places among the treatments learned from) with outcomes `y` likewise;
    `start` is (s + 1,). They are given for new subjects, and empty for known ones, whose responses the model has seen.
    """

    known: np.ndarray
    start: np.ndarray
    treatment: np.ndarray
    y: np.ndarray
    features: Features | None = None

    def __len__(self) -> int:
        return len(self.known)


@dataclass(frozen=True)
class Treatments:
    """Treatments that are asked about: `known` (t,) int64 among those learned from, -1 for a new one."""

    known: np.ndarray
    features: Features | None = None

    def __len__(self) -> int:
        return len(self.known)


@dataclass(frozen=True)
class Ask:
    """Pairs to answer for: `subject` and `treatment` (n,) int64 are places in `subjects` and `treatments`."""

    subjects: Subjects
    treatments: Treatments
    subject: np.ndarray
    treatment: np.ndarray

    def __len__(self) -> int:
        return len(self.subject)

    @classmethod
    def every(cls, subjects: Subjects, treatments: Treatments) -> Ask:
        """Each subject with each treatment, the treatments of one subject side by side."""
        s, t = len(subjects), len(treatments)
        return cls(subjects, treatments, np.repeat(np.arange(s), t), np.tile(np.arange(t), s))
