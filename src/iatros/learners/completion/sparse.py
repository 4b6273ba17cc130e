"""A table of which few cells are known, by rows; and the work on its rows, spread over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.completion.compiled import compiled
from iatros.learners.threads import fit_threads

_LEAST_PER_THREAD = 20_000
"""Known cells below which a second thread costs more than it brings."""
_PIECES = 8
"""Pieces for each thread, so that none waits long for the others."""


@dataclass(frozen=True)
class SparseTable:
    """The known cells of a table (rows, `n_columns`), row by row.

    Row i has the cells `start[i]` to `start[i + 1]`: `column` (cells,) int32, `value` (cells,) float32, in the order in
    which they were given. `start` is (rows + 1,) int64.
    """

    start: np.ndarray
    column: np.ndarray
    value: np.ndarray
    n_columns: int

    @classmethod
    def of(
        cls, row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]
    ) -> SparseTable:
        """The table with `value` at each (row, column), by counting: two passes and no sort.

        >>> table = SparseTable.of(np.array([1, 0, 1]), np.array([0, 2, 2]), np.array([3.0, 4.0, 5.0]), (2, 3))
        >>> table.start.tolist(), table.column.tolist(), table.value.tolist()
        ([0, 1, 3], [2, 0, 2], [4.0, 3.0, 5.0])
        """
        if max(shape) >= 2**31:
            raise InputError(f"a table has at most {2**31 - 1} rows and columns, got {shape}")
        start, places, values = _by_row(row, column, value, shape[0])
        return cls(start, places, values, shape[1])

    @property
    def n_rows(self) -> int:
        """How many rows there are, with known cells or without."""
        return len(self.start) - 1

    def __len__(self) -> int:
        return len(self.column)

    def counts(self) -> np.ndarray:
        """How many cells of each row are known (rows,)."""
        counted: np.ndarray = np.diff(self.start)
        return counted

    def transposed(self) -> SparseTable:
        """The same cells by columns."""
        start, places, values = _turned(self.start, self.column, self.value, self.n_columns)
        return SparseTable(start, places, values, self.n_rows)

    def take(self, rows: np.ndarray) -> SparseTable:
        """The rows at `rows`, in that order."""
        counts = self.counts()[rows]
        start = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(counts, out=start[1:])
        cells = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], counts)
        return SparseTable(start, self.column[cells], self.value[cells], self.n_columns)

    def rows(self) -> np.ndarray:
        """The row of each cell (cells,)."""
        return np.repeat(np.arange(self.n_rows), self.counts())

    def in_pieces(self, work: Callable[[int, int], Any], threads: int | None = None) -> None:
        """Call `work(low, high)` over all rows, in pieces of about as many cells, on several threads where it pays."""
        workers = max(1, min(threads or fit_threads(), len(self) // _LEAST_PER_THREAD))
        cuts = np.linspace(0, len(self) + self.n_rows, 1 + (workers * _PIECES if workers > 1 else 1))
        bounds = np.searchsorted(self.start + np.arange(self.n_rows + 1), cuts)
        pieces = [(int(low), int(high)) for low, high in pairwise(bounds) if low < high]
        if workers == 1:
            for low, high in pieces:
                work(low, high)
            return
        with ThreadPoolExecutor(workers) as pool:
            try:
                for done in [pool.submit(work, low, high) for low, high in pieces]:
                    done.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


@compiled
def _by_row(
    row: np.ndarray, column: np.ndarray, value: np.ndarray, n_rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = np.zeros(n_rows + 1, dtype=np.int64)
    for cell in range(len(row)):
        start[row[cell] + 1] += 1
    for i in range(n_rows):
        start[i + 1] += start[i]
    free = start[:-1].copy()
    places = np.empty(len(row), dtype=np.int32)
    values = np.empty(len(row), dtype=np.float32)
    for cell in range(len(row)):
        at = free[row[cell]]
        places[at] = column[cell]
        values[at] = value[cell]
        free[row[cell]] = at + 1
    return start, places, values


@compiled
def _turned(
    start: np.ndarray, column: np.ndarray, value: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    begin = np.zeros(n_columns + 1, dtype=np.int64)
    for cell in range(len(column)):
        begin[column[cell] + 1] += 1
    for i in range(n_columns):
        begin[i + 1] += begin[i]
    free = begin[:-1].copy()
    places = np.empty(len(column), dtype=np.int32)
    values = np.empty(len(column), dtype=np.float32)
    for i in range(len(start) - 1):
        for cell in range(start[i], start[i + 1]):
            at = free[column[cell]]
            places[at] = i
            values[at] = value[cell]
            free[column[cell]] = at + 1
    return begin, places, values
