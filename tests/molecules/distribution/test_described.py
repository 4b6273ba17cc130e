"""What is told of each text, against RDKit's own functions."""

from __future__ import annotations

from typing import Any

import pytest
from rdkit import Chem
from rdkit.Chem import QED, AllChem, Crippen, Descriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from iatros.core.context import Context
from iatros.engines import open_engine
from iatros.molecules.distribution import properties
from iatros.molecules.distribution.described import describe, scaffold
from iatros.molecules.schema import BLANK, Entry


def test_properties_are_those_of_rdkit(drugs: Any) -> None:
    for smiles in [*drugs.reference[::8], "[2H]C([2H])O", "CC(=O)[O-].[Na+]"]:
        molecule = Chem.MolFromSmiles(smiles)
        found = properties.four(molecule)
        expected = (Crippen.MolLogP(molecule), QED.qed(molecule), Descriptors.MolWt(molecule))
        assert (found.logp, found.qed, found.weight) == pytest.approx(expected, abs=1e-12), smiles
        assert 1.0 <= found.sa <= 10.0


def test_fragments_and_scaffolds_are_those_of_rdkit(drugs: Any) -> None:
    entries = [Entry(line, smiles) for line, smiles in enumerate(drugs.reference[:40], start=1)]
    found = describe(iter(entries), Context(), filtered=False, label="compounds")
    for smiles, fragments, murcko in zip(found.smiles, found.fragments, found.scaffolds, strict=True):
        molecule = Chem.MolFromSmiles(smiles)
        assert fragments == Chem.MolToSmiles(AllChem.FragmentOnBRICSBonds(molecule))
        whole = MurckoScaffold.GetScaffoldForMol(molecule)
        expected = Chem.MolToSmiles(whole) if whole.GetRingInfo().NumRings() >= 2 else ""
        assert murcko == expected
    assert found.failures == [()] * len(found)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCO", ""),
        ("Cc1ccccc1", ""),
        ("Cc1ccccc1CC1CC1", "c1ccc(CC2CC2)cc1"),
        ("C1CC2CCC1C2C", "C1CC2CCC1C2"),
    ],
)
def test_a_scaffold_has_two_rings_or_more(smiles: str, expected: str) -> None:
    assert scaffold(Chem.MolFromSmiles(smiles)) == expected


ENTRIES = [
    Entry(1, "OCC"),
    Entry(2, "", refusal=BLANK),
    Entry(3, "C1CC"),
    Entry(4, "C3CC"),
    Entry(5, "CO poisoning"),
    Entry(6, "InChI=1S/CH4O/c1-2/h2H,1H3"),
    Entry(7, Chem.MolToMolBlock(Chem.MolFromSmiles("CCN")), molblock=True),
    Entry(8, "x", refusal="the line has 3 cell(s) where the header has 2"),
    Entry(9, "*CC"),
    Entry(10, "OCC |$a;b;c$|"),
]


def test_every_text_is_a_molecule_or_has_a_reason() -> None:
    found = describe(iter(ENTRIES), Context(), filtered=True, label="compounds")
    assert found.smiles == ["CCO", "CO", "CCN", "*CC", "CCO"]
    assert found.valid.tolist() == [True, False, False, False, True, True, False, True, True]
    assert (found.n_lines, found.n_blank, len(found)) == (9, 1, 5)
    assert sum(found.reasons.values()) == 4
    assert found.reasons["not valid SMILES: the ring # is opened and not closed"] == 2
    assert found.words.shape == (5, 16)
    assert found.values.shape == (5, 4)
    assert [bool(failed) for failed in found.failures] == [False, False, False, True, False]


def test_workers_change_nothing(drugs: Any) -> None:
    entries = [Entry(line, smiles) for line, smiles in enumerate(drugs.generated[:620], start=1)]
    alone = describe(iter(entries), Context(), filtered=False, label="compounds")
    with open_engine("processes", 2) as engine:
        shared = describe(iter(entries), Context(engine=engine), filtered=False, label="compounds")
    assert alone.words.tobytes() == shared.words.tobytes()
    assert alone.values.tobytes() == shared.values.tobytes()
    assert (alone.smiles, alone.fragments, alone.scaffolds) == (
        shared.smiles,
        shared.fragments,
        shared.scaffolds,
    )
