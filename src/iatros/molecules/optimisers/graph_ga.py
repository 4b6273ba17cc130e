"""A genetic algorithm on structures: parents from the best, changed and crossed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from iatros.molecules.optimisers.attempts import Attempt, attempts
from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.optimiser import Means, OptimiserParams
from iatros.molecules.optimisers.population import Breeding, offspring
from iatros.molecules.optimisers.rules import Rules

_IDLE = 50
"""Rounds without anything new after which a search ends: the operators find no further compounds."""


class GraphGaParams(OptimiserParams):
    """Parameters of the genetic algorithm."""

    start_size: int = Field(
        default=200, ge=2, le=1_000_000, description="start compounds that are asked first"
    )
    prescreen: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="start compounds that are scored beforehand, the best of which are the first population",
    )
    attempts: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="searches from different start compounds, among which the calls are dealt out; several are united "
        "in the end",
    )
    population: int = Field(default=2000, ge=2, le=1_000_000, description="compounds that parents come from")
    offspring: int = Field(default=50, ge=1, le=100_000, description="children that are asked at once")
    crossover: float = Field(default=0.5, ge=0, le=1, description="share of the children with two parents")
    also_mutated: float = Field(
        default=0.3, ge=0, le=1, description="share of those that are changed as well"
    )
    again: float = Field(default=0.3, ge=0, le=0.9, description="share of mutants that are changed once more")
    greed: float = Field(
        default=3.0,
        ge=0,
        le=6,
        description="parents are drawn from the best 10^-u of the population, u between 0 and this",
    )
    most_atoms: int = Field(default=60, ge=5, le=200, description="heavy atoms of the largest compound")
    largest_ring: int = Field(default=8, ge=3, le=50, description="members of the largest ring")

    def begun(self, ledger: Ledger, start: Sequence[str], rng: random.Random) -> Iterator[Attempt]:
        """What is searched from, one after the other."""
        return attempts(
            ledger,
            start,
            rng,
            n=self.attempts,
            population=self.population,
            start_size=self.start_size,
            prescreen=self.prescreen,
        )

    def breeding(self) -> Breeding:
        """How offspring comes about."""
        return Breeding(self.crossover, self.also_mutated, self.again, self.greed)

    def rules(self) -> Rules:
        """What offspring must keep to."""
        return Rules(most_atoms=self.most_atoms, largest_ring=self.largest_ring)


class GraphGa:
    """The search."""

    name: ClassVar[str] = "graph-ga"
    Params: ClassVar[type[GraphGaParams]] = GraphGaParams

    def __init__(self, params: GraphGaParams | None = None) -> None:
        self.params = params or GraphGaParams()

    def run(self, ledger: Ledger, start: Sequence[str], means: Means) -> None:
        """See `Optimiser`."""
        rng = random.Random(means.seed)
        for attempt in self.params.begun(ledger, start, rng):
            self._search(attempt, ledger, rng)

    def _search(self, attempt: Attempt, ledger: Ledger, rng: random.Random) -> None:
        params, population, idle = self.params, attempt.population, 0
        while not attempt.is_over(ledger) and idle < _IDLE:
            children = offspring(
                population.ranked,
                params.offspring,
                rng,
                known=ledger.rows,
                breeding=params.breeding(),
                rules=params.rules(),
            )
            answers = ledger.ask(children, origin="graph-ga", canonical=True)
            idle = 0 if population.take(answers) else idle + 1
