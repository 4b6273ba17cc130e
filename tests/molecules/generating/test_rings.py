"""Ring systems, by hand: what belongs together, and what does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from iatros.molecules.generating.rings import ring_systems

CASES = [
    ("CCO", ()),
    ("c1ccccc1CCC1CC1", ("C1CC1", "c1ccccc1")),
    ("c1ccc2ccccc2c1", ("c1ccc2ccccc2c1",)),
    ("C1CC2CCC1C2", ("C1CC2CCC1C2",)),
    ("C1CCC2(CC1)CC2", ("C1CCC2(CC1)CC2",)),
    ("O=C1CCCN1C", ("O=C1CCCN1",)),
    ("C=C1CCCC1", ("C=C1CCCC1",)),
    ("CS(=O)(=O)C1CCNCC1", ("C1CCNCC1",)),
]


@pytest.mark.parametrize(("smiles", "expected"), CASES)
def test_known_ring_systems(smiles: str, expected: tuple[str, ...]) -> None:
    found = ring_systems(Chem.MolFromSmiles(smiles))
    assert found == tuple(sorted(Chem.CanonSmiles(one) for one in expected))


def test_substituents_and_stereo_do_not_matter() -> None:
    bare, dressed = ("O[C@H]1CCCNC1", "CC(C)N1CCC[C@@H](OC)C1")
    assert ring_systems(Chem.MolFromSmiles(bare)) == ring_systems(Chem.MolFromSmiles(dressed))
    assert ring_systems(Chem.MolFromSmiles("c1cc[nH]c1")) == ring_systems(Chem.MolFromSmiles("Cn1cccc1"))


@given(st.permutations(range(13)))
def test_the_order_of_atoms_does_not_matter(order: list[int]) -> None:
    molecule = Chem.MolFromSmiles("O=C1CC2(CCCC2)N1c1cccc1".replace("c1cccc1", "C"))
    other = Chem.RenumberAtoms(molecule, [at for at in order if at < molecule.GetNumAtoms()])
    assert ring_systems(other) == ring_systems(molecule)
