"""Searches that begin anew: from other start compounds, so that one that went astray is not all that there is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.population import Population
from iatros.molecules.optimisers.starting import begin


class Attempt(NamedTuple):
    """A population to search from, and how many calls of the whole search are made when it ends."""

    population: Population
    upto: int

    def is_over(self, ledger: Ledger) -> bool:
        """Whether its share of the budget is spent."""
        return ledger.over or ledger.charged >= self.upto


def attempts(
    ledger: Ledger,
    start: Sequence[str],
    rng: random.Random,
    *,
    n: int,
    population: int,
    start_size: int,
    prescreen: int,
) -> Iterator[Attempt]:
    """`n` attempts one after the other, and where they are several one more from the best of all of them together.

    Each has the same share of the budget's calls. What was prescreened is the first one's; the others begin with
    compounds drawn at random. `population` is the size of each.
    """
    calls = ledger.budget.calls
    share = calls if n == 1 else calls // (n + 1)
    made: list[Population] = []
    for number in range(n):
        if ledger.over:
            return
        fresh = Population(population)
        upto = share * (number + 1)
        begin(
            ledger, fresh, start, rng, size=start_size, prescreen=0 if number else prescreen,
            upto=(ledger.charged + upto) // 2,
        )  # fmt: skip
        yield Attempt(fresh, upto)
        made.append(fresh)
    if n > 1 and not ledger.over:
        yield Attempt(Population.united(made, population), calls)
