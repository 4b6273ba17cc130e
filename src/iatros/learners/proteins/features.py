"""A protein sequence as numbers of fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iatros.learners.proteins.sequences import STANDARD, codes

WIDTH = len(STANDARD) + 1


def describe(sequences: Sequence[str]) -> np.ndarray:
    """The share of each of the twenty amino acids among the known residues, and log10 of the length.

    float32 (n, 21), finite, for clean sequences.

    >>> describe(["AAGX"])[0, [0, 5]].round(3).tolist()
    [0.667, 0.333]
    """
    lines = [_describe(codes(sequence)) for sequence in sequences]
    return np.stack(lines).astype(np.float32) if lines else np.empty((0, WIDTH), np.float32)


def feature_names() -> tuple[str, ...]:
    """A name for each column of `describe`."""
    return (*(f"share:{letter}" for letter in STANDARD), "log10_length")


def _describe(letters: np.ndarray) -> np.ndarray:
    known = letters < len(STANDARD)
    shares = np.bincount(letters[known], minlength=len(STANDARD)) / max(1, known.sum())
    return np.concatenate([shares, [np.log10(len(letters))]])
