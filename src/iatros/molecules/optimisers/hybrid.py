"""A language model and genetic operators that share what they find.

The idea of Genetic-GFN (Kim et al. 2024, arXiv:2402.05961): what the operators breed is learned by the model, and what
the model writes joins the population. A surrogate sorts the candidates of both before they are asked for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from iatros.molecules.optimisers.attempts import Attempt
from iatros.molecules.optimisers.graph_ga import GraphGaParams
from iatros.molecules.optimisers.guide import Guide
from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.population import Population, offspring
from iatros.molecules.optimisers.teaching import LanguageParams, Pupil, prior_of

_IDLE = 50


class HybridParams(GraphGaParams, LanguageParams):
    """Parameters of both, and of how candidates are chosen."""

    offspring: int = Field(default=300, ge=1, le=100_000, description="children that are bred in a round")
    samples: int = Field(default=60, ge=0, le=100_000, description="texts that the model writes in a round")
    steps: int = Field(default=2, ge=0, le=1000, description="steps of learning in a round")
    asked: int = Field(default=50, ge=1, le=100_000, description="candidates of a round that are asked for")
    unsorted: float = Field(
        default=0.1, ge=0, le=1, description="share of those that are drawn at random, not by the surrogate"
    )


class Hybrid:
    """The search."""

    name: ClassVar[str] = "hybrid"
    Params: ClassVar[type[HybridParams]] = HybridParams

    def __init__(self, params: HybridParams | None = None) -> None:
        self.params = params or HybridParams()

    def run(self, ledger: Ledger, start: Sequence[str], means: Means) -> None:
        """See `Optimiser`."""
        params = self.params
        rng, drawing = random.Random(means.seed), np.random.default_rng(means.seed)
        prior = prior_of(means, start, params) if params.samples else None
        for attempt in params.begun(ledger, start, rng):
            pupil = Pupil(prior, params) if prior is not None else None
            self._search(attempt, ledger, pupil, rng, drawing)

    def _search(
        self,
        attempt: Attempt,
        ledger: Ledger,
        pupil: Pupil | None,
        rng: random.Random,
        drawing: np.random.Generator,
    ) -> None:
        params, population, guide, idle = self.params, attempt.population, Guide(), 0
        while not attempt.is_over(ledger) and idle < _IDLE:
            candidates = self._candidates(population, ledger, pupil, rng, drawing)
            n_unsorted = round(params.unsorted * params.asked)
            by_chance = rng.sample(candidates, min(n_unsorted, len(candidates)))
            rest = [text for text in candidates if text not in set(by_chance)]
            chosen = guide.choose(rest, params.asked - n_unsorted, population.ranked, population.rewards, rng)
            ledger.pass_over(len(rest) - len(chosen))
            answers = ledger.ask([*chosen, *by_chance], origin="hybrid", canonical=True)
            idle = 0 if population.take(answers) else idle + 1
            if pupil is not None:
                pupil.revise(population.ranked, population.rewards, rng)

    def _candidates(
        self,
        population: Population,
        ledger: Ledger,
        pupil: Pupil | None,
        rng: random.Random,
        drawing: np.random.Generator,
    ) -> list[str]:
        """New compounds of both, each once, canonical."""
        params = self.params
        children = offspring(
            population.ranked,
            params.offspring,
            rng,
            known=ledger.rows,
            breeding=params.breeding(),
            rules=params.rules(),
        )
        written = pupil.write(params.samples, drawing) if pupil is not None else []
        return list(dict.fromkeys([*ledger.sift(written), *children]))
