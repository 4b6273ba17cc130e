"""Where searches begin: compounds of a library."""

from __future__ import annotations

import random
from collections.abc import Sequence

from iatros.core.engine import Engine
from iatros.core.progress import SilentProgress
from iatros.molecules.optimisers.ledger import STEREO, Ledger
from iatros.molecules.optimisers.population import Population

_FEWEST = 10
"""Compounds that score more than 0, without which a population has nothing to pass on."""
_BATCH = 2000


def begin(
    ledger: Ledger,
    population: Population,
    start: Sequence[str],
    rng: random.Random,
    *,
    size: int,
    prescreen: int = 0,
    upto: int | None = None,
) -> None:
    """The first population: `size` start compounds drawn at random, or the best of `prescreen` scored beforehand.

    While fewer than ten of them score more than 0, there is nothing to breed for, and more of the library is asked,
    until more than `upto` calls have been made, or half of the budget.
    """
    order = list(start)
    rng.shuffle(order)
    first = order[:size]
    if prescreen:
        ledger.prescreen(order[:prescreen])
        first = [row.scored.smiles for row in ledger.best(size, prescreened=True)]
    population.take(ledger.ask(first, origin="start"))
    at, upto = max(size, prescreen), ledger.budget.calls // 2 if upto is None else upto
    while sum(reward > 0.0 for reward in population.rewards) < _FEWEST and at < len(order):
        if ledger.over or ledger.charged > upto:
            break
        population.take(ledger.ask(order[at : at + size], origin="start"))
        at += size


def flat(library: Sequence[str], engine: Engine) -> list[str]:
    """Canonical SMILES without stereochemistry, each once, of a library of canonical SMILES."""
    batches = [list(library[at : at + _BATCH]) for at in range(0, len(library), _BATCH)]
    found = engine.map(_flat, batches, None, progress=SilentProgress(), label="start compounds")
    return list(dict.fromkeys(text for part in found for text in part))


def _flat(_: None, smiles: list[str]) -> list[str]:
    from rdkit import Chem

    flattened = []
    for text in smiles:
        if STEREO.search(text):
            text = Chem.MolToSmiles(Chem.MolFromSmiles(STEREO.sub("", text)))
        flattened.append(text)
    return flattened
