"""What a table's columns are: kind, unit, levels, range, and when they become known."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["numeric", "categorical", "ordinal", "date"]
Recorded = Literal["at_prediction", "after_prediction", "unknown"]


class Column(BaseModel):
    """One column. In the frame: numeric is Float64, categorical and ordinal String, date Datetime (UTC, us)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    unit: str | None = None
    levels: tuple[str, ...] = ()
    """Of a categorical column, sorted; of an ordinal one, from lowest to highest."""
    low: float | None = None
    """Smallest value seen in training (numeric; dates in days since 1970-01-01); None where all are missing."""
    high: float | None = None
    recorded: Recorded = "unknown"
    """Whether the value is known at the time when a prediction is asked for."""
    identifier: bool = False
    description: str | None = None
    missing_codes: tuple[str, ...] = ()
    """Codes that mean "missing" in this column, beyond the empty cell, ?, NA, N/A, NaN, null and None."""


class TableSchema(BaseModel):
    """The columns of a table, in the order of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        from iatros.core.errors import unknown_name

        raise unknown_name("column", name, self.names)

    @property
    def names(self) -> list[str]:
        """Column names in the order of the file."""
        return [column.name for column in self.columns]

    def select(self, names: list[str]) -> TableSchema:
        """The schema of `names`, in that order."""
        return TableSchema(columns=tuple(self[name] for name in names))
