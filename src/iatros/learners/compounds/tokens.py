"""Compounds as text: random writings of a molecule, SMILES or SELFIES cut into tokens, tokens as numbers.

A token of SMILES is an atom (a letter, two for Cl and Br, or all that stands in brackets), a bond, a parenthesis, a
ring's number or the dot; a token of SELFIES is what stands in brackets, or the dot.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Literal

import numpy as np

from iatros.core.errors import InputError, MissingExtraError

Notation = Literal["smiles", "selfies"]

PAD, UNKNOWN, BEGIN, END = range(4)
"""The first codes of every vocabulary: what fills up a line, a token that is not known, begin and end of a text."""

SPECIAL = ("<pad>", "<unknown>", "<begin>", "<end>")

_SMILES = re.compile(r"(\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops*]|%\(\d+\)|%\d\d|\d|->|<-|[-=#$:/\\~().])")
_SELFIES = re.compile(r"(\[[^\]]*\]|\.)")
_COUNTING = re.compile(r"\[[^\]]*(?:Branch|Ring)(\d)\]")


def split(text: str, notation: Notation = "smiles") -> list[str]:
    """The tokens of one text, which joined are the text again; InputError where it has something else in it.

    >>> split("C[C@H](Br)c1ccccc1")[:5]
    ['C', '[C@H]', '(', 'Br', ')']
    """
    found = (_SMILES if notation == "smiles" else _SELFIES).findall(text)
    if sum(map(len, found)) != len(text):
        raise InputError(f"not a text in {notation.upper()}", cell=text, hint="curate the file first")
    return found


def atom_places(tokens: Sequence[str], notation: Notation = "smiles") -> list[int]:
    """Where in `tokens` the atoms are, in their order.

    >>> atom_places(split("C1=C(Cl)C1")), atom_places(split("[C][Branch1][C][F][Cl]", "selfies"), "selfies")
    ([0, 3, 5, 7], [0, 3, 4])
    """
    if notation == "smiles":
        return [place for place, token in enumerate(tokens) if token[0].isalpha() or token[0] in "[*"]
    places, counting = [], 0
    for place, token in enumerate(tokens):
        if counting:  # what follows a branch or ring is its length, written with the names of atoms
            counting -= 1
        elif match := _COUNTING.fullmatch(token):
            counting = int(match.group(1))
        elif token not in (".", "[nop]"):
            places.append(place)
    return places


def to_selfies(smiles: str) -> str:
    """The SELFIES of one SMILES, atoms in the same order (Krenn et al. 2020); InputError where there is none."""
    selfies = _selfies()
    try:
        return str(selfies.encoder(smiles, strict=False))
    except selfies.EncoderError as error:
        raise InputError(
            "the compound cannot be written as SELFIES", cell=smiles, hint="set notation to smiles"
        ) from error


def to_smiles(text: str) -> str:
    """The SMILES of one SELFIES, which is always a molecule; InputError where a symbol is none of SELFIES."""
    selfies = _selfies()
    try:
        return str(selfies.decoder(text))
    except selfies.DecoderError as error:
        raise InputError("not a text in SELFIES", cell=text) from error


def _selfies() -> Any:
    try:
        return import_module("selfies")
    except ImportError as error:
        raise MissingExtraError(
            "SELFIES need the package selfies", hint="pip install 'iatros[molecules]'"
        ) from error


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that a network knows, sorted; their codes follow those of `SPECIAL`.

    >>> vocabulary = Vocabulary.learn(["CCO", "C=C"])
    >>> codes, lengths = vocabulary.encode(["C=N", "O"])
    >>> vocabulary.tokens, codes.tolist(), lengths.tolist()
    (('=', 'C', 'O'), [[5, 4, 1], [6, 0, 0]], [3, 1])
    """

    tokens: tuple[str, ...]
    notation: Notation = "smiles"

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.tokens)

    @classmethod
    def learn(cls, texts: Iterable[str], notation: Notation = "smiles") -> Vocabulary:
        """All tokens of `texts`; their order does not matter."""
        return cls(tuple(sorted({token for text in texts for token in split(text, notation)})), notation)

    def encode(
        self, texts: Sequence[str], *, ends: bool = False, longest: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Codes, int64 (n, length), and how many of each line are no filling, int64 (n,).

        With `ends` each text is put between `BEGIN` and `END`. Of a text with more than `longest` tokens the rest is
        left out.
        """
        lines = [self._line(text, ends)[:longest] for text in texts]
        lengths = np.array([len(line) for line in lines], dtype=np.int64)
        codes = np.full((len(lines), int(lengths.max(initial=0))), PAD, dtype=np.int64)
        codes[np.arange(codes.shape[1]) < lengths[:, None]] = [code for line in lines for code in line]
        return codes, lengths

    def decode(self, codes: np.ndarray) -> list[str]:
        """The texts of lines (n, length); `END` ends a text, and what stands for no token is left out."""
        texts = []
        for line in np.asarray(codes).tolist():
            line = line[: line.index(END)] if END in line else line
            known = (code - len(SPECIAL) for code in line)
            texts.append("".join(self.tokens[place] for place in known if place >= 0))
        return texts

    def _line(self, text: str, ends: bool) -> list[int]:
        codes = [self._codes.get(token, UNKNOWN) for token in split(text, self.notation)]
        return [BEGIN, *codes, END] if ends else codes

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens, start=len(SPECIAL))}


@dataclass(frozen=True)
class Writing:
    """One way to write a molecule: SMILES or SELFIES, and for each atom of the text its number in the molecule."""

    text: str
    atoms: tuple[int, ...]


def writings(molecule: Any, n_random: int, *, seed: int = 0, notation: Notation = "smiles") -> list[Writing]:
    """The canonical SMILES of RDKit's `molecule`, then `n_random` others, drawn from the compound and `seed`.

    However the molecule was written when it was read, the texts are the same. Atoms are renumbered at random and then
    written in the order of their numbers (Arús-Pous et al. 2019, "restricted" SMILES); a small compound has fewer ways
    to write it than are asked for, and then some come twice.
    """
    from rdkit import Chem

    canonical, order = _written(molecule, canonical=True)
    rng = np.random.default_rng([seed, zlib.crc32(canonical.encode())])
    reading = Chem.SmilesParserParams()
    reading.removeHs = False  # each atom that was written is an atom again, in the same place
    same = Chem.MolFromSmiles(canonical, reading)
    if same is None:
        raise InputError(
            "the compound's canonical SMILES cannot be read again",
            cell=canonical,
            hint="curate the file first",
        )
    found = [Writing(canonical, order)]
    for _ in range(n_random):
        drawn = rng.permutation(len(order)).tolist()
        text, places = _written(Chem.RenumberAtoms(same, drawn), canonical=False)
        found.append(Writing(text, tuple(order[drawn[place]] for place in places)))
    if notation == "selfies":
        return [Writing(to_selfies(one.text), one.atoms) for one in found]
    return found


def _written(molecule: Any, *, canonical: bool) -> tuple[str, tuple[int, ...]]:
    """The SMILES, and the number of each atom in the order in which they stand there."""
    from rdkit import Chem

    text = Chem.MolToSmiles(molecule, canonical=canonical)
    return text, tuple(json.loads(molecule.GetProp("_smilesAtomOutputOrder")))
