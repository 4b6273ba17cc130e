"""Small changes of one compound: atoms, bonds and rings are added, taken away or exchanged.

The kinds of change are those of graph-based genetic algorithms (Brown et al. 2004, J. Chem. Inf. Comput. Sci. 44:1079;
Jensen 2019, Chem. Sci. 10:3567), and a substituent that moves, or gives way to a common group.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from iatros.molecules.optimisers.genes import Bond, Gene, bond_types, editable, gene, joined, without

_ELEMENTS = {6: 44, 7: 20, 8: 18, 9: 7, 16: 5, 17: 4, 35: 1.2, 15: 0.5, 53: 0.3}
"""Atomic numbers, and how often each is drawn."""
_VALENCE = {6: 4, 7: 3, 8: 2, 9: 1, 16: 6, 17: 1, 35: 1, 15: 5, 53: 1}
_BRIDGES = {6: 60, 7: 22, 8: 14, 16: 4}
"""The same for atoms with two neighbours."""
_GROUPS = (
    "C", "CC", "C(C)C", "C(C)(C)C", "C1CC1", "C(F)(F)F", "OC", "O", "OCC", "OC(F)(F)F", "N", "NC", "N(C)C", "F", "Cl",
    "C#N", "C=O", "C(=O)C", "C(=O)O", "C(=O)OC", "C(=O)N", "NC(C)=O", "S(C)(=O)=O", "S(N)(=O)=O", "SC", "[NH+](=O)[O-]",
    "c1ccccc1", "c1ccncc1", "c1cccnc1", "c1ccco1", "c1cccs1", "c1ccn[nH]1", "c1nnn[nH]1", "[nH]1ccnc1", "Cc1ccccc1",
    "C1CCCCC1", "C1CCNCC1", "N1CCCCC1", "N1CCNCC1", "N1CCOCC1", "N1CCCC1", "CO", "CN", "CC=O", "CCO", "CCN",
)  # fmt: skip
"""Groups that medicinal chemists put on a compound; the bond goes to the first atom."""

Change = Callable[[Gene, random.Random], Any]
"""An editable molecule that differs from the gene, or None where the change is not possible."""


def mutated(one: Gene, rng: random.Random) -> Any:
    """An editable molecule that differs from `one` by a change drawn at random, or None where there is no such."""
    changes, weights = _changes()
    return rng.choices(changes, cum_weights=weights)[0](one, rng)


def append_atom(one: Gene, rng: random.Random) -> Any:
    """A new atom at one that has room."""
    atoms = one.open_atoms
    if not atoms:
        return None
    at = rng.choice(atoms)
    element = rng.choices(list(_ELEMENTS), list(_ELEMENTS.values()))[0]
    most = min(one.hydrogens(at), _VALENCE[element], 3 if element in (6, 7) else 2)
    order = min(most, rng.choices((1, 2, 3), (80, 17, 3))[0])
    molecule = editable(one)
    molecule.AddBond(at, _atom(molecule, element), bond_types()[order])
    return molecule


def append_group(one: Gene, rng: random.Random) -> Any:
    """A common group at an atom that has room."""
    atoms = one.open_atoms
    if not atoms:
        return None
    group = gene(rng.choice(_GROUPS))
    assert group is not None
    return joined(one, set(range(len(one))), group, set(range(len(group))), [(rng.choice(atoms), 0, 1)])


def exchange_group(one: Gene, rng: random.Random) -> Any:
    """A common group, or a hydrogen, in place of a substituent."""
    cut = _cut(one, rng)
    if cut is None:
        return None
    kept, begin, _, end = cut
    if len(kept) < len(one) - len(kept):
        kept, begin = set(range(len(one))) - kept, end
    if rng.random() < 0.25:
        molecule = editable(one)
        without(molecule, set(range(len(one))) - kept)
        return molecule
    group = gene(rng.choice(_GROUPS))
    assert group is not None
    return joined(one, kept, group, set(range(len(group))), [(begin, 0, 1)])


def move_group(one: Gene, rng: random.Random) -> Any:
    """A substituent goes to another atom, now and then by another of its own atoms."""
    cut = _cut(one, rng)
    if cut is None:
        return None
    kept, begin, moved, end = cut
    places = [atom for atom in one.open_atoms if atom in kept and atom != begin]
    if not places:
        return None
    by = end
    others = [atom for atom in one.open_atoms if atom in moved]
    if others and rng.random() < 0.25:
        by = rng.choice(others)
    molecule = editable(one)
    molecule.RemoveBond(begin, end)
    molecule.AddBond(rng.choice(places), by, bond_types()[1])
    return molecule


def insert_atom(one: Gene, rng: random.Random) -> Any:
    """A new atom within a single bond."""
    bonds = [bond for bond in one.bonds if bond.order == 1]
    if not bonds:
        return None
    bond = rng.choice(bonds)
    molecule = editable(one)
    molecule.RemoveBond(bond.begin, bond.end)
    new = _atom(molecule, rng.choices(list(_BRIDGES), list(_BRIDGES.values()))[0])
    molecule.AddBond(bond.begin, new, bond_types()[1])
    molecule.AddBond(new, bond.end, bond_types()[1])
    return molecule


def delete_atom(one: Gene, rng: random.Random) -> Any:
    """An atom with one or two neighbours goes; two neighbours are bound to each other."""
    places = [atom for atom, near in enumerate(one.neighbours) if len(near) in (1, 2)]
    if not places or len(one) < 3:
        return None
    at = rng.choice(places)
    molecule = editable(one)
    near = one.neighbours[at]
    if len(near) == 2:
        if near[1] in one.neighbours[near[0]]:
            return None
        molecule.AddBond(near[0], near[1], bond_types()[1])
    molecule.RemoveAtom(at)
    return molecule


def change_atom(one: Gene, rng: random.Random) -> Any:
    """Another element in the same place."""
    at = rng.randrange(len(one))
    atom = one.molecule.GetAtomWithIdx(at)
    used = sum(bond.order for bond in one.bonds if at in (bond.begin, bond.end))
    fitting = {e: w for e, w in _ELEMENTS.items() if _VALENCE[e] >= used and e != atom.GetAtomicNum()}
    if not fitting or atom.GetFormalCharge():
        return None
    molecule = editable(one)
    molecule.GetAtomWithIdx(at).SetAtomicNum(rng.choices(list(fitting), list(fitting.values()))[0])
    return molecule


def change_bond(one: Gene, rng: random.Random) -> Any:
    """A bond of another order, as far as there is room."""
    bond = rng.choice(one.bonds) if one.bonds else None
    if bond is None:
        return None
    most = min(3, bond.order + min(one.hydrogens(bond.begin), one.hydrogens(bond.end)))
    orders = [order for order in range(1, most + 1) if order != bond.order]
    if not orders:
        return None
    molecule = editable(one)
    molecule.GetBondBetweenAtoms(bond.begin, bond.end).SetBondType(bond_types()[rng.choice(orders)])
    return molecule


def close_ring(one: Gene, rng: random.Random) -> Any:
    """A bond between two atoms with room, so that a ring of 3 to 7 comes about, mostly of 5 or 6."""
    atoms = one.open_atoms
    if not atoms:
        return None
    begin = rng.choice(atoms)
    wanted = rng.choices((3, 4, 5, 6, 7), (5, 4, 40, 45, 6))[0]
    ends = [atom for atom in _at_distance(one, begin, wanted - 1) if atom in atoms]
    if not ends:
        return None
    molecule = editable(one)
    molecule.AddBond(begin, rng.choice(ends), bond_types()[1])
    return molecule


def open_ring(one: Gene, rng: random.Random) -> Any:
    """A bond of a ring goes."""
    bonds = [bond for bond in one.bonds if bond.in_ring]
    if not bonds:
        return None
    bond = rng.choice(bonds)
    molecule = editable(one)
    molecule.RemoveBond(bond.begin, bond.end)
    return molecule


def fuse_ring(one: Gene, rng: random.Random) -> Any:
    """A new ring of five or six on a bond whose atoms have room, often an aromatic one."""
    atoms = set(one.open_atoms)
    bonds = [bond for bond in one.bonds if bond.begin in atoms and bond.end in atoms]
    if not bonds:
        return None
    bond = rng.choice(bonds)
    orders = rng.choice(((1, 2, 1, 2, 1), (1, 2, 1, 2, 1), (1, 1, 1, 1, 1), (1, 2, 1, 1), (1, 1, 1, 1)))
    molecule = editable(one)
    at = bond.begin
    for place, order in enumerate(orders):
        last = place == len(orders) - 1
        alone = order == 1 and (last or orders[place + 1] == 1)
        bridges = {6: 60, 7: 22, 8: 14, 16: 4} if alone else {6: 80, 7: 20}
        new = bond.end if last else _atom(molecule, rng.choices(list(bridges), list(bridges.values()))[0])
        molecule.AddBond(at, new, bond_types()[order])
        at = new
    return molecule


@lru_cache(maxsize=1)
def _changes() -> tuple[list[Change], list[float]]:
    """The kinds of change, and their weights summed up."""
    weighed: dict[Change, float] = {
        append_atom: 16,
        append_group: 8,
        exchange_group: 12,
        move_group: 12,
        insert_atom: 10,
        delete_atom: 14,
        change_atom: 14,
        change_bond: 8,
        close_ring: 6,
        open_ring: 4,
        fuse_ring: 4,
    }
    total, sums = 0.0, []
    for weight in weighed.values():
        total += weight
        sums.append(total)
    return list(weighed), sums


def _cut(one: Gene, rng: random.Random) -> tuple[set[int], int, set[int], int] | None:
    """A single bond outside rings: atoms on one side, its atom there, those on the other side, its atom there."""
    bonds = [bond for bond in one.bonds if bond.order == 1 and not bond.in_ring]
    if not bonds:
        return None
    bond = rng.choice(bonds)
    if rng.random() < 0.5:
        bond = Bond(bond.end, bond.begin, 1, False)
    kept = one.side(bond.begin, [(bond.begin, bond.end)])
    return kept, bond.begin, set(range(len(one))) - kept, bond.end


def _atom(molecule: Any, element: int) -> int:
    from rdkit import Chem

    place: int = molecule.AddAtom(Chem.Atom(element))
    return place


def _at_distance(one: Gene, begin: int, distance: int) -> list[int]:
    """Atoms that are `distance` bonds away from `begin` by the shortest way."""
    seen, edge = {begin}, [begin]
    for _ in range(distance):
        edge = [
            atom for atom in dict.fromkeys(n for at in edge for n in one.neighbours[at]) if atom not in seen
        ]
        seen.update(edge)
    return edge
