"""Who is in the study: the cohort rules, in order, with the number of patients that each leaves."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.learners.tabular.table import Table

_RULE = re.compile(r"^\s*(?P<column>.+?)\s*(?P<operator>!=|=)\s*(?P<values>.*)$")


def apply_rules(
    table: Table, rules: tuple[str, ...], subject: str | None
) -> tuple[Table, list[dict[str, Any]]]:
    """The rows that satisfy every rule, and the flow: one entry per step with rows and patients left.

    A rule is `column=value,value` or `column!=value,value`; a missing value satisfies only `!=`.
    """
    flow = [step("read from the file", table, subject)]
    for rule in rules:
        match = _RULE.match(rule)
        if match is None:
            raise RequestError(
                f"the cohort rule {rule!r} cannot be read",
                hint="write column=value,value or column!=value,value",
            )
        column = match["column"]
        if column not in table.schema.names:
            raise unknown_name("column", column, table.schema.names, where=table.source)
        table = table.take(np.flatnonzero(_satisfied(table, column, match["operator"], match["values"])))
        if table.frame.height == 0:
            raise TableError(f"the cohort rule {rule!r} leaves no patient", where=table.source)
        flow.append(step(f"kept by the rule {rule}", table, subject))
    return table, flow


def step(name: str, table: Table, subject: str | None, note: str | None = None) -> dict[str, Any]:
    """One box of the flow diagram."""
    n_patients = table.frame[subject].n_unique() if subject in table.schema.names else table.frame.height
    return {"step": name, "n_rows": table.frame.height, "n_patients": n_patients, "note": note}


def _satisfied(table: Table, column: str, operator: str, values: str) -> np.ndarray:
    wanted = [value.strip() for value in values.split(",") if value.strip()]
    if not wanted:
        raise RequestError(f"the cohort rule on {column!r} names no value")
    series = table.frame[column]
    if table.schema[column].kind == "numeric":
        try:
            numbers = [float(value) for value in wanted]
        except ValueError:
            raise RequestError(
                f"the column {column!r} is numeric, the cohort rule is not: {values}"
            ) from None
        hit = series.is_in(numbers)
    else:
        hit = series.cast(str).is_in(wanted)
    found = hit.fill_null(False).to_numpy()
    return found if operator == "=" else ~found
