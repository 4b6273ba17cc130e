"""Columns become the features one would write by hand; no row's own outcome reaches its features."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from iatros.core.bundle import pack_arrays, unpack_arrays
from iatros.core.errors import SchemaError
from iatros.core.task import Target
from iatros.learners.tabular.encoding import Encoder, fit_encode, fit_encoder
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table

BINARY = Target("died", "binary", ("no", "yes"))


def small() -> Table:
    n = 23
    frame = pl.DataFrame(
        {
            "age": [float(i) if i % 5 else None for i in range(n)],
            "sex": ["f"] * 9 + ["m"] * 11 + ["x"] * 2 + [None],
            "grade": pl.Series((["low", "mid", "high"] * 8)[:n], dtype=pl.Enum(["low", "mid", "high"])),
            "seen": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, n), eager=True),
            "gone": [None] * n,
            "same": [3.0] * n,
        }
    )
    return read_table(frame)


def test_one_hot_by_hand() -> None:
    table = small()
    encoder, X = fit_encode(table, categories="one-hot", scale=False, indicator=True)
    assert encoder.names == [
        "age", "age missing", "sex=f", "sex=m", "sex=other", "sex missing", "grade", "seen", "gone", "same",
    ]  # fmt: skip
    assert encoder.sources == ["age", "age", *["sex"] * 4, "grade", "seen", "gone", "same"]
    np.testing.assert_array_equal(X[0], [np.nan, 1, 1, 0, 0, 0, 0, 18262, 0, 3])
    np.testing.assert_array_equal(X[21], [21, 0, 0, 0, 1, 0, 0, 18283, 0, 3])
    np.testing.assert_array_equal(X[22], [22, 0, 0, 0, 0, 1, 1, 18284, 0, 3])
    np.testing.assert_array_equal(encoder.transform(table.frame), X)


def test_scaling_by_hand() -> None:
    table = small()
    encoder, X = fit_encode(table, scale=True, indicator=False)
    age = table.column("age")
    np.testing.assert_allclose(X[:, 0], (age - np.nanmean(age)) / np.nanstd(age))
    assert X[:, encoder.names.index("same")].tolist() == [0.0] * 23
    assert set(np.unique(X[:, encoder.names.index("sex=m")])) == {0.0, 1.0}


def test_levels_never_seen() -> None:
    table = small()
    new = table.frame.head(2).with_columns(
        sex=pl.Series(["zz", None]), grade=pl.Series(["zz", None], dtype=pl.String)
    )
    hot = fit_encoder(table)
    X = hot.transform(new)
    assert X[:, hot.names.index("sex=other")].tolist() == [1.0, 0.0]
    assert np.isnan(X[:, hot.names.index("grade")]).all()
    codes = fit_encoder(table, categories="codes")
    assert codes.cardinalities == [0, 0, 4, 0, 0, 0, 0]
    assert codes.transform(new)[:, 2].tolist() == [3.0, 0.0]
    assert "x" not in json.dumps(codes.document()["forms"][1]["levels"])


def test_most_frequent_levels_are_kept() -> None:
    rows = [{"site": f"s{i}"} for i in range(1, 12) for _ in range(5 + i)]
    encoder = fit_encoder(read_table(rows), max_levels=3)
    assert encoder.names == ["site=s10", "site=s11", "site=s9", "site=other"]


def test_target_means_by_hand() -> None:
    n = 210
    levels = [f"h{i % 30}" for i in range(n - 30)] + [None] * 30
    y = np.array([1 if i % 30 < 6 else 0 for i in range(n)])
    table = read_table(pl.DataFrame({"hospital": levels, "sex": ["f", "m", "m"] * 70}))
    encoder, X = fit_encode(table, categories="target", y=y, target=BINARY, seed=3)
    assert encoder.names == ["hospital mean", "hospital log count", "sex=f", "sex=m"]
    new = pl.DataFrame({"hospital": ["h2", "h9", "never", None], "sex": ["f"] * 4})
    prior = y.mean()
    expected = [(6 + 20 * prior) / 26, 20 * prior / 26, prior, (6 + 20 * prior) / 50]
    np.testing.assert_allclose(encoder.transform(new)[:, 0], expected)
    np.testing.assert_allclose(encoder.transform(new)[:, 1], np.log1p([6, 6, 0, 30]))
    # training rows see the other folds only
    assert np.abs(X[:, 0] - encoder.transform(table.frame)[:, 0]).max() > 0


def test_target_means_of_noise_do_not_predict_the_training_rows() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(5)
    n = 2000
    table = read_table(pl.DataFrame({"ward": [f"w{i}" for i in rng.integers(0, 200, n)]}))
    y = rng.integers(0, 2, n)
    encoder, X = fit_encode(table, categories="target", y=y, target=BINARY, seed=1)
    seen = encoder.transform(table.frame)
    assert roc_auc_score(y, seen[:, 0]) > 0.6
    assert abs(roc_auc_score(y, X[:, 0]) - 0.5) < 0.06


def test_target_means_keep_patients_together() -> None:
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(150), 4)
    y = np.repeat(rng.integers(0, 2, 150), 4)
    table = read_table(pl.DataFrame({"gp": [f"g{p}" for p in patients % 40]}))
    _, X = fit_encode(table, categories="target", y=y, target=BINARY, groups=patients)
    for patient in range(150):
        rows = patients == patient
        assert len(np.unique(X[rows, 0])) == 1


@pytest.mark.parametrize(
    "target", [BINARY, Target("k", "multiclass", ("a", "b", "c")), Target("dose", "continuous", (), "mg")]
)
@pytest.mark.parametrize("categories", ["one-hot", "target", "codes"])
def test_stored_form_is_equal(target: Target, categories: str) -> None:
    rng = np.random.default_rng(0)
    n = 300
    frame = small().frame[rng.integers(0, 23, n)].with_columns(dx=pl.Series([f"d{i % 37}" for i in range(n)]))
    table = read_table(frame)
    y = rng.normal(size=n) if target.task == "continuous" else rng.integers(0, len(target.classes), n)
    encoder, X = fit_encode(table, categories=categories, scale=True, y=y, target=target)
    document = json.loads(json.dumps(encoder.document()))
    again = Encoder.load(document, unpack_arrays(pack_arrays(encoder.arrays())))
    np.testing.assert_array_equal(again.transform(frame_of(table)), encoder.transform(frame_of(table)))
    assert X.shape == (n, len(encoder.names)) == (n, len(encoder.sources))
    if categories == "target":
        outputs = 3 if target.task == "multiclass" else 1
        assert sum(source == "dx" for source in encoder.sources) == outputs + 1


def frame_of(table: Table) -> pl.DataFrame:
    return table.frame.select(reversed(table.frame.columns))


def test_a_table_of_nothing_known_is_an_answer() -> None:
    table = read_table(pl.DataFrame({"a": [None] * 4, "b": [None] * 4}))
    _, X = fit_encode(table, scale=True)
    assert X.tolist() == [[0.0, 0.0]] * 4


def test_an_absent_column_is_named() -> None:
    encoder = fit_encoder(small())
    with pytest.raises(SchemaError, match="lacks the column 'sex'"):
        encoder.transform(small().frame.drop("sex"))
