"""Packing of bits into words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.compounds.packing import bit_counts, checked, pack, unpack


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_unpack_undoes_pack(n_bits: int, n: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (n, n_bits))
    words = pack(bits)
    assert words.shape == (n, -(-n_bits // 64))
    assert np.array_equal(unpack(words, n_bits), bits)
    assert np.array_equal(bit_counts(words), bits.sum(axis=1))


def test_bit_70_is_bit_6_of_the_second_word() -> None:
    bits = np.zeros((1, 100))
    bits[0, 70] = 1
    assert pack(bits).tolist() == [[0, 64]]


@pytest.mark.parametrize(
    ("bits", "said"),
    [(np.zeros(4), "table"), (np.zeros((2, 0)), "table"), (np.array([[0, 2]]), "0 or 1")],
)
def test_what_is_no_table_of_bits_is_refused(bits: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        pack(bits)


@pytest.mark.parametrize(
    "words",
    [np.zeros((2, 3)), np.zeros(3, np.uint64), np.zeros((2, 0), np.uint64), np.zeros((2, 3), np.int64)],
)
def test_what_is_not_packed_is_refused(words: np.ndarray) -> None:
    with pytest.raises(InputError, match="packed fingerprints"):
        checked(words)


def test_more_bits_than_words_hold_are_refused() -> None:
    with pytest.raises(InputError, match="up to 64 bits, got 65"):
        unpack(np.zeros((1, 1), np.uint64), 65)
