"""New patients are read as the training patients were; a missing, extra or retyped column is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from iatros.core.errors import SchemaError, TableError
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.schema import TableSchema

ROWS: list[dict[str, Any]] = [
    {
        "age": 40.0 + i,
        "sex": "fm"[i % 2],
        "code": str(i % 3),
        "seen": f"2020-01-{10 + i}",
        "dx": ["250.8", "V27"][i % 2],
    }
    for i in range(10)
]


@pytest.fixture
def schema() -> TableSchema:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("code").cast(pl.Enum(["0", "1", "2"])))
    return read_table(frame).schema


def row(**changes: Any) -> list[dict[str, Any]]:
    return [{**ROWS[0], **changes}]


def test_order_does_not_matter(schema: TableSchema) -> None:
    table = read_table([dict(reversed(ROWS[0].items()))], schema=schema)
    assert table.schema == schema
    assert table.frame.columns == schema.names


def test_one_spelling_of_levels(schema: TableSchema) -> None:
    for code in (1, 1.0, "1", "1.0"):
        assert read_table(row(code=code), schema=schema).frame["code"].to_list() == ["1"]
    frame = pd.DataFrame([*row(code=1), *row(code=None)])
    assert read_table(frame, schema=schema).frame["code"].to_list() == ["1", None]


def test_all_cells_missing_is_a_patient(schema: TableSchema) -> None:
    table = read_table([dict.fromkeys(schema.names)], schema=schema)
    assert table.frame.null_count().row(0) == (1,) * 5
    assert table.frame.dtypes == [pl.Float64, pl.String, pl.String, pl.Datetime("us"), pl.String]


def test_unseen_levels_pass(schema: TableSchema) -> None:
    assert read_table(row(sex="x"), schema=schema).frame["sex"].to_list() == ["x"]
    assert read_table(row(dx="999"), schema=schema).frame["dx"].to_list() == ["999"]


def test_extra_columns_that_are_allowed(schema: TableSchema) -> None:
    table = read_table(row(died=1), schema=schema, allowed_extra=("died", "patient"))
    assert table.schema.names == [*schema.names, "died"]
    assert table.frame["died"].to_list() == [1.0]
    part = schema.select(["age", "sex"])
    table = read_table([{"age": 1}], schema=part, allowed_extra=("sex",))
    assert table.schema.names == ["age"]


def without(name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in ROWS[0].items() if key != name}]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without("age"), "rows: the column 'age' is missing that the model was trained on"),
        ([{**without("age")[0], "agee": 1}], "'age' is missing.*is it called 'agee' here"),
        ([{"age": 1}], "the columns 'sex', 'code', 'seen', 'dx' are missing"),
        (row(died=1), "the column 'died' is there that the model does not know"),
        (
            row(age="old"),
            r"row 0 \(counted from 0\), column age: text where a number is expected \(got 'old'\)",
        ),
        (row(age=True), "column age: text where a number is expected"),
        (row(sex=1), "column sex: a number where text is expected.*levels: f, m"),
        (row(code="low"), "column code: text where a number is expected"),
        (row(seen=3.0), "column seen: a number where a date is expected"),
        (row(seen="soon"), "column seen: text where a date is expected"),
        (row(seen="03/04/2020"), "whether the day or the month comes first"),
    ],
)
def test_what_is_refused(schema: TableSchema, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read_table(rows, schema=schema)


def test_a_date_where_a_number_is_expected(schema: TableSchema) -> None:
    frame = pl.DataFrame(row()).with_columns(age=pl.col("seen").str.to_date())
    with pytest.raises(SchemaError, match="a date where a number is expected"):
        read_table(frame, schema=schema)


def test_no_rows_and_infinite_values(schema: TableSchema, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text(",".join(schema.names) + "\n")
    with pytest.raises(TableError, match=r"new\.csv: the file has a header but no rows"):
        read_table(path, schema=schema)
    path.write_text(",".join(schema.names) + "\ninf,f,1,2020-01-01,V27\n")
    with pytest.raises(TableError, match=r"new\.csv, line 2, column age: the value is infinite"):
        read_table(path, schema=schema)


def test_missing_codes_of_training_hold(tmp_path: Path) -> None:
    trained = read_table(pl.DataFrame({"a": [1.0, -9.0], "b": ["x", "-9"]}), missing_codes=("-9",))
    table = read_table([{"a": -9, "b": "-9"}], schema=trained.schema)
    assert table.frame.row(0) == (None, None)
