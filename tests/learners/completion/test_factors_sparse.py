"""Sparse tables: against dense ones, and pieces that cover each row once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.completion import sparse
from iatros.learners.completion.sparse import SparseTable


@st.composite
def _dense(draw: st.DrawFn) -> np.ndarray:
    n, m = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(0, 4), min_size=n * m, max_size=n * m))
    return np.array(cells, dtype=np.float32).reshape(n, m)


def _sparse(dense: np.ndarray, order: np.random.Generator) -> SparseTable:
    row, column = np.nonzero(dense)
    mixed = order.permutation(len(row))
    return SparseTable.of(row[mixed], column[mixed], dense[row[mixed], column[mixed]], dense.shape)


def _filled(table: SparseTable) -> np.ndarray:
    dense = np.zeros((table.n_rows, table.n_columns), dtype=np.float32)
    dense[table.rows(), table.column] = table.value
    return dense


@settings(deadline=None)
@given(_dense(), st.integers(0, 5))
def test_the_cells_are_those_of_the_dense_table(dense: np.ndarray, seed: int) -> None:
    table = _sparse(dense, np.random.default_rng(seed))
    assert len(table) == np.count_nonzero(dense)
    np.testing.assert_array_equal(_filled(table), dense)
    np.testing.assert_array_equal(_filled(table.transposed()), dense.T)
    np.testing.assert_array_equal(_filled(table.transposed().transposed()), dense)
    np.testing.assert_array_equal(table.counts(), np.count_nonzero(dense, axis=1))
    chosen = np.arange(len(dense))[::-2]
    np.testing.assert_array_equal(_filled(table.take(chosen)), dense[chosen])


def test_cells_of_a_row_keep_their_order() -> None:
    table = SparseTable.of(np.array([1, 0, 1, 1]), np.array([4, 0, 2, 3]), np.array([1.0, 2, 3, 4]), (3, 5))
    assert table.column.tolist() == [0, 4, 2, 3]
    assert table.start.tolist() == [0, 1, 4, 4]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_pieces_cover_each_row_once(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(sparse, "_LEAST_PER_THREAD", 1)
    rng = np.random.default_rng(1)
    table = _sparse((rng.random((301, 7)) < rng.random((301, 1)) ** 3).astype(np.float32), rng)
    done, lock = np.zeros(301, int), threading.Lock()

    def work(low: int, high: int) -> None:
        with lock:
            done[low:high] += 1

    table.in_pieces(work, threads)
    assert (done == 1).all()


def test_an_error_in_a_piece_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_LEAST_PER_THREAD", 1)
    table = _sparse(np.ones((50, 3), np.float32), np.random.default_rng(0))

    def work(low: int, high: int) -> None:
        raise ValueError(f"{low} to {high}")

    with pytest.raises(ValueError, match="to"):
        table.in_pieces(work, 3)


def test_more_rows_than_can_be_numbered_are_refused() -> None:
    nothing = np.empty(0, int)
    with pytest.raises(InputError, match="2147483647"):
        SparseTable.of(nothing, nothing, nothing, (2**31, 3))
