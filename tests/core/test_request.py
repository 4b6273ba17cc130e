"""Requests: frozen, strict, and their errors name the field but never its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import Field, ValidationError, model_validator

from iatros.core.errors import RequestError
from iatros.core.request import ModelRef, Request, TableRef, build, fingerprint


class Ask(Request):
    table: TableRef
    model: ModelRef | None = None
    outcome: str = Field("num", description="the column to predict")
    held_out_fraction: float = Field(0.2, gt=0, lt=0.9)
    task: Literal["auto", "binary"] = "auto"

    @model_validator(mode="after")
    def _goes_together(self) -> Ask:
        if self.outcome == "site":
            raise ValueError("outcome must not be the site")
        return self


ROWS = [{"name": "Anna Smith", "age": 61}]


def test_a_request_is_frozen_and_forbids_the_unknown() -> None:
    asked = build(Ask, {"table": ROWS})
    with pytest.raises(ValidationError):
        asked.outcome = "x"
    with pytest.raises(RequestError, match="outcom is not known, did you mean outcome"):
        build(Ask, {"table": ROWS, "outcom": "x"})


def test_flags_are_named_as_typed() -> None:
    with pytest.raises(RequestError, match=r"--held-out-fraction: .*less than 0\.9"):
        build(Ask, {"table": ROWS, "held_out_fraction": 2}, flags=True)
    with pytest.raises(RequestError, match=r"^table is required$"):
        build(Ask, {})


def test_every_wrong_field_is_named_in_one_line() -> None:
    with pytest.raises(RequestError) as caught:
        build(Ask, {"held_out_fraction": "x", "task": "cox", "zzz": 1})
    text = str(caught.value)
    assert all(
        name in text for name in ("table is required", "held_out_fraction", "task", "zzz is not known")
    )
    assert "\n" not in text


def test_our_own_rules_read_as_written() -> None:
    with pytest.raises(RequestError) as caught:
        build(Ask, {"table": ROWS, "outcome": "site"})
    assert str(caught.value) == "outcome must not be the site"


@pytest.mark.parametrize(
    "table", [[{"name": "Anna Smith"}, "Anna Smith"], "Anna Smith\x00", {"Anna Smith": 1}, 5]
)
def test_values_never_enter_an_error(table: Any) -> None:
    fields = {"table": table, "held_out_fraction": "Anna Smith", "task": "Anna Smith"}
    with pytest.raises(RequestError) as caught:
        build(Ask, fields)
    assert "Anna" not in str(caught.value)
    assert "Anna" not in str(caught.value.document())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("data/heart.csv", {"file": "heart.csv"}),
        (Path("/secret/place/heart.csv"), {"file": "heart.csv"}),
        (ROWS, {"rows": 1}),
        (pl.DataFrame({"name": ["Anna Smith"], "age": [61]}), {"frame": [1, 2]}),
    ],
)
def test_inputs_serialise_to_a_name_without_data(table: Any, name: dict[str, Any]) -> None:
    asked = build(Ask, {"table": table, "model": "/models/heart"})
    document = asked.model_dump(mode="json")
    assert document["table"] == name
    assert document["model"] == {"bundle": "heart"}
    assert "Anna" not in str(document)


def test_pandas_is_taken_as_it_is() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1, 2]})
    asked = build(Ask, {"table": frame})
    assert asked.table is frame  # type: ignore[attr-defined]


def test_over_http_a_table_is_rows_and_a_model_is_a_name() -> None:
    schema = Ask.model_json_schema()["properties"]
    assert schema["table"] == {"type": "array", "items": {"type": "object"}, "title": "Table"} or (
        schema["table"]["type"] == "array"
    )
    assert {"type": "string"} in schema["model"]["anyOf"]


def test_fingerprint_is_sha256() -> None:
    # FIPS 180-2, appendix B.1
    assert fingerprint(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
