"""A whole library as codes: the tokens of millions of texts found at once, in as few bytes as they need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, END, PAD, SPECIAL, UNKNOWN, Notation, Vocabulary, split

_CHUNK = 20_000
_LONG = {
    "smiles": re.compile(r"\[[^\]]+\]|Br|Cl|%\(\d+\)|%\d\d|->|<-"),
    "selfies": re.compile(r"\[[^\]]*\]"),
}
"""Tokens of more than one letter; all others are single letters of `_SHORT`."""
_SHORT = {"smiles": "BCNOPSFIbcnops*0123456789-=#$:/\\~().", "selfies": "."}
_PRIVATE = 0xE000
"""Where Unicode keeps letters that nobody else uses: a long token becomes the letter of its code."""
_REFUSED = 0xFFFF


@dataclass(frozen=True)
class Encoded:
    """Lines of codes (n, length) between `BEGIN` and `END`, then filling."""

    codes: np.ndarray
    lengths: np.ndarray
    """Codes of each whole text, int64 (n,), both ends included; where more than fit into a line, it is cut."""
    known: np.ndarray
    """Whether every token of the text is one of the vocabulary, bool (n,)."""


def learn_vocabulary(texts: Sequence[str], notation: Notation = "smiles") -> Vocabulary:
    """All tokens of `texts`, as `Vocabulary.learn` finds them; InputError where a text is none of the notation.

    >>> learn_vocabulary(["CCO", "[nH]1cccc1Cl"]).tokens
    ('1', 'C', 'Cl', 'O', '[nH]', 'c')
    """
    found: set[str] = set()
    allowed = set(_SHORT[notation])
    for begin in range(0, len(texts), _CHUNK):
        part = texts[begin : begin + _CHUNK]
        whole = "\n".join(part)
        found.update(_LONG[notation].findall(whole))
        short = set(_LONG[notation].sub("", whole)) - {"\n"}
        if not short <= allowed:
            _refuse(part, notation)
        found |= short
    return Vocabulary(tuple(sorted(found)), notation)


def encode(texts: Sequence[str], vocabulary: Vocabulary, *, longest: int) -> Encoded:
    """`texts` as lines of codes; of a text of more than `longest` tokens the rest is left out.

    InputError where a text is none of the vocabulary's notation.

    >>> vocabulary = learn_vocabulary(["CC=O"])
    >>> found = encode(["C=O", "N"], vocabulary, longest=9)
    >>> found.codes.tolist(), found.lengths.tolist(), found.known.tolist()
    ([[2, 5, 4, 6, 3], [2, 1, 3, 0, 0]], [5, 3], [True, False])
    """
    parts = list(_parts(texts, vocabulary, longest + 2))
    width = max((part.codes.shape[1] for part in parts), default=2)
    codes = np.full((len(texts), width), PAD, dtype=np.min_scalar_type(len(vocabulary)))
    at = 0
    for part in parts:
        codes[at : at + len(part.codes), : part.codes.shape[1]] = part.codes
        at += len(part.codes)
    lengths = [part.lengths for part in parts]
    known = [part.known for part in parts]
    return Encoded(
        codes,
        np.concatenate([np.empty(0, dtype=np.int64), *lengths]),
        np.concatenate([np.empty(0, dtype=bool), *known]),
    )


def _parts(texts: Sequence[str], vocabulary: Vocabulary, width: int) -> Iterator[Encoded]:
    coded = {token: code for code, token in enumerate(vocabulary.tokens, start=len(SPECIAL))}
    table = _table(coded, vocabulary.notation)
    letter = _letter(coded)
    for begin in range(0, len(texts), _CHUNK):
        part = texts[begin : begin + _CHUNK]
        whole = _LONG[vocabulary.notation].sub(letter, "\n".join(part) + "\n")
        codes = table[np.frombuffer(whole.encode("utf-32-le"), dtype=np.uint32)]
        if (codes == _REFUSED).any():
            _refuse(part, vocabulary.notation)
        yield _in_lines(codes, len(part), width)


def _in_lines(codes: np.ndarray, n: int, width: int) -> Encoded:
    """`codes` of texts that each end with `END`, as lines that begin with `BEGIN`."""
    ends = np.flatnonzero(codes == END)
    lengths = np.diff(ends, prepend=-1)
    widest = int(lengths.max(initial=0))
    known = np.ones(n, dtype=bool)
    known[np.searchsorted(ends, np.flatnonzero(codes == UNKNOWN))] = False
    lines = np.full((n, widest + 1), PAD, dtype=codes.dtype)
    lines[:, 0] = BEGIN
    lines[:, 1:][np.arange(widest) < lengths[:, None]] = codes
    return Encoded(lines[:, :width], lengths + 1, known)


def _table(coded: dict[str, int], notation: Notation) -> np.ndarray:
    """The code of every letter, those of long tokens included."""
    table = np.full(_PRIVATE + len(SPECIAL) + len(coded), _REFUSED, dtype=np.uint16)
    table[_PRIVATE:] = np.arange(len(SPECIAL) + len(coded))
    for token in _SHORT[notation]:
        table[ord(token)] = coded.get(token, UNKNOWN)
    table[ord("\n")] = END
    return table


def _letter(coded: dict[str, int]) -> Callable[[re.Match[str]], str]:
    letters = {token: chr(_PRIVATE + code) for token, code in coded.items()}
    unknown = chr(_PRIVATE + UNKNOWN)

    def letter(found: re.Match[str]) -> str:
        return letters.get(found.group(), unknown)

    return letter


def _refuse(texts: Sequence[str], notation: Notation) -> None:
    for text in texts:
        split(text, notation)
