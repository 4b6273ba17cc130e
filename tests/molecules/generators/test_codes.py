"""A whole library as codes: what the vocabulary finds text by text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.compounds.tokens import Vocabulary, to_selfies
from iatros.molecules.generators.texts import codes
from iatros.molecules.generators.texts.codes import encode, learn_vocabulary

TOKENS = [
    "C",
    "c",
    "B",
    "Br",
    "Cl",
    "[nH]",
    "[C@@H]",
    "[Cl-]",
    "1",
    "%12",
    "%(123)",
    "-",
    "->",
    "<-",
    ".",
    "*",
    "#",
]
SMILES = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)


@given(texts=st.lists(SMILES, max_size=8), known=st.lists(SMILES, max_size=4))
def test_codes_are_those_of_the_vocabulary(texts: list[str], known: list[str]) -> None:
    vocabulary = learn_vocabulary(known)
    assert vocabulary == Vocabulary.learn(known)
    found = encode(texts, vocabulary, longest=12)
    expected, lengths = vocabulary.encode(texts, ends=True)
    assert found.codes.dtype == np.uint8
    assert found.codes[:, : expected.shape[1]].tolist() == expected.tolist()
    assert not found.codes[:, expected.shape[1] :].any()
    assert found.lengths.tolist() == lengths.tolist()
    assert found.known.tolist() == [1 not in line for line in expected.tolist()]


def test_several_chunks_are_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "_CHUNK", 2)
    texts = ["CCO", "", "c1cc[nH]c1", "C", "ClCCl"]
    vocabulary = learn_vocabulary(texts)
    assert vocabulary == Vocabulary.learn(texts)
    expected, lengths = vocabulary.encode(texts, ends=True)
    found = encode(texts, vocabulary, longest=20)
    assert found.codes.tolist() == expected.tolist()
    assert found.lengths.tolist() == lengths.tolist() == [5, 2, 9, 3, 5]


def test_long_texts_are_cut_and_told_by_their_length() -> None:
    found = encode(["CCCCC", "CC"], learn_vocabulary(["C"]), longest=3)
    assert found.codes.tolist() == [[2, 4, 4, 4, 4], [2, 4, 4, 3, 0]]
    assert found.lengths.tolist() == [7, 4]


def test_selfies() -> None:
    texts = [to_selfies(one) for one in ("CCO", "c1ccccc1", "[Na+].[Cl-]")]
    vocabulary = learn_vocabulary(texts, "selfies")
    assert vocabulary == Vocabulary.learn(texts, "selfies")
    found = encode(texts, vocabulary, longest=30)
    assert found.codes.tolist() == vocabulary.encode(texts, ends=True)[0].tolist()


@pytest.mark.parametrize("text", ["CC!", "Clx", "[Na", "ψ"])
def test_what_is_no_smiles_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a text in SMILES") as told:
        learn_vocabulary(["CC", text])
    assert told.value.cell == text
    with pytest.raises(InputError, match="not a text in SMILES"):
        encode(["CC", text], learn_vocabulary(["CC"]), longest=9)


def test_many_tokens_need_two_bytes() -> None:
    texts = [f"[{number}C]" for number in range(1, 300)]
    found = encode(texts, learn_vocabulary(texts), longest=3)
    assert found.codes.dtype == np.uint16
    assert len(set(found.codes[:, 1].tolist())) == 299
