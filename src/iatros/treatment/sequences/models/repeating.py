"""What any model must beat: what is given most often, and what was given before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.sequences.estimator import Learning, SequenceParams, best_threshold
from iatros.treatment.sequences.vocabulary import Encoded

_FILE = "shares.safetensors"
_BELOW = 1e-6


@dataclass(frozen=True)
class RepeatingPredictor:
    """`share` (medications,) is how often each is given.

    With `stay`, the share of medications that are given again, the set of the visit before is repeated, and `start`
    (medications,) is how often each is given that was not in it. `stay` of None looks at no earlier visit.
    """

    kind: ClassVar[str] = "repeating"
    share: np.ndarray
    start: np.ndarray
    stay: float | None
    threshold: float

    def each(self, encoded: Encoded, rows: np.ndarray) -> np.ndarray:
        """One member: the probability of each medication in the visits at `rows`, (1, n, medications)."""
        probability = np.repeat(self.share[None], len(rows), axis=0)
        if self.stay is not None:
            before = _before(encoded)[rows]
            has = before.any(axis=1, keepdims=True)
            again = max(self.stay, self.threshold)
            others = np.minimum(self.start, self.threshold - _BELOW)
            repeated = np.where(before, again, others[None])
            probability = np.where(has, repeated, probability)
        return probability[None]

    def save(self) -> Saved:
        """The document, and the shares."""
        document = {"kind": self.kind, "stay": self.stay, "threshold": self.threshold}
        return document, {_FILE: pack_arrays({"share": self.share, "start": self.start})}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> RepeatingPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_FILE))
        return cls(arrays["share"], arrays["start"], document["stay"], document["threshold"])


class Frequency:
    """The share of visits with each medication, whoever is asked about."""

    name: ClassVar[str] = "frequency"
    Params: ClassVar[type[SequenceParams]] = SequenceParams

    def __init__(self, params: SequenceParams | None = None) -> None:
        self.params = params or SequenceParams()

    def fit(self, learning: Learning, *, seed: int) -> tuple[RepeatingPredictor, dict[str, Any]]:
        """The shares; `seed` changes nothing."""
        truth = learning.encoded.targets(learning.train)
        share = _share(truth.sum(axis=0), len(truth))
        tuned = learning.encoded.targets(learning.tuning)
        threshold = best_threshold(np.repeat(share[None], len(tuned), axis=0), tuned)
        return RepeatingPredictor(share, share, None, threshold), {}


class Previous:
    """The medications of the visit before, again; at a first visit, what is given most often."""

    name: ClassVar[str] = "previous"
    Params: ClassVar[type[SequenceParams]] = SequenceParams

    def __init__(self, params: SequenceParams | None = None) -> None:
        self.params = params or SequenceParams()

    def fit(self, learning: Learning, *, seed: int) -> tuple[RepeatingPredictor, dict[str, Any]]:
        """How often medications stay and start; `seed` changes nothing."""
        plain, _ = Frequency().fit(learning, seed=seed)
        truth = learning.encoded.targets(learning.train)
        before = _before(learning.encoded)[learning.train]
        later = before.any(axis=1)
        stay = float(_share((truth & before).sum(), before.sum()))
        starts = _share((truth & ~before)[later].sum(axis=0), (~before)[later].sum(axis=0))
        notes = {"stay": stay, "n_with_a_visit_before": int(later.sum())}
        return RepeatingPredictor(plain.share, starts, stay, plain.threshold), notes


def _share(count: Any, n: Any) -> Any:
    """A share, a little towards a half, so that none is 0 or 1."""
    return (count + 0.5) / (n + 1.0)


def _before(encoded: Encoded) -> np.ndarray:
    """Which medications the visit before each visit had, bool (visits, medications)."""
    start, place = encoded.before()
    found = np.zeros((encoded.n_visits, encoded.n_medications + 1), dtype=bool)
    found[np.repeat(np.arange(encoded.n_visits), np.diff(start)), place] = True
    return found[:, 1:]
