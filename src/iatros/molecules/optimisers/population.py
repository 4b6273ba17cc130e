"""Parents and offspring: who is chosen to be changed, and what comes of it."""

from __future__ import annotations

import random
from collections.abc import Container, Sequence
from dataclasses import dataclass

from iatros.molecules.optimisers.crossover import crossed
from iatros.molecules.optimisers.genes import Gene, gene
from iatros.molecules.optimisers.ledger import Answers
from iatros.molecules.optimisers.mutation import mutated
from iatros.molecules.optimisers.rules import Rules, made, sane


@dataclass(frozen=True)
class Breeding:
    """Shares of what is done: `crossover` of the offspring have two parents, of which `also_mutated` change too.

    Parents come from the best share 10^-u of the population, u drawn evenly between 0 and `greed`, so that now and
    then the very best are chosen alone and now and then anyone (Tripp and Hernández-Lobato 2023, arXiv:2310.09267).
    """

    crossover: float = 0.5
    also_mutated: float = 0.3
    again: float = 0.3
    """Share of mutants that change once more, and again."""
    greed: float = 3.0


def draw(ranked: Sequence[str], n: int, rng: random.Random, greed: float) -> list[str]:
    """`n` of the compounds `ranked` from the best on, with repeats."""
    drawn = []
    for _ in range(n):
        share = 10.0 ** -rng.uniform(0.0, greed)
        drawn.append(ranked[rng.randrange(max(1, round(share * len(ranked))))])
    return drawn


def offspring(
    ranked: Sequence[str],
    n: int,
    rng: random.Random,
    *,
    known: Container[str] = (),
    breeding: Breeding | None = None,
    rules: Rules | None = None,
) -> list[str]:
    """At most `n` different SMILES of children that are not `known`; fewer where 20 tries for each do not suffice."""
    from rdkit import rdBase

    breeding, rules = breeding or Breeding(), rules or Rules()
    children: dict[str, None] = {}
    with rdBase.BlockLogs():
        for _ in range(20 * n):
            if len(children) >= n or not ranked:
                break
            mother, father = draw(ranked, 2, rng, breeding.greed)
            child = _child(mother, father, rng, breeding, rules)
            if child and child not in known:
                children[child] = None
    return list(children)


def _child(first: str, second: str, rng: random.Random, breeding: Breeding, rules: Rules) -> str:
    """A child's SMILES, or "" where nothing allowed came of it."""
    mother, father = gene(first), gene(second)
    if mother is None or father is None:
        return ""
    if rng.random() < breeding.crossover:
        molecule = crossed(mother, father, rng)
        again = rng.random() < breeding.also_mutated
    else:
        molecule = mutated(mother, rng)
        again = rng.random() < breeding.again
    while again and molecule is not None and sane(molecule, rules, aromatic=False):
        molecule = mutated(Gene(molecule), rng)
        again = rng.random() < breeding.again
    return "" if molecule is None else made(molecule, rules)


class Population:
    """The best compounds so far by their reward, each once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: list[tuple[float, int, str]] = []
        self._n_seen = 0
        self._known: set[str] = set()

    @classmethod
    def united(cls, several: Sequence[Population], size: int) -> Population:
        """The best `size` compounds of several populations."""
        whole, held = cls(size), dict[str, float]()
        for one in several:
            held |= {smiles: reward for reward, _, smiles in reversed(one._held)}
            whole._known |= one._known
        whole._n_seen = len(held)
        numbered = ((reward, number, smiles) for number, (smiles, reward) in enumerate(held.items(), start=1))
        whole._held = sorted(numbered, reverse=True)[:size]
        return whole

    def __len__(self) -> int:
        return len(self._held)

    @property
    def ranked(self) -> list[str]:
        """SMILES, the best first, of equally good ones the later: a plateau is crossed, not sat on."""
        return [smiles for *_, smiles in self._held]

    @property
    def rewards(self) -> list[float]:
        """The reward of each of `ranked`."""
        return [reward for reward, *_ in self._held]

    def take(self, answers: Answers) -> int:
        """Take in what was asked; how many compounds were new."""
        n_new = 0
        for smiles, reward in zip(answers.smiles, answers.rewards.tolist(), strict=True):
            if not smiles or smiles in self._known:
                continue
            self._known.add(smiles)
            self._n_seen += 1
            n_new += 1
            self._held.append((reward, self._n_seen, smiles))
        self._held.sort(reverse=True)
        del self._held[self._size :]
        return n_new
