"""Roles of columns: what is learned from, what is kept apart, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.risk.requests import TrainRequest
from iatros.risk.study import open_study


def study(cohort: pl.DataFrame, **fields):
    return open_study(TrainRequest(table=cohort, **{"outcome": "died", "subject": "patient", **fields}))


def test_role_columns_are_never_features(cohort: pl.DataFrame) -> None:
    found = study(cohort, site="site", time="visit", exclude="days")
    assert found.features.schema.names == ["age", "sex", "marker", "ward", "noise"]
    assert found.sites is not None
    assert set(found.sites) == {"north", "south", "east"}
    assert np.issubdtype(found.times.dtype, np.datetime64)


def test_groups_are_patients(cohort: pl.DataFrame) -> None:
    found = study(cohort)
    assert len(np.unique(found.groups)) == cohort["patient"].n_unique() < cohort.height
    same = cohort["patient"].to_numpy()[:, None] == cohort["patient"].to_numpy()
    assert np.array_equal(same, found.groups[:, None] == found.groups)


def test_a_column_that_the_dictionary_dates_later_is_withheld(cohort: pl.DataFrame, tmp_path: Path) -> None:
    dictionary = tmp_path / "dictionary.yaml"
    dictionary.write_text("columns:\n  days: {recorded: after_prediction, unit: d}\n")
    found = study(cohort, dictionary=dictionary)
    assert "days" not in found.features.schema.names
    assert found.withheld.schema.names == ["days"]
    assert any("recorded after the prediction time" in note and "days" in note for note in found.notes)


def test_an_identifier_is_left_out_unless_it_is_asked_for(cohort: pl.DataFrame) -> None:
    numbered = cohort.with_columns(record_id=pl.Series([f"r{k}" for k in range(cohort.height)]))
    assert "record_id" not in study(numbered).features.schema.names
    assert "record_id" in study(numbered, features="record_id,age").features.schema.names


def test_the_order_of_the_asked_features_is_kept(cohort: pl.DataFrame) -> None:
    assert study(cohort, features="ward,age").features.schema.names == ["ward", "age"]


def test_rows_without_a_patient_are_refused_and_counted(cohort: pl.DataFrame) -> None:
    broken = cohort.with_columns(
        patient=pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise(pl.col("patient"))
    )
    found = study(broken)
    assert found.n == cohort.height - 3
    assert found.data["n_refused"] == 3
    assert found.data["refused"][0] == {"row": 0, "column": "patient", "reason": "the subject is missing"}


def test_age_bands_come_from_the_age_column(cohort: pl.DataFrame) -> None:
    found = study(cohort, subgroup="sex,age_band")
    assert set(found.subgroups) == {"sex", "age_band"}
    assert "60-69" in set(found.subgroups["age_band"])


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"site": "hospital"}, UnknownNameError, "no column is called 'hospital'"),
        ({"subject": "died"}, RequestError, "different columns"),
        ({"features": "died,age"}, RequestError, "cannot be one of the features"),
        ({"features": "patient"}, TableError, "no column is left"),
        ({"subgroup": "sax"}, UnknownNameError, "did you mean sex"),
    ],
)
def test_impossible_roles_are_refused(cohort: pl.DataFrame, fields, error, words) -> None:
    with pytest.raises(error, match=words):
        study(cohort, **fields)


def test_age_band_without_an_age_is_refused(cohort: pl.DataFrame) -> None:
    with pytest.raises(RequestError, match="needs a numeric column called age"):
        study(cohort.drop("age"), subgroup="age_band")
