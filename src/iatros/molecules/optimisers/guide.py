"""Which candidates are asked for: those that promise most by the surrogate, and some for what is not known of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from iatros.molecules.optimisers.surrogate import Describer, Surrogate

_FEWEST = 50
"""Scored compounds below which nothing is guessed."""


class Guide:
    """Learns from the best, the latest and some other compounds, and sorts candidates by an upper bound."""

    def __init__(self, best: int = 400, others: int = 300, bounds: Sequence[float] = (0.0, 0.5, 1.0)) -> None:
        self._best, self._others, self._bounds = best, others, tuple(bounds)
        self._describe, self._surrogate = Describer(), Surrogate()

    def choose(
        self,
        candidates: Sequence[str],
        n: int,
        known: Sequence[str],
        rewards: Sequence[float],
        rng: random.Random,
    ) -> list[str]:
        """`n` of the candidates; `known` are ranked from the best on, with their rewards."""
        if len(candidates) <= n:
            return list(candidates)
        if len(known) < _FEWEST:
            return rng.sample(list(candidates), n)
        rows = list(range(min(self._best, len(known))))
        rows += rng.sample(range(len(rows), len(known)), min(self._others, len(known) - len(rows)))
        learned = [known[row] for row in rows]
        self._describe.forget({*learned})
        self._surrogate.fit(self._describe(learned), np.array([rewards[row] for row in rows]))
        expected, spread = self._surrogate.predict(self._describe(candidates))
        order = np.argsort(-(expected + rng.choice(self._bounds) * spread), kind="stable")
        return [candidates[row] for row in order[:n]]
