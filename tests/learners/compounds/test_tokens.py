"""Texts cut into tokens and joined again, numbers of tokens, and random writings of a molecule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import (
    BEGIN,
    END,
    PAD,
    SPECIAL,
    UNKNOWN,
    Vocabulary,
    atom_places,
    split,
    to_selfies,
    to_smiles,
    writings,
)

BY_HAND = {
    "ClCBr": ["Cl", "C", "Br"],
    "C[C@@H](N)C(=O)[O-]": ["C", "[C@@H]", "(", "N", ")", "C", "(", "=", "O", ")", "[O-]"],
    "F/C=C\\F": ["F", "/", "C", "=", "C", "\\", "F"],
    "C%12CC%12": ["C", "%12", "C", "C", "%12"],
    "C%(123)CC%(123)": ["C", "%(123)", "C", "C", "%(123)"],
    "[Na+].[Cl-]": ["[Na+]", ".", "[Cl-]"],
    "c1cn[nH]c1": ["c", "1", "c", "n", "[nH]", "c", "1"],
    "*~C#N": ["*", "~", "C", "#", "N"],
    "N->[Cu]<-N": ["N", "->", "[Cu]", "<-", "N"],
    "B$C:C-C": ["B", "$", "C", ":", "C", "-", "C"],
}
HARD = [
    "[H][H]",
    "[2H]C([2H])([2H])O",
    "C[C@H](N)C(=O)O",
    "F/C=C/Cl",
    "[Na+].OC(=O)c1ccccc1",
    "C1CC[C@H]2CCCC[C@@H]2C1",
    "C12C3C4C1C5C4C3C25",
    "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)NCC#N",
    "[H]OC",
    "O=S(=O)(c1ccccc1)N1CCCC1",
]


@pytest.mark.parametrize("text", BY_HAND)
def test_tokens_by_hand(text: str) -> None:
    assert split(text) == BY_HAND[text]


def test_joined_tokens_are_the_text_and_so_are_decoded_codes(smiles: list[str]) -> None:
    assert all("".join(split(text)) == text for text in smiles)
    vocabulary = Vocabulary.learn(smiles)
    for ends in (False, True):
        codes, lengths = vocabulary.encode(smiles, ends=ends)
        assert vocabulary.decode(codes) == smiles
        assert np.array_equal((codes != PAD).sum(axis=1), lengths)
        assert codes.max() < len(vocabulary)
    assert (codes[:, 0] == BEGIN).all()
    assert (codes[np.arange(len(codes)), lengths - 1] == END).all()


def test_the_vocabulary_does_not_depend_on_the_order(smiles: list[str]) -> None:
    some = smiles[:100]
    assert Vocabulary.learn(some) == Vocabulary.learn(reversed(some))
    assert len(Vocabulary.learn(some)) == len(SPECIAL) + len({t for text in some for t in split(text)})


def test_what_was_not_learned_is_unknown_and_what_is_too_long_is_cut() -> None:
    vocabulary = Vocabulary.learn(["CO"])
    codes, lengths = vocabulary.encode(["CNO", "C"], longest=2)
    assert codes.tolist() == [[4, UNKNOWN], [4, PAD]]
    assert lengths.tolist() == [2, 1]
    assert vocabulary.encode([])[0].shape == (0, 0)


@pytest.mark.parametrize("text", ["CO poisoning", "aspirin", "C[N", "CÖ", "C@C"])
def test_what_is_no_smiles_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a text in SMILES") as caught:
        Vocabulary.learn([text])
    assert caught.value.cell == text


def test_writings_are_the_molecule_with_its_atoms(smiles: list[str]) -> None:
    from rdkit import Chem

    for given_text in [*HARD, *smiles[::60]]:
        molecule = read_molecule(given_text)
        found = writings(molecule, 4)
        assert found[0].text == Chem.MolToSmiles(molecule)
        for one in found:
            assert Chem.MolToSmiles(read_molecule(one.text)) == found[0].text
            assert sorted(one.atoms) == list(range(molecule.GetNumAtoms()))
            tokens = split(one.text)
            places = atom_places(tokens)
            assert len(places) == len(one.atoms)
            for place, atom in zip(places, one.atoms, strict=True):
                symbol = molecule.GetAtomWithIdx(atom).GetSymbol()
                assert symbol.lower() in tokens[place].lower()


def test_an_atom_of_a_writing_is_that_atom_and_not_one_like_it() -> None:
    molecule = read_molecule("OCCN")
    for atom in molecule.GetAtoms():
        atom.SetIsotope(atom.GetIdx() + 20)
    for one in writings(molecule, 6):
        isotopes = [int(token[1:3]) - 20 for token in split(one.text) if token.startswith("[")]
        assert isotopes == list(one.atoms)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(HARD), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_writings_do_not_depend_on_how_the_compound_was_written(text: str, seed: int, random: Any) -> None:
    from rdkit import Chem

    molecule = read_molecule(text)
    numbers = list(range(molecule.GetNumAtoms()))
    random.shuffle(numbers)
    other = Chem.RenumberAtoms(molecule, numbers)
    one, two = writings(molecule, 5, seed=seed), writings(other, 5, seed=seed)
    assert [each.text for each in one] == [each.text for each in two]


def test_writings_vary_and_go_by_the_seed() -> None:
    molecule = read_molecule("CC(=O)Oc1ccccc1C(=O)O")
    texts = [one.text for one in writings(molecule, 20, seed=1)]
    assert len(set(texts)) > 15
    assert texts == [one.text for one in writings(molecule, 20, seed=1)]
    assert texts[1:] != [one.text for one in writings(molecule, 20, seed=2)][1:]


def test_selfies_are_the_molecule_with_its_atoms(smiles: list[str]) -> None:
    pytest.importorskip("selfies")
    from rdkit import Chem

    for text in [*HARD[2:], *smiles[::60]]:
        molecule = read_molecule(text)
        for one in writings(molecule, 2, notation="selfies"):
            tokens = split(one.text, "selfies")
            assert "".join(tokens) == one.text
            symbols = [molecule.GetAtomWithIdx(atom).GetSymbol() for atom in one.atoms]
            written = [tokens[place] for place in atom_places(tokens, "selfies")]
            assert len(symbols) == len(written)
            assert all(symbol in token for symbol, token in zip(symbols, written, strict=True))
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    assert Chem.CanonSmiles(to_smiles(to_selfies(aspirin))) == Chem.CanonSmiles(aspirin)


def test_what_selfies_cannot_write_is_refused() -> None:
    pytest.importorskip("selfies")
    with pytest.raises(InputError, match="cannot be written as SELFIES"):
        to_selfies("*CC")
    with pytest.raises(InputError, match="not a text in SELFIES"):
        to_smiles("[Xx9]")
