"""Why a medication is ranked where it is: what its probability loses when a code, or an earlier visit, is not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.treatment.sequences.bundle import SequenceModel
from iatros.treatment.sequences.schema import Histories
from iatros.treatment.sequences.vocabulary import Encoded

_CLIP = 1e-6


@dataclass(frozen=True)
class Reason:
    """Without `what` the log-odds of the medication would be lower by `change`; a negative one speaks against it.

    `kind` is that of the code, or `visit`; `visits` names the visits in which it stands.
    """

    kind: str
    what: str
    visits: tuple[str, ...]
    change: float

    def __str__(self) -> str:
        """`diagnosis 4019 (visit 3): +0.84`."""
        where = (
            f" ({'visit' if len(self.visits) == 1 else 'visits'} {', '.join(self.visits)})"
            if self.visits
            else ""
        )
        return f"{self.kind} {self.what}{where}: {self.change:+.2f}"


def occlusion(
    model: SequenceModel,
    histories: Histories,
    encoded: Encoded,
    subject: int,
    medications: np.ndarray,
    most: int,
) -> list[list[Reason]]:
    """For each of the `medications` (places in the vocabulary) its `most` strongest reasons, of either sign.

    The subject's last visit is the one asked about. Every code is hidden from all visits at once, every earlier visit
    as a whole; each is one more answer of the model, so interplay is told by no single one of them.
    """
    first, end = int(encoded.start[subject]), int(encoded.start[subject + 1])
    own = slice(int(encoded.bag_start[first]), int(encoded.bag_start[end]))
    bag = encoded.bag[own]
    visit = np.repeat(np.arange(end - first), np.diff(encoded.bag_start[first : end + 1]))
    asked = visit == end - first - 1
    # what the model may not look at, such as codes of the visit itself, is no reason
    seen = ~asked | ((bag < encoded.n_other) if encoded.current else np.zeros(len(bag), dtype=bool))
    hidden: list[np.ndarray] = []
    words = model.vocabulary.words()
    told: list[tuple[str, str, tuple[str, ...]]] = []
    names = histories.visits[first:end]
    for place in np.unique(bag[seen]):
        kind, code = words[place]
        hidden.append(bag == place)
        told.append(
            (kind, code or "that is not known", tuple(names[v] for v in np.unique(visit[bag == place])))
        )
    for earlier in np.unique(visit[~asked]):
        hidden.append(visit == earlier)
        told.append(("visit", names[earlier], ()))
    if not hidden:
        return [[] for _ in medications]
    odds = _log_odds(model, encoded, subject, hidden)[:, medications]
    change = odds[0] - odds[1:]
    reasons = []
    for column in range(len(medications)):
        order = np.argsort(-np.abs(change[:, column]), kind="stable")[:most]
        reasons.append([_reason(told[k], float(change[k, column])) for k in order])
    return reasons


def _reason(told: tuple[str, str, tuple[str, ...]], change: float) -> Reason:
    kind, what, visits = told
    return Reason(kind, what, visits, change)


def _log_odds(model: SequenceModel, encoded: Encoded, subject: int, hidden: list[np.ndarray]) -> np.ndarray:
    """The log-odds of all medications as they are, and then without each of the `hidden` codes, (1 + hidden, m)."""
    copies = encoded.take(np.full(1 + len(hidden), subject))
    kept = ~np.concatenate([np.zeros(len(hidden[0]), dtype=bool), *hidden])
    copies = copies.keep(kept)
    probability = model.predictor.each(copies, copies.start[1:] - 1).mean(axis=0)
    p = np.clip(probability, _CLIP, 1 - _CLIP)
    found: np.ndarray = np.log(p / (1 - p))
    return found
