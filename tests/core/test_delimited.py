"""Cells and tables that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.delimited import csv_text, safe_cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+44 20 7946", "'+44 20 7946"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("-5.5e3", "-5.5e3"),
        ("+7", "+7"),
        (-2.5, "-2.5"),
        (True, "true"),
        (None, ""),
        (["a", "b"], "a; b"),
        (["=a", "b"], "'=a; b"),
        ("plain", "plain"),
    ],
)
def test_cells(value, cell):
    assert safe_cell(value) == cell


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.text())
def test_no_text_starts_a_formula(text):
    cell = safe_cell(text)
    assert is_number(cell) or not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert cell in (text, "'" + text)


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False)), max_size=5))
def test_a_table_reads_back(rows):
    table = {"name": [name for name, _ in rows], "=risk": [value for _, value in rows]}
    read = list(csv.reader(io.StringIO(csv_text(table), newline="")))
    assert read[0] == ["name", "'=risk"]
    assert [(row[0], float(row[1])) for row in read[1:]] == [(safe_cell(name), value) for name, value in rows]


def test_columns_of_unequal_length_are_a_fault():
    with pytest.raises(ValueError):
        csv_text({"a": [1], "b": [1, 2]})
