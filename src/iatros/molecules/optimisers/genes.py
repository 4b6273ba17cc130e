"""A compound as the genetic operators see it: single, double and triple bonds, and where a bond can still go.

Aromatic rings are written with alternating bonds while they are edited; reading the result makes them aromatic again.
Stereochemistry is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

_KEPT = 4096
"""Compounds whose genes are kept: parents come again and again."""


class Bond(NamedTuple):
    """Between the atoms `begin` and `end`, of order 1 to 3; whether it lies in a ring."""

    begin: int
    end: int
    order: int
    in_ring: bool


@dataclass(frozen=True)
class Gene:
    """One connected compound, its heavy atoms by number; what an operator asks for is found when it asks.

    `molecule` is RDKit's, with alternating bonds, no hydrogens of its own and no stereochemistry; it must not be
    changed.
    """

    molecule: Any

    def __len__(self) -> int:
        n: int = self.molecule.GetNumAtoms()
        return n

    @cached_property
    def bonds(self) -> tuple[Bond, ...]:
        """Every bond once."""
        from rdkit import Chem

        orders = np.triu(Chem.GetAdjacencyMatrix(self.molecule, useBO=True, force=True))
        begin, end = orders.nonzero()
        closed = {pair for ring in self.rings for pair in zip(ring, (*ring[1:], ring[0]), strict=True)}
        return tuple(
            Bond(a, b, int(order), (a, b) in closed or (b, a) in closed)
            for a, b, order in zip(begin.tolist(), end.tolist(), orders[begin, end].tolist(), strict=True)
        )

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """The atoms next to each atom."""
        found: list[list[int]] = [[] for _ in range(len(self))]
        for bond in self.bonds:
            found[bond.begin].append(bond.end)
            found[bond.end].append(bond.begin)
        return tuple(map(tuple, found))

    @cached_property
    def rings(self) -> tuple[tuple[int, ...], ...]:
        """The smallest rings, as atoms in their order."""
        return tuple(tuple(ring) for ring in self.molecule.GetRingInfo().AtomRings())

    @cached_property
    def open_atoms(self) -> tuple[int, ...]:
        """Atoms that could form another bond."""
        return tuple(at for (at,) in self.molecule.GetSubstructMatches(pattern("[!H0]")))

    def hydrogens(self, at: int) -> int:
        """How many bonds the atom `at` could still form."""
        n: int = self.molecule.GetAtomWithIdx(at).GetTotalNumHs()
        return n

    def side(self, begin: int, without: Sequence[tuple[int, int]]) -> set[int]:
        """Atoms that can be reached from `begin` when the bonds between the pairs `without` are cut."""
        cut = {*without, *((b, a) for a, b in without)}
        found, waiting = {begin}, [begin]
        while waiting:
            atom = waiting.pop()
            for other in self.neighbours[atom]:
                if other not in found and (atom, other) not in cut:
                    found.add(other)
                    waiting.append(other)
        return found


@lru_cache(maxsize=_KEPT)
def gene(smiles: str) -> Gene | None:
    """The gene of a compound; None where RDKit cannot read it, or where it is not one connected part."""
    from rdkit import Chem

    molecule = None if "." in smiles else Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None or not molecule.GetNumAtoms() or not sanitise(molecule, aromatic=False):
        return None
    Chem.RemoveStereochemistry(molecule)
    if "[H]" in smiles:
        molecule = Chem.RemoveHs(molecule, sanitize=False)
    if "[" in smiles:  # whoever writes an atom in brackets fixes its hydrogens
        for at in range(molecule.GetNumAtoms()):
            atom = molecule.GetAtomWithIdx(at)
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)
        molecule.UpdatePropertyCache()
    return Gene(molecule)


def sanitise(molecule: Any, *, aromatic: bool) -> bool:
    """Count hydrogens and find rings; whether all valences are allowed.

    Bonds alternate afterwards, as in a gene, or are `aromatic` where they should be.
    """
    from rdkit import Chem

    steps, aromaticity = _steps()
    try:
        failed = Chem.SanitizeMol(molecule, steps | aromaticity if aromatic else steps, catchErrors=True)
    except (RuntimeError, ValueError):
        return False
    return not failed


@lru_cache(maxsize=1)
def _steps() -> tuple[int, int]:
    """RDKit's steps of sanitising for alternating bonds, and those that follow for aromatic ones."""
    from rdkit.Chem import SanitizeFlags as Step

    alternating = (
        Step.SANITIZE_CLEANUP | Step.SANITIZE_PROPERTIES | Step.SANITIZE_SYMMRINGS | Step.SANITIZE_KEKULIZE
    )
    return int(alternating), int(Step.SANITIZE_SETAROMATICITY | Step.SANITIZE_ADJUSTHS)


@lru_cache
def pattern(smarts: str) -> Any:
    """The SMARTS as RDKit's query."""
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)


def editable(one: Gene) -> Any:
    """A copy for editing."""
    from rdkit import Chem

    return Chem.RWMol(one.molecule)


def joined(
    first: Gene,
    kept_first: set[int],
    second: Gene,
    kept_second: set[int],
    bonds: Iterable[tuple[int, int, int]],
) -> Any:
    """What is kept of two compounds in one, with new `bonds`: atom of the first, atom of the second, order."""
    from rdkit import Chem

    both, shift = Chem.RWMol(first.molecule), len(first)
    both.InsertMol(second.molecule)
    for a, b, order in bonds:
        both.AddBond(a, b + shift, bond_types()[order])
    dropped = [a for a in range(shift) if a not in kept_first]
    dropped += [b + shift for b in range(len(second)) if b not in kept_second]
    if dropped:
        without(both, dropped)
    return both


def without(molecule: Any, atoms: Iterable[int]) -> None:
    """Take `atoms` out of an editable molecule, with their bonds."""
    molecule.BeginBatchEdit()
    for atom in atoms:
        molecule.RemoveAtom(atom)
    molecule.CommitBatchEdit()


@lru_cache(maxsize=1)
def bond_types() -> tuple[Any, ...]:
    """RDKit's bond types by order; there is none of order 0."""
    from rdkit import Chem

    return (None, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
