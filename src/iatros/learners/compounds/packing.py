"""Bit fingerprints as rows of 64-bit words: bit j of a compound is bit j % 64 of its word j // 64."""

from __future__ import annotations

import numpy as np

from iatros.core.errors import InputError

WORD_BITS = 64


def n_words(n_bits: int) -> int:
    """How many words hold `n_bits` bits; what is left over in the last one is zero."""
    return -(-n_bits // WORD_BITS)


def pack(bits: np.ndarray) -> np.ndarray:
    """Words (n, ceil(bits / 64)), uint64, of a table of zeros and ones (n, bits).

    >>> pack(np.array([[1, 0, 0, 1], [0, 0, 0, 0]])).tolist()
    [[9], [0]]
    """
    bits = np.asarray(bits)
    if bits.ndim != 2 or bits.shape[1] == 0:
        raise InputError(f"bits must be a table of compounds and bits, got the shape {bits.shape}")
    if not np.isin(bits, (0, 1)).all():
        raise InputError("bits must be 0 or 1", hint="counts have their own similarity: `count_similarity`")
    table = np.zeros((len(bits), n_words(bits.shape[1]) * 8), dtype=np.uint8)
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    table[:, : packed.shape[1]] = packed
    return table.view("<u8").astype(np.uint64)


def unpack(words: np.ndarray, n_bits: int) -> np.ndarray:
    """The table of zeros and ones (n, n_bits), uint8, that `pack` packed.

    >>> unpack(np.array([[9]], dtype=np.uint64), 4).tolist()
    [[1, 0, 0, 1]]
    """
    words = checked(words)
    if not 0 < n_bits <= words.shape[1] * WORD_BITS:
        raise InputError(f"{words.shape[1]} words hold up to {words.shape[1] * WORD_BITS} bits, got {n_bits}")
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, count=n_bits, bitorder="little")


def bit_counts(words: np.ndarray) -> np.ndarray:
    """How many bits each compound has (n,), int64.

    >>> bit_counts(np.array([[9, 1], [0, 0]], dtype=np.uint64)).tolist()
    [3, 0]
    """
    return np.bitwise_count(checked(words)).sum(axis=1, dtype=np.int64)


def checked(words: np.ndarray) -> np.ndarray:
    """`words` as the kernel takes them: a contiguous table (n, words) of uint64; InputError where it is none."""
    words = np.asarray(words)
    if words.ndim != 2 or words.shape[1] == 0 or words.dtype != np.uint64:
        raise InputError(
            "packed fingerprints are a table (compounds, words) of uint64,"
            f" got the shape {words.shape} of {words.dtype}",
            hint="pack zeros and ones with iatros.learners.compounds.packing.pack",
        )
    # A table that cannot be written is another type to numba, which would compile everything once more.
    return np.require(words, requirements=["C", "W"])
