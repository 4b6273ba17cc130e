"""How subjects and treatments are named: texts, whatever a table takes them for."""

from __future__ import annotations

import hashlib

import polars as pl

from iatros.learners.tabular.cells import plain_numbers


def names_of(column: pl.Series) -> list[str | None]:
    """The names in a column, numbers in one spelling (1001, not 1001.0), None where a cell is empty."""
    if column.dtype.is_numeric():
        return plain_numbers(column).to_list()
    return column.cast(pl.String).str.strip_chars().to_list()


def key_of(salt: str, name: str) -> str:
    """What a bundle keeps in place of a subject's name: it tells whether a name is the same, and not the name.

    Whoever has the bundle and a list of all possible names can still find out which are in it.
    """
    return hashlib.sha256(f"{salt}\0{name}".encode()).hexdigest()[:24]
