"""The filters of MOSES, decided as its own code decides: every pattern matched against written hydrogens."""

from __future__ import annotations

from typing import Any

import pytest
from rdkit import Chem

from iatros.molecules.distribution import filters


def failures(smiles: str) -> tuple[str, ...]:
    molecule = Chem.MolFromSmiles(smiles)
    return filters.failures(molecule, Chem.MolToSmiles(molecule))


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("CCCC=O", "aldehyde"),
        ("C1CCCCCCC1", "large ring"),
        ("CC(=O)[O-]", "charged atom"),
        ("CS(C)(=O)=[N+](C)C", "charged atom"),
        ("C[Si](C)(C)C", "element"),
        ("CI", "element"),
        ("BrC(Br)Br", "3 or more bromine"),
        ("ClC(Cl)(Cl)Cl", "4 or more chlorine"),
        ("CCBr", "primary alkyl halide"),
        ("C1OC1", "epoxide"),
        ("CSSC", "sulfur bound to sulfur"),
        ("O=C1C=CC(=O)C=C1", "PAINS quinone_A(370)"),
        ("CN(C)c1ccc(CNC)cc1", "PAINS anil_di_alk_D(198)"),
    ],
)
def test_a_reason_is_named(smiles: str, reason: str) -> None:
    assert reason in failures(smiles)


@pytest.mark.parametrize(
    "smiles", ["CCO", "c1ccccc1C(=O)N", "C1CCCCCC1", "CC1CC1C(=O)Nc1ccncc1", "FC(F)(F)c1ccccc1"]
)
def test_an_ordinary_compound_passes(smiles: str) -> None:
    assert failures(smiles) == ()


def test_a_charge_of_a_sulfoxide_counts_as_in_the_benchmark() -> None:
    assert "charged atom" in failures("C[S+](C)[O-]")


def test_the_screen_changes_no_answer(drugs: Any) -> None:
    for smiles in drugs.scaffolds[::16]:
        molecule = Chem.MolFromSmiles(smiles)
        with_hydrogens = Chem.AddHs(molecule)
        found = set(filters.failures(molecule, smiles))
        matched = {name for name, query in filters.queries() if with_hydrogens.HasSubstructMatch(query)}
        assert matched <= found
        assert found - matched <= {
            "large ring", "charged atom", "element", "3 or more bromine", "4 or more chlorine", "7 or more fluorine",
            "cannot be read without stereochemistry",
        }  # fmt: skip


def test_there_are_as_many_patterns_as_the_benchmark_has() -> None:
    names = [name for name, _ in filters.queries()]
    assert len(names) == len(set(names)) == 22 - 3 + 480
    assert all(query is not None for _, query in filters.queries())
