from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from iatros.core.errors import RequestError, SchemaError, TableError
from iatros.molecules.sources import frames, open_compounds
from iatros.molecules.sources.columns import Wanted

ROWS = {"id": ["a", None, "c"], "Smiles": ["CCO", "CN", None], "y": [1.5, None, 3.0]}
EXPECTED = [(1, "CCO", "a", "1.5"), (2, "CN", "", ""), (3, "", "c", "3.0")]


def entries(reference, **wanted):
    return [
        (e.line, e.structure, e.name, e.activity) for e in open_compounds(reference, Wanted(**wanted)).entries
    ]


@pytest.mark.parametrize("block", [2, 50_000])
def test_frames_rows_and_parquet_say_the_same(tmp_path, monkeypatch, block):
    monkeypatch.setattr(frames, "BLOCK_ROWS", block)
    pl.DataFrame(ROWS).write_parquet(tmp_path / "t.parquet")
    rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    for reference in (pl.DataFrame(ROWS), pd.DataFrame(ROWS), tmp_path / "t.parquet", rows):
        assert entries(reference, activity="y") == EXPECTED


def test_a_list_of_structures():
    assert entries(["CCO", " CN "]) == [(1, "CCO", "", ""), (2, "CN", "", "")]
    with pytest.raises(RequestError, match="a list of structures has none"):
        entries(["CCO"], activity="y")


def test_no_column_of_structures():
    with pytest.raises(SchemaError, match="there are a, b"):
        entries(pl.DataFrame({"a": ["CCO"], "b": [1]}))


def test_a_broken_parquet_file_and_an_unknown_ending(written):
    with pytest.raises(TableError, match="not a whole Parquet"):
        entries(written(b"PAR1 nothing", "t.parquet"))
    with pytest.raises(TableError, match="there is no such file") as missing:
        entries(Path("CCO"))
    assert "one on each line" in str(missing.value.hint)
    with pytest.raises(TableError, match=r"the ending \.doc does not say"):
        entries(written("CCO", "t.doc"))
