"""Which codes a model knows, and visits written in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.treatment.sequences.schema import Histories, taken

Known = Literal["current", "past"]
"""What is known when a visit's medications are asked for: its other codes too, or earlier visits alone."""


@dataclass(frozen=True)
class Vocabulary:
    """The known codes of each kind, sorted; any other code of a kind is its unknown one.

    Places: of each kind other than medication in the order of `names`, the unknown code and then the known ones; the
    medications likewise at the end.
    """

    names: dict[str, tuple[str, ...]]
    medication: str
    known: Known
    gap_scale: float

    @property
    def kinds(self) -> list[str]:
        """The kinds in the order of their places, medications last."""
        return [kind for kind in self.names if kind != self.medication] + [self.medication]

    @property
    def medications(self) -> tuple[str, ...]:
        """The medications that can be recommended."""
        return self.names[self.medication]

    @property
    def n_other(self) -> int:
        """Places of the other kinds: the medications begin there."""
        return sum(1 + len(names) for kind, names in self.names.items() if kind != self.medication)

    def words(self) -> list[tuple[str, str]]:
        """Kind and code of every place; an unknown one is empty."""
        return [(kind, name) for kind in self.kinds for name in ("", *self.names[kind])]

    def encode(self, histories: Histories, static: np.ndarray | None = None) -> Encoded:
        """The visits of `histories` in places; `static` (subjects, k) is what does not change with the visits."""
        n_visits, offset = histories.n_visits, 0
        visit, place = [], []
        for kind in self.kinds:
            codes = histories.codes.get(kind)
            if codes is not None and len(codes.code):
                known = {name: k + 1 for k, name in enumerate(self.names[kind])}
                lookup = np.array([known.get(name, 0) for name in codes.names], dtype=np.int64)
                visit.append(np.repeat(np.arange(n_visits), np.diff(codes.start)))
                place.append(lookup[codes.code] + offset)
            offset += 1 + len(self.names[kind])
        pairs = (
            np.unique(np.concatenate(visit) * offset + np.concatenate(place))
            if visit
            else np.empty(0, np.int64)
        )
        bag = (pairs % offset).astype(np.int64)
        bag_start = np.searchsorted(pairs // offset, np.arange(n_visits + 1)).astype(np.int64)
        empty = np.zeros((len(histories), 0), dtype=np.float32)
        gap = _gaps(histories) / self.gap_scale
        return Encoded(
            histories.start, bag_start, bag, gap.astype(np.float32),
            empty if static is None else static.astype(np.float32),
            self.n_other, len(self.medications), self.known == "current",
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """Plain values for a bundle."""
        return {
            "names": {kind: list(names) for kind, names in self.names.items()},
            "medication": self.medication,
            "known": self.known,
            "gap_scale": self.gap_scale,
        }

    @classmethod
    def load(cls, document: dict[str, Any]) -> Vocabulary:
        """The reverse of `document`."""
        names = {kind: tuple(names) for kind, names in document["names"].items()}
        return cls(names, document["medication"], document["known"], document["gap_scale"])


@dataclass(frozen=True)
class Encoded:
    """Visits in places of a vocabulary, and what else a model is given.

    `start` (subjects + 1,) as in `Histories`. The codes of visit k are `bag[bag_start[k]:bag_start[k + 1]]`, sorted;
    places from `n_other` on are medications, the first of them the unknown one. `gap` (visits,) float32 is the
    logarithm of the time since the visit before, 0 where there is none. `current` says whether the other codes of the
    visit that is asked about may be looked at.
    """

    start: np.ndarray
    bag_start: np.ndarray
    bag: np.ndarray
    gap: np.ndarray
    static: np.ndarray
    n_other: int
    n_medications: int
    current: bool

    @property
    def n_visits(self) -> int:
        """Visits of all subjects."""
        return len(self.bag_start) - 1

    @property
    def n_places(self) -> int:
        """Places of the vocabulary."""
        return self.n_other + 1 + self.n_medications

    @property
    def owner(self) -> np.ndarray:
        """The subject of each visit (visits,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def take(self, subjects: np.ndarray) -> Encoded:
        """The subjects at `subjects`, in that order; one may stand there several times."""
        start, visits = taken(self.start, subjects)
        bag_start, index = taken(self.bag_start, visits)
        return replace(
            self, start=start, bag_start=bag_start, bag=self.bag[index], gap=self.gap[visits],
            static=self.static[subjects],
        )  # fmt: skip

    def keep(self, kept: np.ndarray) -> Encoded:
        """Without the codes where `kept` (codes,) is false."""
        count = np.concatenate([[0], np.cumsum(kept)])
        return replace(self, bag=self.bag[kept], bag_start=count[self.bag_start].astype(np.int64))

    def now(self) -> tuple[np.ndarray, np.ndarray]:
        """What is known of each visit itself when its medications are asked for: starts (visits + 1,) and places."""
        kept = self.bag < self.n_other if self.current else np.zeros(len(self.bag), dtype=bool)
        found = self.keep(kept)
        return found.bag_start, found.bag

    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """The medications of the visit before each visit, as places from 0, the unknown one."""
        only = self.keep(self.bag >= self.n_other)
        visits = np.arange(self.n_visits) - 1
        first = np.zeros(self.n_visits, dtype=bool)
        first[self.start[:-1][np.diff(self.start) > 0]] = True
        visits[first] = -1
        start, index = taken(only.bag_start, visits)
        return start, only.bag[index] - self.n_other

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Which medications of the vocabulary the visits at `rows` have, bool (n, medications)."""
        start, index = taken(self.bag_start, rows)
        place = self.bag[index] - self.n_other - 1
        known = place >= 0
        found = np.zeros((len(rows), self.n_medications), dtype=bool)
        found[np.repeat(np.arange(len(rows)), np.diff(start))[known], place[known]] = True
        return found


def fit_vocabulary(
    histories: Histories, visits: np.ndarray, *, min_subjects: int = 5, known: Known = "current"
) -> Vocabulary:
    """The codes that at least `min_subjects` subjects have in `visits` (bool, visits), which are learned from.

    OutcomeError where no medication is that common.
    """
    owner = histories.owner
    names: dict[str, tuple[str, ...]] = {}
    for kind, codes in histories.codes.items():
        visit = np.repeat(np.arange(histories.n_visits), np.diff(codes.start))
        inside = visits[visit]
        pairs = np.unique(codes.code[inside] * max(len(histories), 1) + owner[visit[inside]])
        count = np.bincount(pairs // max(len(histories), 1), minlength=len(codes.names))
        names[kind] = tuple(name for name, n in zip(codes.names, count, strict=True) if n >= min_subjects)
    if not names.get(histories.medication):
        raise OutcomeError(
            f"no medication was given to {min_subjects} or more of the subjects that are learned from",
            hint="give more subjects, lower min_subjects, or name medications less finely (ingredient, ATC)",
        )
    gaps = _gaps(histories)[visits]
    gaps = gaps[gaps > 0]
    scale = float(gaps.mean()) if len(gaps) else 1.0
    return Vocabulary(names, histories.medication, known, scale)


def _gaps(histories: Histories) -> np.ndarray:
    """log(1 + time since the visit before) of each visit (visits,); 0 where it is unknown."""
    gap = np.zeros(histories.n_visits)
    if histories.n_visits > 1:
        gap[1:] = np.diff(histories.time)
        gap[histories.place == 0] = 0.0
    return np.log1p(np.maximum(np.nan_to_num(gap), 0.0))
