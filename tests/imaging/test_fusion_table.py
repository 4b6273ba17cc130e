"""The patient table of a fusion model: what it learns, what it fills in, what it refuses."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import SchemaError, TableError
from iatros.imaging.fusion_table import TableEncoder, fit_table_encoder, table_frame
from iatros.imaging.schema import ImageRecord

AGES = [50.0, 60.0, 70.0, 80.0, 40.0, None, 60.0, 60.0, 900.0]
SEXES = ["f", "f", "f", "f", "m", "f", "m", "m", "m"]
SMOKES = ["no", "no", "no", "no", "yes", "no", "yes", "yes", "yes"]


@pytest.fixture
def frame() -> pl.DataFrame:
    """Nine patients, of whom the last is not learned from."""
    smokes = [*SMOKES[:8], "pipe"]
    return pl.DataFrame({"age": AGES * 2, "sex": SEXES * 2, "smokes": smokes * 2})


@pytest.fixture
def train() -> np.ndarray:
    return np.array([row for row in range(18) if row % 9 != 8])


def test_numbers_are_standardised_and_levels_are_0_or_1_by_the_training_rows(
    frame: pl.DataFrame, train: np.ndarray
) -> None:
    encoder = fit_table_encoder(frame, train)
    features = encoder.apply(frame)
    assert features.dtype == np.float32
    column = {name: features[:, place] for place, name in enumerate(encoder.names)}
    assert set(column) == {"age", "age missing", "sex=f", "sex=m", "smokes=no", "smokes=yes"}
    # of the fourteen known training ages the mean is 60 and the variance 1000 / 7
    known = np.array([50, 60, 70, 80, 40, 60, 60])
    assert known.mean() == 60
    np.testing.assert_allclose(column["age"][[0, 4]], (np.array([50, 40]) - 60) / known.std(), rtol=1e-6)
    np.testing.assert_array_equal(
        column["age missing"], np.array(AGES * 2, dtype=float) != np.array(AGES * 2, dtype=float)
    )
    np.testing.assert_array_equal(column["sex=f"], [sex == "f" for sex in SEXES * 2])
    # the level that no training patient had is none of the known ones
    assert column["smokes=no"][8] == column["smokes=yes"][8] == 0
    assert np.isfinite(features).all()


def test_the_rows_that_are_not_learned_from_change_nothing(frame: pl.DataFrame, train: np.ndarray) -> None:
    other = frame.with_columns(pl.when(pl.col("age") > 500).then(-7.0).otherwise(pl.col("age")).alias("age"))
    mask = np.zeros(18, dtype=bool)
    mask[train] = True
    one, two = fit_table_encoder(frame, train), fit_table_encoder(other, mask)
    assert one.document() == two.document()
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(two.arrays()[name], values)


def test_it_comes_back_from_a_document_and_arrays(frame: pl.DataFrame, train: np.ndarray) -> None:
    encoder = fit_table_encoder(frame, train)
    document, arrays = encoder.save()
    again = TableEncoder.load(document, unpack_arrays(pack_arrays(arrays)))
    np.testing.assert_array_equal(again.apply(frame), encoder.apply(frame))
    assert again.columns == ["age", "sex", "smokes"]


def test_columns_may_come_in_any_order_with_others_beside_them(
    frame: pl.DataFrame, train: np.ndarray
) -> None:
    encoder = fit_table_encoder(frame, train)
    wide = frame.select("smokes", "age", "sex").with_columns(label=pl.lit("pneumonia"))
    np.testing.assert_array_equal(encoder.apply(wide), encoder.apply(frame))


def test_one_patient_of_whom_nothing_is_known_gets_an_answer(frame: pl.DataFrame, train: np.ndarray) -> None:
    encoder = fit_table_encoder(frame, train)
    nobody = table_frame(
        [ImageRecord("a", "0", (1, 2, 2), columns={"age": None, "sex": None, "smokes": None})],
        encoder.columns,
    )
    features = encoder.apply(nobody)
    assert features.shape == (1, 6)
    assert np.isfinite(features).all()
    assert features[0, encoder.names.index("age missing")] == 1


def test_a_column_that_is_absent_or_of_another_kind_is_refused(
    frame: pl.DataFrame, train: np.ndarray
) -> None:
    encoder = fit_table_encoder(frame, train)
    with pytest.raises(SchemaError, match="'sex' is missing"):
        encoder.apply(frame.drop("sex"))
    with pytest.raises(SchemaError, match="text where a number is expected"):
        encoder.apply(frame.with_columns(age=pl.lit("old")))


def test_what_is_unlike_the_training_patients_is_said(frame: pl.DataFrame, train: np.ndarray) -> None:
    said = fit_table_encoder(frame, train).flags(frame)
    assert [bool(each) for each in said] == [row % 9 == 8 for row in range(18)]
    assert said[8] == [
        "age 900 is outside the training range 40 to 80",
        "smokes 'pipe' was not seen in training and counts as unknown",
    ]


def test_a_table_that_says_the_same_of_everyone_is_refused() -> None:
    frame = pl.DataFrame({"sex": ["f", "f", "f", "m"], "age": [60.0, 60.0, 60.0, 61.0]})
    with pytest.raises(TableError, match="no column of the patient table varies"):
        fit_table_encoder(frame, np.arange(3))


def test_a_frame_is_made_of_what_the_records_say() -> None:
    rows = [{"age": 61.0, "stage": 2.0, "label": "a"}, {"age": None, "stage": "3b"}, {"stage": None}]
    records = [ImageRecord(str(k), str(k), (1, 2, 2), columns=row) for k, row in enumerate(rows)]
    frame = table_frame(records, ["stage", "age", "weight"])
    assert frame.to_dict(as_series=False) == {"stage": ["2", "3b", None], "age": [61.0, None, None]}


def test_a_table_is_applied_without_scikit_learn_or_pandas(frame: pl.DataFrame, train: np.ndarray) -> None:
    document, arrays = fit_table_encoder(frame, train).save()
    code = f"""
import sys
import numpy as np, polars as pl
from iatros.core.bundle import unpack_arrays
from iatros.imaging.fusion_table import TableEncoder
encoder = TableEncoder.load({document!r}, unpack_arrays({pack_arrays(arrays)!r}))
print(encoder.apply(pl.DataFrame({{"age": [50.0, None], "sex": ["f", "m"], "smokes": ["no", "no"]}}))[0].tolist())
print(sorted({{"torch", "sklearn", "pandas", "scipy"}} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    answer, loaded = run.stdout.splitlines()
    encoder = fit_table_encoder(frame, train)
    assert answer == str(encoder.apply(frame.head(1))[0].tolist())
    assert loaded == "[]"
