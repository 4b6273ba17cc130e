"""Cohort rules and the flow of patients."""

from __future__ import annotations

import polars as pl
import pytest

from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.learners.tabular.reading import read_table
from iatros.risk.cohort import apply_rules

FRAME = pl.DataFrame(
    {
        "patient": ["a", "a", "b", "c", "d"],
        "ward": ["x", "y", "x", None, "z"],
        "code": [11.0, 1.0, 13.0, 1.0, None],
    }
)


def test_the_flow_counts_rows_and_patients_after_each_rule() -> None:
    table, flow = apply_rules(read_table(FRAME), ("code!=11,13", "ward=x,y"), "patient")
    assert table.frame["patient"].to_list() == ["a"]
    assert [(box["n_rows"], box["n_patients"]) for box in flow] == [(5, 4), (3, 3), (1, 1)]


def test_a_missing_value_satisfies_only_the_negative_rule() -> None:
    kept, _ = apply_rules(read_table(FRAME), ("ward!=x",), None)
    assert kept.frame["patient"].to_list() == ["a", "c", "d"]
    kept, _ = apply_rules(read_table(FRAME), ("code=1",), None)
    assert kept.frame["patient"].to_list() == ["a", "c"]


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        ("ward", RequestError, "cannot be read"),
        ("wart=x", UnknownNameError, "did you mean ward"),
        ("code=eleven", RequestError, "numeric"),
        ("ward=nobody", TableError, "leaves no patient"),
        ("ward=", RequestError, "names no value"),
    ],
)
def test_a_bad_rule_is_refused(rule: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        apply_rules(read_table(FRAME), (rule,), None)
