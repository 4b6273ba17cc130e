"""The range and the levels that training patients had, and what in a new patient lies outside them."""

from __future__ import annotations

import numpy as np

from iatros.learners.tabular.inference import MAX_LEVELS
from iatros.learners.tabular.schema import Column, TableSchema
from iatros.learners.tabular.table import Table

MARGIN = 0.25
"""How far beyond the training range, as a share of its width, a number is still taken as it is."""


def observed_schema(table: Table) -> TableSchema:
    """The schema with `low`, `high` and levels as the rows at hand have them: call it on the training rows.

    Ordinal levels stay as they are: their order is known even where none was seen. Identifiers and columns
    with more than 1000 levels get neither, so that no patient is named in a bundle.
    """
    return TableSchema(columns=tuple(_observed(table, column) for column in table.schema.columns))


def _observed(table: Table, column: Column) -> Column:
    if column.kind in ("numeric", "date"):
        values = table.column(column.name)
        values = values[~np.isnan(values)]
        if column.identifier or not len(values):
            return column.model_copy(update={"low": None, "high": None})
        return column.model_copy(update={"low": float(values.min()), "high": float(values.max())})
    if column.kind == "ordinal":
        return column
    levels = tuple(sorted(table.frame[column.name].unique().drop_nulls().to_list()))
    if column.identifier or len(levels) > MAX_LEVELS:
        levels = ()
    return column.model_copy(update={"levels": levels})


def out_of_range(table: Table, schema: TableSchema) -> list[list[str]]:
    """For each row a sentence for every value unlike the training patients; most rows have none.

    A number or date is flagged beyond the training range by more than a quarter of its width (a column
    that was constant: at any other value); a level is flagged when no training patient had it. The
    sentences hold the value: they belong in the answer to whoever sent it, never in a log.
    """
    flags: list[list[str]] = [[] for _ in range(table.n_rows)]
    for column in schema.columns:
        measured = column.kind in ("numeric", "date")
        for row, sentence in _far(table, column) if measured else _unseen(table, column):
            flags[row].append(sentence)
    return flags


def _far(table: Table, column: Column) -> list[tuple[int, str]]:
    if column.low is None or column.high is None:
        return []
    values = table.column(column.name)
    margin = MARGIN * (column.high - column.low)
    rows = np.flatnonzero((values < column.low - margin) | (values > column.high + margin))
    unit = f" {column.unit}" if column.unit else ""
    trained = f"the training range {_shown(column, column.low)} to {_shown(column, column.high)}"
    return [
        (int(row), f"{column.name} {_shown(column, values[row])}{unit} is outside {trained}") for row in rows
    ]


def _unseen(table: Table, column: Column) -> list[tuple[int, str]]:
    if not column.levels:
        return []
    series = table.frame[column.name]
    unseen = (~series.is_in(list(column.levels))).fill_null(False).to_numpy()
    return [
        (int(row), f"{column.name} {series[int(row)]!r} was not seen in training and counts as unknown")
        for row in np.flatnonzero(unseen)
    ]


def _shown(column: Column, value: float) -> str:
    if column.kind == "numeric":
        return f"{value:.6g}"
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(np.floor(value)), "D"))
