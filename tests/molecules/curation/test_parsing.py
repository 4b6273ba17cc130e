from __future__ import annotations

import pytest
from rdkit import Chem, rdBase

from iatros.molecules.curation.parsing import MAX_SMILES_CHARACTERS, StructureError, parse


@pytest.fixture(autouse=True)
def _quiet():
    with rdBase.BlockLogs():
        yield


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("OCC", "CCO"),
        (" OCC ", "CCO"),
        ("InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3", "CCO"),
        ("c1ccccc1O", "Oc1ccccc1"),
        ("C[C@H](N)O |&1:1|", "C[C@H](N)O"),
        ("[13CH4]", "[13CH4]"),
    ],
)
def test_structures(text, smiles):
    assert Chem.MolToSmiles(parse(text)) == smiles


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no structure is given"),
        ("   ", "no structure is given"),
        ("aspirin", "a name or identifier: a structure is needed"),
        ("acetic acid", "a name or identifier: a structure is needed"),
        ("2-methylpropane", "a name or identifier: a structure is needed"),
        ("N,N-dimethylformamide", "a name or identifier: a structure is needed"),
        ("CHEMBL25", "a name or identifier: a structure is needed"),
        ("BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "an InChIKey, which names a structure and does not hold it"),
        ("50-78-2", "a registry number: a structure is needed"),
        ("CO poisoning", "the cell holds more than a structure"),
        ("[C][C][O]", "this looks like SELFIES"),
        ("CC(C", "not valid SMILES: 1 parentheses open and 0 close"),
        ("C1CC", "not valid SMILES: the ring 1 is opened and not closed"),
        ("CC%12C", "not valid SMILES: the ring 12 is opened and not closed"),
        ("CC!C", "not valid SMILES: character 3"),
        ("C(C)(C)(C)(C)C", "valence: explicit valence for atom # 0 C, 5, is greater than permitted"),
        ("c1cccc1", "aromaticity: can't kekulize mol"),
        ("InChI=1S/zzz", "not valid InChI"),
        ("C" * (MAX_SMILES_CHARACTERS + 1), "the structure is longer than 10,000 characters"),
    ],
)
def test_what_is_no_molecule_says_why(text, reason):
    with pytest.raises(StructureError) as raised:
        parse(text)
    assert str(raised.value).startswith(reason)


def test_a_mol_block_without_atoms():
    with pytest.raises(StructureError, match="no atoms"):
        parse(Chem.MolToMolBlock(Chem.Mol()), molblock=True)
