"""The baseline: the compounds of the start library, in an order drawn at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.optimiser import Means, OptimiserParams

_BATCH = 500


class BestOfLibrary:
    """Asks for the compounds of the library until the budget or the library ends."""

    name: ClassVar[str] = "screen"
    Params: ClassVar[type[OptimiserParams]] = OptimiserParams

    def __init__(self, params: OptimiserParams | None = None) -> None:
        self.params = params or OptimiserParams()

    def run(self, ledger: Ledger, start: Sequence[str], means: Means) -> None:
        """See `Optimiser`."""
        order = list(start)
        random.Random(means.seed).shuffle(order)
        for at in range(0, len(order), _BATCH):
            if ledger.over:
                return
            ledger.ask(order[at : at + _BATCH], origin="start")
