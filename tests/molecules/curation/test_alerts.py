from __future__ import annotations

import gzip

import pytest
from rdkit import Chem

from iatros.molecules.curation.alerts import SOURCES, alerts
from iatros.molecules.curation.moses import PATTERNS, moses_alerts
from iatros.molecules.requests import ALERTS

# One molecule for each pattern of MOSES that holds it, and one that comes near and does not.
HITS = {
    "acrylonitrile": ("C=CC#N", "CCC#N"),
    "vinyl sulfone": ("C=CS(=O)(=O)C", "CCS(=O)(=O)C"),
    "acrylamide": ("C=CC(=O)NC", "C=C(C)C(=O)NC"),
    "primary alkyl halide": ("CCCl", "CC(C)Cl"),
    "epoxide": ("CC1CO1", "C1CCO1"),
    "isocyanate": ("CN=C=O", "CN=C=S"),
    "aldehyde": ("CCC=O", "CC(C)=O"),
    "open imine": ("CC(=N)C", "CC(=NC)C"),
    "aziridine": ("CC1CN1", "C1CCN1"),
    "open hydrazine": ("CNNC", "CN1CCCN1"),
    "azo": ("CN=NC", "C1CN=NC1"),
    "halogen beside an aromatic heteroatom": ("Clc1ccccn1", "Clc1cccnc1"),
    "sulfur bound to sulfur": ("CSSC", "CSCSC"),
    "three nitrogens in a chain": ("CN=NNC", "c1c[nH]nn1"),
    "aminal": ("CNCNC", "CNC(C)NC"),
    "acetal": ("COC(C)OC", "COC(C)(C)OC"),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_each_pattern_of_moses_hits_and_misses(name):
    hit, miss = HITS[name]
    assert name in moses_alerts(Chem.MolFromSmiles(hit))
    assert name not in moses_alerts(Chem.MolFromSmiles(miss))


@pytest.mark.parametrize(
    ("smiles", "found"),
    [
        ("CC(F)(F)C(F)(F)C(F)(F)F", ["7 or more fluorine"]),
        ("CC(F)(F)C(F)(F)C(F)F", []),
        ("Clc1cc(Cl)c(Cl)cc1Cl", ["4 or more chlorine"]),
        ("Brc1cc(Br)cc(Br)c1", ["3 or more bromine"]),
        ("C[N+](C)(C)C", ["charged atom"]),
        ("C[S+](C)[O-]", []),
        ("CP(C)C", ["element"]),
        ("C1CCCCCCC1", ["large ring"]),
        ("C1CCCCCC1", []),
    ],
)
def test_counts_charges_elements_and_rings(smiles, found):
    assert moses_alerts(Chem.MolFromSmiles(smiles)) == found


def test_published_lists_by_name():
    rhodanine = Chem.MolFromSmiles("O=C1NC(=S)SC1=Cc1ccccc1")
    assert "pains: ene_rhod_A(235)" in alerts(rhodanine, ("pains",))
    assert alerts(Chem.MolFromSmiles("CCC=O"), ("brenk", "moses")) == ("brenk: aldehyde", "moses: aldehyde")
    assert alerts(Chem.MolFromSmiles("CCC=O"), ()) == ()
    assert tuple(SOURCES) == ALERTS


def test_the_benchmark_passes_its_own_filters(shared_data):
    # All 176,074 test compounds of MOSES passed the filters of its authors; so must a sample here.
    with gzip.open(shared_data / "moses" / "test.csv.gz", "rt") as file:
        sample = [line.split(",")[0].strip() for line in file][::350]
    mols = [Chem.MolFromSmiles(smiles) for smiles in sample]
    assert len(mols) > 500
    assert [smiles for smiles, mol in zip(sample, mols, strict=True) if moses_alerts(mol)] == []
    assert [a for mol in mols[:120] for a in alerts(mol, ("pains",))] == []
