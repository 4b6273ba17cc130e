"""What the visits of subjects are: codes of several kinds, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

IMITATION = (
    "imitation: learned from what was prescribed, which may be wrong; nothing here says that a medication helps, and "
    "who got it differed from who did not"
)
"""What every result of a next-medication model says of itself."""


@dataclass(frozen=True)
class Codes:
    """Codes of one kind: those of visit k are `names[code[start[k]:start[k + 1]]]`, each once, sorted.

    `start` (visits + 1,) and `code` (c,) are int64.
    """

    names: tuple[str, ...]
    start: np.ndarray
    code: np.ndarray

    def take(self, visits: np.ndarray) -> Codes:
        """The codes of the visits at `visits`, in that order; a visit at -1 has none."""
        start, index = taken(self.start, visits)
        return replace(self, start=start, code=self.code[index])


@dataclass(frozen=True)
class Histories:
    """The visits of n subjects: those of subject k are `start[k]:start[k + 1]`, in the order of time.

    `visits` names each visit, `time` (visits,) is when it was, in days where times are dates, nan where unknown.
    `codes` holds the codes by kind; `medication` is the kind that is to be predicted.
    """

    subjects: tuple[str, ...]
    start: np.ndarray
    visits: tuple[str, ...]
    time: np.ndarray
    codes: dict[str, Codes]
    medication: str = "medication"

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def n_visits(self) -> int:
        """Visits of all subjects."""
        return len(self.visits)

    @property
    def owner(self) -> np.ndarray:
        """The place of the subject of each visit (visits,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @property
    def place(self) -> np.ndarray:
        """How many visits the subject of each visit had before it (visits,)."""
        return np.arange(self.n_visits) - self.start[self.owner]

    @property
    def prescribed(self) -> np.ndarray:
        """Medications of each visit (visits,)."""
        return np.diff(self.codes[self.medication].start)

    def take(self, subjects: Sequence[int] | np.ndarray) -> Histories:
        """The subjects at `subjects`, in that order."""
        subjects = np.asarray(subjects, dtype=np.int64)
        start, visits = taken(self.start, subjects)
        return replace(
            self,
            subjects=tuple(self.subjects[k] for k in subjects),
            start=start,
            visits=tuple(self.visits[k] for k in visits),
            time=self.time[visits],
            codes={kind: codes.take(visits) for kind, codes in self.codes.items()},
        )

    def with_next(self, name: str = "next") -> tuple[Histories, np.ndarray]:
        """Every subject with an open last visit, and which got one added, bool (n,).

        A subject whose last visit has medications, or who has no visit, gets an empty visit after it, called `name`;
        a last visit without medications is the open one itself.
        """
        n_before = np.diff(self.start)
        last = np.where(n_before > 0, self.start[1:] - 1, 0)
        prescribed = self.prescribed if self.n_visits else np.zeros(1, dtype=np.int64)
        added = (n_before == 0) | (prescribed[last] > 0)
        pieces = [
            np.concatenate([np.arange(a, b), [-1] if more else []]).astype(np.int64)
            for a, b, more in zip(self.start[:-1], self.start[1:], added, strict=True)
        ]
        places = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
        time = np.full(len(places), np.nan)
        time[places >= 0] = self.time[places[places >= 0]]
        found = replace(
            self,
            start=np.concatenate([[0], np.cumsum(n_before + added)]).astype(np.int64),
            visits=tuple(name if k < 0 else self.visits[k] for k in places),
            time=time,
            codes={kind: codes.take(places) for kind, codes in self.codes.items()},
        )
        return found, added


def taken(start: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the runs at `rows` begin when laid end to end (rows + 1,), and the places of what is in them.

    Run k of the source is `start[k]:start[k + 1]`; a row of -1 is an empty run.

    >>> taken(np.array([0, 2, 3, 6]), np.array([2, -1, 0]))
    (array([0, 3, 3, 5]), array([3, 4, 5, 0, 1]))
    """
    rows = np.asarray(rows, dtype=np.int64)
    there = np.maximum(rows, 0)
    size = np.where(rows >= 0, np.diff(start)[there] if len(start) > 1 else 0, 0)
    begin = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    within = np.arange(begin[-1]) - np.repeat(begin[:-1], size)
    first = start[there] if len(start) > 1 else np.zeros(len(rows), dtype=np.int64)
    return begin, np.repeat(first, size) + within
