"""A compound as the genetic operators see it: single, double and triple bonds, and where a bond can still go.

Aromatic rings are written with alternating bonds while they are edited; reading the result makes them aromatic again.
Stereochemistry is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

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
    """One connected compound, its heavy atoms by number.

    `hydrogens` tells for each atom how many bonds it could still form, `elements` are atomic numbers, `neighbours` has
    for each atom the atoms next to it, `rings` the smallest rings as atoms in their order. `molecule` is RDKit's and
    must not be changed.
    """

    molecule: Any
    elements: tuple[int, ...]
    hydrogens: tuple[int, ...]
    bonds: tuple[Bond, ...]
    neighbours: tuple[tuple[int, ...], ...]
    rings: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.elements)

    def open_atoms(self, least: int = 1) -> list[int]:
        """Atoms that could form `least` more bonds."""
        return [atom for atom, n in enumerate(self.hydrogens) if n >= least]

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

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms() or "." in smiles:
        return None
    Chem.RemoveStereochemistry(molecule)
    return gene_of(molecule)


def gene_of(molecule: Any) -> Gene:
    """The gene of a sanitised molecule in one part, which becomes part of it."""
    from rdkit import Chem

    Chem.Kekulize(molecule, clearAromaticFlags=True)
    # Numbers are asked for one by one: RDKit's own sequences of atoms and bonds take several times as long.
    atoms = [molecule.GetAtomWithIdx(k) for k in range(molecule.GetNumAtoms())]
    hydrogens = tuple(atom.GetTotalNumHs() for atom in atoms)
    for atom in atoms:
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    bonds = []
    neighbours: list[list[int]] = [[] for _ in atoms]
    for k in range(molecule.GetNumBonds()):
        bond = molecule.GetBondWithIdx(k)
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        bonds.append(Bond(begin, end, int(bond.GetBondTypeAsDouble()), bond.IsInRing()))
        neighbours[begin].append(end)
        neighbours[end].append(begin)
    return Gene(
        molecule,
        tuple(atom.GetAtomicNum() for atom in atoms),
        hydrogens,
        tuple(bonds),
        tuple(map(tuple, neighbours)),
        tuple(tuple(ring) for ring in molecule.GetRingInfo().AtomRings()),
    )


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

    both, shift = Chem.RWMol(Chem.CombineMols(first.molecule, second.molecule)), len(first)
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
