"""Which columns fix the outcome for part of the patients, beyond what the other columns expect.

Two steps. Columns with a region (see `regions`) that is almost free of events against the overall rate
are candidates. A candidate is a suspect if a model of the columns that are not candidates expects events
there all the same. Leaks are exceptions: where many columns are candidates (strong measurements of a
tumour, say), each quarter of them is judged by a model that holds the other three quarters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.leakage.columns import Coded, Event, Severity, Suspect, events
from iatros.core.leakage.quick_model import out_of_fold
from iatros.core.leakage.regions import Region, regions
from iatros.core.task import Target

_CERTAIN_EXPECTED = 50.0
_LIKELY_EVIDENCE = 25.0
_MAX_RATIO = 0.05
"""Against the judge, a region may hold at most this share of the expected events."""
_MANY = 0.25
_PARTS = 4
_MAX_CLASSES = 10


@dataclass(frozen=True)
class _Question:
    """An event or its absence: `happened` (n,) and its probability in the shape that `out_of_fold` answers."""

    event: Event
    number: int
    inverted: bool

    @property
    def name(self) -> str:
        """The event, whether it is asked for or its absence."""
        return self.event.name

    def expected(self, prediction: np.ndarray) -> np.ndarray:
        """What a prediction expects (n,)."""
        p = prediction if prediction.ndim == 1 else prediction[:, self.number]
        return 1.0 - p if self.inverted else p


def constant_outcome(
    columns: Sequence[Coded], y: np.ndarray, target: Target, groups: np.ndarray | None, seed: int
) -> list[Suspect]:
    """Suspects of the checks `constant-outcome` and `missing-outcome`: the strongest region of each column."""
    asked = _questions(y, target)
    strength = {column.name: _strength(column, asked) for column in columns}
    names = sorted((n for n in strength if strength[n] > 0), key=lambda n: -strength[n])
    if not names:
        return []
    if target.task == "continuous":
        y, target = (y > np.median(y)).astype(np.int64), Target(target.name, "binary", ("low", "high"))
    parts = [names[k::_PARTS] for k in range(_PARTS)] if _many(len(names), len(columns)) else [names]
    found = []
    for hidden in parts:
        shown = [c for c in columns if c.name not in hidden]
        prediction = out_of_fold(shown, y, target, groups, seed) if shown else _no_columns(y, target)
        judged = [c for c in columns if c.name in hidden]
        found += [s for c in judged if (s := _judged(c, asked, prediction)) is not None]
    return found


def _many(n_candidates: int, n_columns: int) -> bool:
    """Whether candidates are too many to be exceptions: over a quarter of the columns, of few columns over half."""
    return n_candidates > max(4.0, _MANY * n_columns) or n_candidates > max(1.0, 0.5 * n_columns)


def _no_columns(y: np.ndarray, target: Target) -> np.ndarray:
    shares = np.bincount(y.astype(np.int64), minlength=max(2, len(target.classes))) / len(y)
    return np.full(len(y), shares[1]) if target.task == "binary" else np.tile(shares, (len(y), 1))


def _questions(y: np.ndarray, target: Target) -> list[_Question]:
    """Each event and its absence; for many classes the commonest only."""
    asked = []
    numbered = sorted(enumerate(events(target, y)), key=lambda pair: -float(pair[1].happened.sum()))
    for number, event in numbered[:_MAX_CLASSES]:
        asked.append(_Question(event, number, False))
        asked.append(_Question(Event(event.name, 1.0 - event.happened), number, True))
    return asked


def _strength(column: Coded, asked: Sequence[_Question]) -> float:
    """Evidence of the column's strongest region against the overall rate; 0 without a region."""
    nats = [
        region.evidence
        for q in asked
        for region in regions(
            column, q.event.happened, np.full(len(q.event.happened), q.event.happened.mean())
        )
    ]
    return max(nats, default=0.0)


def _judged(column: Coded, asked: Sequence[_Question], prediction: np.ndarray) -> Suspect | None:
    """The finding of the strongest region against what the other columns expect; None where they explain it."""
    found = [
        (region, q)
        for q in asked
        for region in regions(column, q.event.happened, q.expected(prediction), _MAX_RATIO)
    ]
    if not found:
        return None
    return _suspect(*max(found, key=lambda pair: pair[0].evidence))


def _suspect(region: Region, question: _Question) -> Suspect:
    event = question.event
    fixed = region.happened == 0 and region.expected >= _CERTAIN_EXPECTED
    grave: Severity = "likely" if region.evidence >= _LIKELY_EVIDENCE else "look"
    all_do, some = ("do not", "do not have") if question.inverted else ("do", "have")
    said = (
        f"of the {region.n} rows where {region.words}, {region.happened:.0f} {some} '{question.name}' "
        f"({event.happened.mean():.1%} of all rows {all_do}), while the other columns expect "
        f"{region.expected:.0f}: the column is known only afterwards, or these patients cannot have another outcome"
    )
    check = "missing-outcome" if region.missing else "constant-outcome"
    return Suspect((region.column,), check, "certain" if fixed else grave, said, region.evidence)
