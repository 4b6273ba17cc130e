"""DataFrames, Parquet and rows give the same table as the file they were written to."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from iatros.core.errors import LimitError, TableError
from iatros.learners.tabular.reading import read_table

DAY = datetime.datetime(2021, 3, 4)


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "age": [61, None, 70],
            "dose": [1.5, float("nan"), 3.0],
            "sex": ["f", " m ", None],
            "smoker": [True, None, False],
            "seen": [DAY, None, DAY + datetime.timedelta(days=1)],
        }
    )


def test_every_form_gives_one_table(frame: pl.DataFrame, tmp_path: Path) -> None:
    frame.write_parquet(tmp_path / "t.parquet")
    frame.with_columns(pl.col("dose").fill_nan(None)).write_csv(tmp_path / "t.csv")
    rows = [
        {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name, value in row.items()
        }
        for row in frame.to_dicts()
    ]
    forms = [frame, frame.to_pandas(), tmp_path / "t.parquet", tmp_path / "t.csv", rows]
    tables = [read_table(form) for form in forms]
    assert tables[0].frame["dose"].to_list() == [1.5, None, 3.0]
    assert tables[0].frame["sex"].to_list() == ["f", "m", None]
    assert tables[0].frame["smoker"].to_list() == ["true", None, "false"]
    assert len({table.fingerprint() for table in tables}) == 1
    assert [table.source for table in tables] == ["DataFrame", "DataFrame", "t.parquet", "t.csv", "rows"]
    assert tables[0].rows.tolist() == [0, 1, 2]


def test_pandas_types() -> None:
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None], dtype="Int64"),
            "text": pd.array(["1", "x"], dtype="string"),
            "grade": pd.Categorical(["low", "high"], categories=["low", "middle", "high"], ordered=True),
            "group": pd.Categorical(["b", "a"]),
            "zoned": pd.to_datetime(["2021-03-04 01:00", None]).tz_localize("Europe/Berlin"),
            "whole": [1.0, 2.0],
            "mixed": [1, "x"],
        },
        index=[7, 9],
    )
    table = read_table(frame)
    assert table.frame["nullable"].to_list() == [1.0, None]
    assert table.schema["grade"].kind == "ordinal"
    assert table.schema["grade"].levels == ("low", "middle", "high")
    assert table.schema["group"].levels == ("a", "b")
    assert table.frame["zoned"].to_list()[0] == datetime.datetime(2021, 3, 4)
    assert table.frame["mixed"].to_list() == ["1", "x"]
    assert table.rows.tolist() == [0, 1]


def test_polars_types() -> None:
    frame = pl.DataFrame(
        {
            "grade": pl.Series(["low", "high"], dtype=pl.Enum(["low", "high"])),
            "cat": pl.Series(["a", "b"], dtype=pl.Categorical),
            "mrn": [2**60, 2**60 + 1],
            "day": [datetime.date(2021, 3, 4), None],
            "nothing": [None, None],
        }
    )
    table = read_table(frame)
    assert [column.kind for column in table.schema.columns] == [
        "ordinal", "categorical", "categorical", "date", "numeric",
    ]  # fmt: skip
    assert table.frame["mrn"].n_unique() == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pl.DataFrame({"a": [[1], [2]]}), "column a: cells of type List"),
        (pl.DataFrame({"a": [datetime.timedelta(1)]}), "cells of type Duration"),
        (pd.DataFrame({"a": pd.to_timedelta([1], "D")}), "durations cannot be used"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the column 'a' is there twice"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels of names"),
        (pl.DataFrame({"a": []}), "the table has no rows"),
        (pl.DataFrame(), "no columns"),
        (
            pl.DataFrame({"a": [1.0, float("inf")]}),
            r"row 1 \(counted from 0\), column a: the value is infinite",
        ),
        ([], "there are no rows"),
        ([{"a": 1}, {"b": 1}], r"row 1 \(counted from 0\): the row lacks 'a'"),
        ([{"a": 1}, {"a": 1, "b": 1}], "the row has 'b', which the first row lacks"),
        ([{"a": [1]}], "a cell holds a list"),
        ([{"a": float("inf")}], "the value is infinite"),
    ],
)
def test_what_is_refused(given: object, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_table(given)


def test_parquet_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(TableError, match="there is no such file"):
        read_table(path)
    path.write_text("age,sex\n")
    with pytest.raises(TableError, match="not a readable Parquet file"):
        read_table(path)
    pl.DataFrame({"a": np.zeros(10_000)}).write_parquet(path)
    with pytest.raises(LimitError):
        read_table(path, max_bytes=1000)
