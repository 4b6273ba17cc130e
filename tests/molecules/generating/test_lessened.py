"""One carbon atom less: known answers, and the way back from a compound that was made longer."""

from __future__ import annotations

import pytest
from rdkit import Chem

from iatros.molecules.generating.lessened import one_carbon_less

PARENTS = ["c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "C[C@H](N)C(=O)O", "c1ccc2[nH]ccc2c1", "OC1CCNCC1"]


def of(smiles: str) -> list[str]:
    return one_carbon_less(Chem.MolFromSmiles(smiles))


def test_by_hand() -> None:
    assert of("CCO") == ["CO"]
    assert of("C") == []
    assert of("C1CC1") == []
    assert of("C1CCC1") == ["C1CC1"]
    assert of("C=C") == []
    assert of("Cn1cccc1") == ["c1cc[nH]c1"]


@pytest.mark.parametrize("parent", PARENTS)
def test_every_methylated_compound_leads_back(parent: str) -> None:
    """A methyl group in place of any hydrogen, taken out again, is the parent."""
    canonical, seen = Chem.CanonSmiles(parent), 0
    molecule = Chem.MolFromSmiles(parent)
    for atom in molecule.GetAtoms():
        if not atom.GetTotalNumHs():
            continue
        longer = Chem.RWMol(molecule)
        at = longer.GetAtomWithIdx(atom.GetIdx())
        at.SetNumExplicitHs(max(0, at.GetNumExplicitHs() - 1))
        longer.AddBond(atom.GetIdx(), longer.AddAtom(Chem.Atom(6)), Chem.BondType.SINGLE)
        Chem.SanitizeMol(longer)
        found = {Chem.CanonSmiles(text, useChiral=0) for text in one_carbon_less(longer.GetMol())}
        assert Chem.CanonSmiles(canonical, useChiral=0) in found
        seen += 1
    assert seen


def test_what_comes_out_is_canonical_and_smaller() -> None:
    for parent in PARENTS:
        n = Chem.MolFromSmiles(parent).GetNumHeavyAtoms()
        for text in of(parent):
            assert text == Chem.CanonSmiles(text)
            assert Chem.MolFromSmiles(text).GetNumHeavyAtoms() == n - 1
