"""Values unlike the training patients are flagged, not refused; identifiers never enter a schema."""

from __future__ import annotations

import numpy as np
import polars as pl

from iatros.learners.tabular.ranges import observed_schema, out_of_range
from iatros.learners.tabular.reading import read_table


def test_what_is_flagged_and_what_is_not() -> None:
    n = 80
    frame = pl.DataFrame(
        {
            "age": 18.0 + np.arange(n),
            "site": [7.0] * n,
            "sex": ["f", "m"] * (n // 2),
            "seen": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 3, 20), eager=True),
            "gone": [None] * n,
        }
    )
    schema = read_table(frame).schema
    day = frame["seen"][0]
    new = pl.DataFrame(
        {
            "age": [240.0, 105.0, None],
            "site": [7.0, 8.0, None],
            "sex": ["x", "f", None],
            "seen": [day.replace(year=2031), day, None],
            "gone": [1.0, None, None],
        }
    )
    flags = out_of_range(read_table(new, schema=schema), schema)
    assert flags == [
        [
            "age 240 is outside the training range 18 to 97",
            "sex 'x' was not seen in training and counts as unknown",
            "seen 2031-01-01 is outside the training range 2020-01-01 to 2020-03-20",
        ],
        ["site 8 is outside the training range 7 to 7"],
        [],
    ]


def test_schema_of_the_rows_at_hand() -> None:
    table = read_table([{"id": i, "x": i / 2, "c": "ab"[i > 7]} for i in range(10)])
    assert table.schema["id"].identifier
    assert (table.schema["id"].low, table.schema["x"].high) == (None, 4.5)
    seen = observed_schema(table.take(np.arange(4)))
    assert (seen["x"].low, seen["x"].high, seen["c"].levels) == (0.0, 1.5, ("a",))


def test_names_of_patients_do_not_enter_the_schema() -> None:
    table = read_table([{"name": f"patient {i}", "note": f"text {i % 21}"} for i in range(40)])
    assert table.schema["name"].identifier
    assert "patient" not in table.schema["name"].model_dump_json()
    assert len(table.schema["note"].levels) == 21
