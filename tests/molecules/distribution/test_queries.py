"""The screen of queries must never leave out one that matches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from iatros.molecules.distribution import filters, properties
from iatros.molecules.distribution.queries import Screen

UNUSUAL = [
    "C", "[H][H]", "[2H]C([2H])O", "[Na+].[Cl-]", "C[N+](C)(C)C", "*CC", "OB(O)c1ccccc1", "C[Se]C", "[13CH4]",
    "c1ccc2c(c1)[nH]c1ccccc12", "O=[N+]([O-])c1ccccc1", "F/C=C/F", "C1CC2CCC1C2", "[nH]1cccc1", "CS(C)=O",
]  # fmt: skip


def test_every_query_that_matches_is_a_candidate(drugs: Any) -> None:
    named = filters.queries()
    n_seen = n_left = 0
    for smiles in drugs.reference[::12] + UNUSUAL:
        molecule = Chem.MolFromSmiles(smiles)
        with_hydrogens = Chem.AddHs(molecule)
        candidates = filters.screen().candidates(molecule)
        assert np.array_equal(candidates, filters.screen().candidates(with_hydrogens)), smiles
        matches = [with_hydrogens.HasSubstructMatch(query) for _, query in named]
        assert not (np.array(matches) & ~candidates).any(), smiles
        n_seen += len(named)
        n_left += int(candidates.sum())
    assert n_left < n_seen / 10


def test_the_same_holds_for_the_patterns_of_drug_likeness(drugs: Any) -> None:
    screen = properties.screen()
    for smiles in drugs.reference[::6] + UNUSUAL:
        molecule = Chem.MolFromSmiles(smiles)
        matches = [molecule.HasSubstructMatch(query) for query in screen.queries]
        assert not (np.array(matches) & ~screen.candidates(molecule)).any(), smiles


@pytest.mark.parametrize(
    ("smarts", "smiles", "candidate"),
    [
        ("[#7]=[#6]", "CC=N", True),
        ("[#7]=[#6]", "CCN", False),
        ("[CX4][Cl,Br,I]", "CCBr", True),
        ("[CX4][Cl,Br,I]", "c1ccccc1Br", False),
        ("[#35].[#35].[#35]", "BrCBr", False),
        ("[#35].[#35].[#35]", "BrC(Br)Br", True),
        ("c-!@c", "c1ccccc1-c1ccccc1", True),
        ("c-!@c", "c1ccc2c(c1)-c1ccccc1-2", False),
        ("[#8]-[#1]", "CO", True),
        ("[#8]-[#1]", "COC", False),
        ("[#6;H2]", "CCC", True),
        ("[#6;!H0]", "FC(F)(F)F", False),
        ("[N+](=O)[O-]", "CN", False),
        ("[$([CH2]=O)]", "C", True),
    ],
)
def test_kinds_are_told_apart_as_far_as_they_are_understood(
    smarts: str, smiles: str, candidate: bool
) -> None:
    found = Screen([Chem.MolFromSmarts(smarts)]).candidates(Chem.MolFromSmiles(smiles))
    assert found.tolist() == [candidate]


def test_a_screen_without_queries_has_no_candidates() -> None:
    assert Screen([]).candidates(Chem.MolFromSmiles("CCO")).tolist() == []
