"""A table as it was given, before its columns have kinds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from iatros.learners.tabular.table import Refusal


@dataclass(frozen=True)
class RawTable:
    """Columns in order, each String (texts without outer spaces), Float64 or Datetime("us"); null = missing.

    `rows` are lines of the file (`lines` true) or positions counted from 0. `orders` holds the levels of
    columns that came as ordered categories.
    """

    columns: dict[str, pl.Series]
    source: str
    rows: np.ndarray
    lines: bool
    refused: tuple[Refusal, ...] = ()
    n_read: int = 0
    notes: tuple[str, ...] = ()
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    delimiter: str | None = None

    def place(self, name: str, position: int | None = None) -> str:
        """Where a column, or one of its cells, stands: `heart.csv, line 17, column age`."""
        if position is None:
            return f"{self.source}, column {name}"
        row = int(self.rows[position])
        at = f"line {row}" if self.lines else f"row {row} (counted from 0)"
        return f"{self.source}, {at}, column {name}"
