"""Compounds as lines of codes, each in one or several writings, and which of them can be learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.learners.compounds.tokens import Vocabulary
from iatros.molecules.generators.texts.codes import encode


@dataclass(frozen=True)
class Lines:
    """A library as codes, uint8 or uint16 (ways, n, length): each compound's canonical writing, then random ones."""

    codes: np.ndarray
    lengths: np.ndarray
    """Codes of the canonical writings, int64 (n,)."""
    usable: np.ndarray
    """Whether each compound can be learned, bool (n,)."""
    unknown: np.ndarray
    """Whether a token of it is unknown, bool (n,)."""
    too_long: np.ndarray
    """Whether one of its writings is, bool (n,)."""
    unwritten: np.ndarray
    """Whether it cannot be written in the notation, bool (n,)."""

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes (n, length) of some rows, each in one of its writings."""
        way = rng.integers(len(self.codes), size=len(rows)) if len(self.codes) > 1 else 0
        found: np.ndarray = self.codes[way, rows]
        return found


def lines_of(several: list[list[str]], vocabulary: Vocabulary, longest: int) -> Lines:
    """The codes of `several` writings of each compound; those that cannot be learned are marked."""
    found = [encode(texts, vocabulary, longest=longest) for texts in several]
    width = max(one.codes.shape[1] for one in found)
    codes = np.stack([np.pad(one.codes, ((0, 0), (0, width - one.codes.shape[1]))) for one in found])
    known = np.all([one.known for one in found], axis=0)
    fits = np.all([one.lengths <= longest + 2 for one in found], axis=0)
    written = found[0].lengths > 2
    return Lines(codes, found[0].lengths, known & fits & written, ~known, ~fits, ~written)
