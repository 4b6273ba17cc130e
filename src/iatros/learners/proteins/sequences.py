"""What a protein sequence is: letters of one alphabet, in upper case."""

from __future__ import annotations

import numpy as np

STANDARD = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty amino acids, in alphabetic order: a letter's place here is its code."""
UNKNOWN = "X"
_STANDS_FOR = {"U": "C", "O": "K", "B": "X", "Z": "X", "J": "X"}
"""Selenocysteine is read as cysteine, pyrrolysine as lysine, letters for one of two amino acids as unknown."""
LETTERS = STANDARD + UNKNOWN
MAX_RESIDUES = 40_000
"""Longer than titin, the longest human protein (34,350)."""


class SequenceError(ValueError):
    """Text that is no protein sequence; the words are the reason, with the position counted from 1."""


def clean(text: str) -> str:
    """`text` as a sequence of the twenty amino acids and X.

    White space is left out, lower case read as upper, one `*` at the end taken for the stop that it is. U becomes C, O
    becomes K; B, Z and J, each of which stands for two amino acids, become X. SequenceError for any other letter, for
    gaps, and for nothing at all.

    >>> clean("mku bx*")
    'MKCXX'
    """
    letters = "".join(text.split()).upper()
    letters = letters.removesuffix("*")
    if not letters:
        raise SequenceError("protein: there is no sequence")
    if len(letters) > MAX_RESIDUES:
        raise SequenceError(f"protein: {len(letters):,} residues, at most {MAX_RESIDUES:,} are read")
    for place, letter in enumerate(letters, 1):
        if letter not in LETTERS and letter not in _STANDS_FOR:
            raise SequenceError(f"protein: {letter!r} at position {place} is no amino acid")
    for letter, meant in _STANDS_FOR.items():
        letters = letters.replace(letter, meant)
    return letters


def codes(sequence: str) -> np.ndarray:
    """The letters of a clean sequence as their places in `LETTERS`, int8 (n,); X is 20.

    >>> codes("ACX").tolist()
    [0, 1, 20]
    """
    table = np.full(128, -1, dtype=np.int8)
    table[np.frombuffer(LETTERS.encode(), dtype=np.uint8)] = np.arange(len(LETTERS))
    return table[np.frombuffer(sequence.encode(), dtype=np.uint8)]
