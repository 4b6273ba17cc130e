"""Scaffolds as they are written: their texts, and where something new may begin."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from iatros.core.errors import RequestError
from iatros.learners.compounds.tokens import END, Vocabulary
from iatros.molecules.generators.texts.scaffolds import Scaffold, Writing, templates

VOCABULARY = Vocabulary.learn(["c1ccc2[nH]ccc2c1C(=O)N(C)CC#N", "C[C@H](N)F", "n1ccs1O[C@@](C)(N)F"])


def many(smiles: str, n: int = 200) -> list[Writing]:
    """Random writings of a scaffold."""
    scaffold, rng = Scaffold.read(smiles), np.random.default_rng(0)
    return [scaffold.writing(rng) for _ in range(n)]


def test_places_by_hand() -> None:
    writing = Writing.of("C1CN(C)C1=O", [2, 2, 0, 3, 0, 0])
    assert writing.tokens == ("C", "1", "C", "N", "(", "C", ")", "C", "1", "=", "O")
    # before: C  1  C  N  (  C  )  C  1  =  O  end
    assert writing.free == (0, 0, 2, 2, 0, 0, 3, 0, 0, 0, 0, 0)
    assert [sorted(one) for one in writing.open_rings] == [[], [], *[["1"]] * 7, [], [], []]


def test_atoms_in_brackets_do_not_grow() -> None:
    assert Writing.of("C[C@@H](N)F", [3, 1, 2, 0]).free == (0, 3, 0, 0, 2, 0, 0)


@pytest.mark.parametrize(
    "smiles", ["c1ccccc1C(=O)N", "*c1ccc(*)cc1", "c1ccc2[nH]ccc2c1", "*N1CC[C@H](C)C1=O", "C"]
)
def test_every_writing_is_the_scaffold(smiles: str) -> None:
    wanted = Chem.CanonSmiles(smiles)
    for writing in many(smiles):
        text = "".join(writing.tokens)
        assert writing.tokens[0] != "*"
        if "*" in smiles:
            assert Chem.CanonSmiles(text) == wanted
        else:
            bare = Chem.DeleteSubstructs(Chem.MolFromSmiles(text), Chem.MolFromSmarts("[#0]"))
            assert bare.HasSubstructMatch(Chem.MolFromSmiles(wanted))


def test_every_atom_with_a_hydrogen_gets_its_turn() -> None:
    """Pyrrole: the nitrogen grows where it is written with a mark, the carbons where they are not the last."""
    texts = {"".join(one.tokens) for one in many("c1cc[nH]c1")}
    assert any("n(*)" in text or text.endswith("n*") for text in texts)
    assert any("[nH]" in text for text in texts)


def test_marks_leave_no_other_place() -> None:
    assert {sum(one.free) for one in many("*c1ccc(*)cc1")} == {0}
    assert {one.tokens.count("*") for one in many("*c1ccc(*)cc1")} == {2}


def test_a_stereocentre_gives_its_hydrogen_away_and_keeps_its_sense() -> None:
    marked = {Chem.CanonSmiles("".join(one.tokens)) for one in many("C[C@H](N)F") if "*" in one.tokens}
    assert Chem.CanonSmiles("C[C@](*)(N)F") in marked or Chem.CanonSmiles("C[C@@](*)(N)F") in marked
    assert len({text for text in marked if text.count("*") == 1 and "@" in text}) == 1


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("C1CC", "not SMILES"),
        ("CC.CC", "one fragment"),
        ("*", "one fragment"),
        ("c1ccccc1*c1ccccc1", "between atoms"),
        ("FC(F)(F)F", "no atom"),
    ],
)
def test_what_cannot_be_a_scaffold(smiles: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as told:
        Scaffold.read(smiles)
    assert told.value.where == "scaffold"


def test_what_the_generator_cannot_write() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(RequestError, match="never saw Br"):
        templates(Scaffold.read("Brc1ccccc1"), VOCABULARY, rng, longest=50)
    with pytest.raises(RequestError, match="as long as the longest text"):
        templates(Scaffold.read("c1ccccc1C"), VOCABULARY, rng, longest=9)
    with pytest.raises(RequestError, match="SELFIES"):
        templates(Scaffold.read("c1ccccc1C"), Vocabulary(("[C]",), "selfies"), rng, longest=50)


def test_templates_hold_different_writings() -> None:
    given = templates(Scaffold.read("c1ccccc1C(=O)N"), VOCABULARY, np.random.default_rng(0), longest=50)
    assert 8 <= len(given.codes) <= 64
    assert len({line.tobytes() for line in given.codes}) == len(given.codes)
    assert (given.codes[:, -1] == END).all()
    assert given.free.shape == given.codes.shape == given.blocked.shape[:2]
    one = VOCABULARY.tokens.index("1") + 4
    assert given.rings[one]
    assert not given.starts[one]
