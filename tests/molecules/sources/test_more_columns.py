"""Further columns, whose cells are handed on, and the names of the columns, of every kind of source."""

from __future__ import annotations

import pandas as pd
import pytest

from iatros.core.errors import SchemaError, TableError, UnknownNameError
from iatros.molecules.sources import header_of, open_compounds
from iatros.molecules.sources.columns import Wanted

TEXT = 'a,smiles,b\n1,CCO,"x, y"\n,CCN,\n'
WANTED = Wanted(more=("b", "a"))
CELLS = [("x, y", "1"), ("", "")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_come_in_the_order_in_which_they_were_asked_for(written, delimiter):
    text = "a,smiles,b\n1,CCO,x\n,CCN,\n".replace(",", delimiter)
    entries = list(open_compounds(written(text, "t.csv"), WANTED).entries)
    assert [(entry.structure, entry.more) for entry in entries] == [("CCO", ("x", "1")), ("CCN", ("", ""))]


def test_every_kind_of_table_gives_the_same(written):
    rows = [{"a": 1, "smiles": "CCO", "b": "x, y"}, {"a": None, "smiles": "CCN", "b": None}]
    frame = pd.DataFrame(rows, dtype=object)
    path = written(TEXT, "t.csv")
    parquet = path.with_name("t.parquet")
    frame.astype({"a": str}).replace("None", None).to_parquet(parquet)
    for source in (path, frame, rows, parquet):
        assert [entry.more for entry in open_compounds(source, WANTED).entries] == CELLS
        assert header_of(source, WANTED) == ["a", "smiles", "b"]


def test_a_file_without_columns_has_no_names_of_them(written):
    assert header_of(written("CCO ethanol\n", "t.smi"), Wanted()) == []
    assert header_of(["CCO"], Wanted()) == []
    with pytest.raises(TableError, match="no such file"):
        header_of(written("x", "t.csv").with_name("absent.csv"), Wanted())


def test_a_further_column_that_is_not_there_or_there_twice_is_refused(written):
    with pytest.raises(UnknownNameError, match="no column is called 'c'"):
        list(open_compounds(written(TEXT, "t.csv"), Wanted(more=("a", "c"))).entries)
    with pytest.raises(SchemaError, match="names the column 'a' 2 times"):
        list(open_compounds(written("smiles,a,a\nC,1,2\n", "t.csv"), Wanted(more=("a",))).entries)
