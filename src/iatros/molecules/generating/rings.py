"""Ring systems: rings that share an atom, as a chemist sees them, and what is new about a compound's."""

from __future__ import annotations

from typing import Any


def ring_systems(molecule: Any) -> tuple[str, ...]:
    """SMILES of each ring system of an RDKit molecule, sorted, each once; stereo and mobile hydrogens do not matter.

    Rings belong together where they share an atom (fused, bridged or spiro); an atom bound to a ring by a double bond
    belongs to it, because it decides on the ring's aromaticity.

    >>> from rdkit import Chem
    >>> ring_systems(Chem.MolFromSmiles("CC1CCC2(C1)CC(=O)N2c1ccccc1"))
    ('O=C1CC2(CCCC2)N1', 'c1ccccc1')
    """
    from rdkit import Chem

    systems: list[set[int]] = []
    for ring in molecule.GetRingInfo().AtomRings():
        joined = set(ring)
        apart = []
        for system in systems:
            if system & joined:
                joined |= system
            else:
                apart.append(system)
        systems = [*apart, joined]
    found = set()
    for system in systems:
        atoms = set(system)
        for at in system:
            atom = molecule.GetAtomWithIdx(at)
            for bond in atom.GetBonds():
                if bond.GetBondTypeAsDouble() == 2.0:
                    atoms.add(bond.GetOtherAtomIdx(at))
        text = Chem.MolFragmentToSmiles(molecule, sorted(atoms), isomericSmiles=False)
        found.add(text.replace("[nH]", "n"))
    return tuple(sorted(found))
