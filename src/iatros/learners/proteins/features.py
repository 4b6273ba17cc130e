"""A protein sequence as numbers of fixed length: composition, classes of amino acids, pairs of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iatros.learners.proteins.sequences import STANDARD, codes

CLASSES = ("AGV", "ILFP", "YMTS", "HNQW", "RK", "DE", "C")
"""Amino acids by dipole and volume of the side chain (Shen and others 2007, conjoint triads)."""
WIDTH = len(STANDARD) + len(CLASSES) ** 3 + 1


def describe(sequences: Sequence[str]) -> np.ndarray:
    """One line for each clean sequence, float32 (n, 364), finite.

    The share of each amino acid (20), the share of each triad of classes among the triads without X (343, Shen and
    others 2007), and log10 of the length.
    """
    lines = [_describe(codes(sequence)) for sequence in sequences]
    return np.stack(lines).astype(np.float32) if lines else np.empty((0, WIDTH), np.float32)


def feature_names() -> tuple[str, ...]:
    """A name for each column of `describe`."""
    n = len(CLASSES)
    triads = [
        f"triad:{CLASSES[a]}-{CLASSES[b]}-{CLASSES[c]}" for a in range(n) for b in range(n) for c in range(n)
    ]
    return (*(f"share:{letter}" for letter in STANDARD), *triads, "log10_length")


def _describe(letters: np.ndarray) -> np.ndarray:
    known = letters < len(STANDARD)
    shares = np.bincount(letters[known], minlength=len(STANDARD)) / max(1, known.sum())
    of_class = np.array([next(k for k, held in enumerate(CLASSES) if one in held) for one in STANDARD])
    n = len(CLASSES)
    classes = np.where(known, of_class[np.minimum(letters, len(STANDARD) - 1)], -1)
    a, b, c = classes[:-2], classes[1:-1], classes[2:]
    whole = (a >= 0) & (b >= 0) & (c >= 0)
    triads = np.bincount((a * n * n + b * n + c)[whole], minlength=n**3) / max(1, whole.sum())
    return np.concatenate([shares, triads, [np.log10(len(letters))]])
