"""Writing around scaffolds, with a network that knows no chemistry: what is written still holds the scaffold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from iatros.learners.compounds.tokens import SPECIAL, Vocabulary
from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.language.growing import around, checked
from iatros.molecules.generators.texts.scaffolds import Scaffold

SHARES = {
    "C": 8.0, "N": 1.0, "O": 0.7, "F": 1.0, "(": 1.0, ")": 4.0, "=": 0.3, "1": 0.3, "2": 0.3, ".": 2.0, "*": 2.0,
}  # fmt: skip
RARE = (
    "#",
    "-",
    "/",
    "3",
    "[C@@H]",
    "[C@@]",
    "[C@H]",
    "[C@]",
    "[N+]",
    "[NH+]",
    "[NH2+]",
    "[nH]",
    "c",
    "n",
    "s",
)
VOCABULARY = Vocabulary(tuple(sorted([*SHARES, *RARE])))
SCAFFOLDS = (
    "c1ccccc1",
    "c1ccc2[nH]ccc2c1",
    "O=C(N1CCCC1)c1ccncc1",
    "C[C@H](N)C(=O)N",
    "CC1CC2CC1CC2",
    "C[NH+]1CCCCC1",
    "c1ccc(-c2nccs2)cc1",
)
MARKED = (
    "*c1ccccc1",
    "*c1ccc(C(=O)N*)cc1",
    "*N1CCC(*)(C)C1",
    "*C#Cc1ccc2c(c1)CCN2*",
    "N[C@@H](*)C(=O)N1CCC1",
)


class Monkey:
    """Draws tokens by fixed shares, whatever came before; those of `RARE` only where it must."""

    def __init__(self) -> None:
        self.odds = np.full(len(VOCABULARY), -30.0, dtype=np.float32)
        self.odds[3] = np.log(4.0)
        for token, share in SHARES.items():
            self.odds[VOCABULARY.tokens.index(token) + len(SPECIAL)] = np.log(share)

    def start(self, n: int) -> Any:
        return n

    def step(self, codes: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        return np.repeat(self.odds[None], len(codes), axis=0), states

    def kept(self, states: Any, rows: np.ndarray) -> Any:
        return states


def write(smiles: str, n: int, seed: int = 0, **draw: float) -> Any:
    """Lines of the monkey around a scaffold."""
    rng = np.random.default_rng(seed)
    return around(Monkey(), VOCABULARY, smiles, n, rng=rng, draw=Draw(**draw), longest=80)


@settings(max_examples=12, deadline=None)
@given(smiles=st.sampled_from(SCAFFOLDS), seed=st.integers(0, 10_000))
def test_every_molecule_holds_the_scaffold(smiles: str, seed: int) -> None:
    found = write(smiles, 80, seed)
    core = Chem.MolFromSmiles(smiles)
    assert found.n_written == 80 == found.n_invalid + found.n_without + len(found.texts)
    # Only a ring that became aromatic by what grew on it may have lost the scaffold.
    assert found.n_without <= 4
    assert all(Chem.MolFromSmiles(text).HasSubstructMatch(core) for text in found.texts)


@settings(max_examples=12, deadline=None)
@given(smiles=st.sampled_from(MARKED), seed=st.integers(0, 10_000))
def test_with_marks_it_grows_there_and_nowhere_else(smiles: str, seed: int) -> None:
    found = write(smiles, 80, seed)
    scaffold = Chem.MolFromSmiles(smiles)
    core = Chem.DeleteSubstructs(scaffold, Chem.MolFromSmarts("[#0]"))
    marks = smiles.count("*")
    assert found.n_without == 0
    for text in found.texts:
        molecule = Chem.MolFromSmiles(text)
        ways = molecule.GetSubstructMatches(core, uniquify=False)
        grown = [
            sum(
                neighbour.GetIdx() not in way
                for atom in way
                for neighbour in molecule.GetAtomWithIdx(atom).GetNeighbors()
            )
            for way in ways
        ]
        assert marks in grown


@pytest.mark.parametrize("smiles", [*SCAFFOLDS, *MARKED])
def test_much_of_it_is_valid_and_different(smiles: str) -> None:
    found = write(smiles, 250, temperature=0.7)
    assert len(found.texts) >= 30
    assert len({Chem.CanonSmiles(text) for text in found.texts}) >= 20


def test_each_atom_that_can_grow_has_grown() -> None:
    """Toluene-like: ortho, meta, para and the methyl group."""
    core = Chem.MolFromSmiles("c1ccncc1C")
    grown = set()
    for text in write("c1ccncc1C", 500, temperature=0.7).texts:
        molecule = Chem.MolFromSmiles(text)
        for way in molecule.GetSubstructMatches(core):
            grown |= {
                place
                for place, atom in enumerate(way)
                if molecule.GetAtomWithIdx(atom).GetDegree() > core.GetAtomWithIdx(place).GetDegree()
            }
    assert grown == {0, 1, 2, 4, 6}


def test_no_fragments_and_no_marks_are_written() -> None:
    for smiles in ("c1ccccc1", "*c1ccccc1"):
        assert not any("." in text or "*" in text for text in write(smiles, 300).texts)


def test_the_same_on_one_thread_and_on_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = write("c1ccccc1", 300)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert alone == write("c1ccccc1", 300)
    assert alone != write("c1ccccc1", 300, seed=1)


def test_what_does_not_hold_the_scaffold_is_counted() -> None:
    found = checked(Scaffold.read("c1ccccc1"), ["c1ccccc1C", "CCC", "C1CC", "", "Cc1ccccc1"])
    assert found.texts == ("c1ccccc1C", "Cc1ccccc1")
    assert (found.n_written, found.n_invalid, found.n_without) == (5, 2, 1)
    only = checked(Scaffold.read("*c1ccccc1"), ["c1ccccc1C", "Cc1ccc(C)cc1", "c1ccccc1"])
    assert only.texts == ("c1ccccc1C",)
    assert only.n_without == 2
