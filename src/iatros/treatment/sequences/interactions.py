"""Pairs of medications that interact, as the user's table says, and how often they stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.treatment.responses.names import names_of


@dataclass(frozen=True)
class Interactions:
    """Pairs of names that interact, each sorted, in the order of their names; `source` is where they were read."""

    pairs: tuple[tuple[str, str], ...]
    source: str

    def matrix(self, medications: Sequence[str]) -> np.ndarray:
        """Which of `medications` interact, bool (m, m), symmetric, false on the diagonal."""
        place = {name: k for k, name in enumerate(medications)}
        found = np.zeros((len(place), len(place)), dtype=bool)
        for a, b in self.pairs:
            if a in place and b in place:
                found[place[a], place[b]] = found[place[b], place[a]] = True
        return found

    def unknown(self, medications: Sequence[str]) -> list[str]:
        """Names in the table that are none of `medications`, sorted."""
        return sorted({name for pair in self.pairs for name in pair} - set(medications))


def read_interactions(reference: Any, first: str = "drug_a", second: str = "drug_b") -> Interactions:
    """The pairs of a table with one name in each of two columns; the order within a pair does not matter.

    TableError where a name is missing or a medication is said to interact with itself.
    """
    table = read_table(reference)
    for name in (first, second):
        if name not in table.frame.columns:
            raise unknown_name("column", name, table.frame.columns, where=table.source)
    pairs = set()
    for line, a, b in zip(
        table.rows, *(names_of(table.frame[name]) for name in (first, second)), strict=True
    ):
        where = f"{table.source}, line {int(line)}"
        if not a or not b:
            raise TableError(
                "an interaction needs two names", where=where, hint="fill it, or leave the line out"
            )
        if a == b:
            raise TableError("a medication cannot interact with itself", where=where)
        pairs.add((min(a, b), max(a, b)))
    return Interactions(tuple(sorted(pairs)), table.source)


def pair_counts(sets: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs of each set (n, m) interact, and how many pairs it has, both (n,) float64.

    >>> interacting, pairs = pair_counts(np.array([[True, True, True]]), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    >>> interacting[0], pairs[0]
    (np.float64(1.0), np.float64(3.0))
    """
    member = sets.astype(float)
    size = member.sum(axis=1)
    interacting: np.ndarray = np.einsum("ij,ij->i", member @ matrix.astype(float), member) / 2
    return interacting, size * (size - 1) / 2
