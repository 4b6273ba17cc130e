"""The leakage audit of a study, and what is done about its findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.leakage import AuditColumn, audit
from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import Table
from iatros.risk.study import Study


def audit_study(study: Study, sides: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Suspect columns among the features and those withheld from them, duplicates across `sides`, and the
    score with and without the suspects.
    """
    columns = [*_columns(study.features), *_columns(study.withheld)]
    return audit(columns, study.y, study.target, groups=study.groups, sides=sides, seed=seed)


def without_suspects(study: Study, found: dict[str, Any]) -> Study:
    """The study without the columns that the audit calls certain or likely."""
    suspects = set(found["score"]["left_out"])
    names = [name for name in study.features.schema.names if name not in suspects]
    dropped = [name for name in study.features.schema.names if name in suspects]
    if not dropped or not names:
        return study
    note = f"left out, suspected by the leakage audit: {', '.join(dropped)}"
    return replace(study, features=study.features.select(names), notes=(*study.notes, note))


def _columns(table: Table) -> list[AuditColumn]:
    return [
        AuditColumn(column.name, column.kind, _values(table, column), column.recorded, column.identifier)
        for column in table.schema.columns
    ]


def _values(table: Table, column: Column) -> np.ndarray:
    """The cells as the audit takes them: of an ordinal column the ranks, NaN where missing."""
    values = table.column(column.name)
    if column.kind != "ordinal":
        return values
    rank = {level: float(number) for number, level in enumerate(column.levels)}
    return np.array([rank.get(level, np.nan) for level in values], dtype=np.float64)
