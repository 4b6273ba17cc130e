"""Permutation importance and partial dependence against closed forms and scikit-learn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.inspection import partial_dependence as sklearn_partial_dependence
from sklearn.linear_model import LinearRegression

from iatros.core.errors import InputError, UnknownNameError
from iatros.core.task import Target
from iatros.learners.importance import partial_dependence, permutation_importance, row_loss
from iatros.learners.tabular.schema import Column

DOSE = Target("dose", "continuous")
DEATH = Target("death", "binary", ("no", "yes"))


def linear(n: int = 2000) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(0, 2, n), "b": rng.normal(0, 1, n), "c": rng.normal(0, 1, n)})
    return frame, 1.0 * frame["a"].to_numpy() + 3.0 * frame["b"].to_numpy() + rng.normal(0, 0.5, n)


def answer(frame: pl.DataFrame) -> np.ndarray:
    return frame["a"].to_numpy() + 3.0 * frame["b"].to_numpy()


class TestPermutationImportance:
    def test_of_a_linear_model_is_twice_the_explained_variance(self) -> None:
        """For y = sum w_j x_j + noise, shuffling x_j adds 2 w_j^2 var(x_j) to the squared error."""
        frame, y = linear()
        entries = permutation_importance(answer, frame, y, DOSE, n_repeats=10)
        assert [entry["column"] for entry in entries] == ["b", "a", "c"]
        for entry, wanted in zip(entries, (18.0, 8.0, 0.0), strict=True):
            assert entry["value"] == pytest.approx(wanted, rel=0.1, abs=1e-9)
            assert entry["low"] <= wanted * 1.05 + 1e-9
            assert entry["high"] >= wanted * 0.95
            assert entry["n"] == 2000
        assert "bootstrap over 2000 rows" in entries[0]["interval"]

    def test_the_interval_draws_groups(self) -> None:
        frame, y = linear(200)
        tenfold = pl.concat([frame] * 10)
        groups = np.tile(np.arange(200), 10)
        wide, narrow = (
            permutation_importance(answer, tenfold, np.tile(y, 10), DOSE, columns=["b"], groups=g)[0]
            for g in (groups, None)
        )
        assert wide["value"] == narrow["value"]
        assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])
        assert "200 patients" in wide["interval"]

    def test_of_probabilities_is_log_loss(self) -> None:
        frame, score = linear(600)
        y = (score > 1).astype(int)

        def risk(rows: pl.DataFrame) -> np.ndarray:
            return 1 / (1 + np.exp(-2 * (answer(rows) - 1)))

        entries = permutation_importance(risk, frame, y, DEATH, columns=["c", "b"])
        assert [entry["column"] for entry in entries] == ["b", "c"]
        assert entries[0]["loss"] == "log loss"
        assert entries[0]["low"] > 0
        assert entries[0]["n_events"] == y.sum()
        assert entries[1]["value"] == 0

    def test_the_answer_for_a_column_does_not_depend_on_the_others(self) -> None:
        frame, y = linear(300)
        alone = permutation_importance(answer, frame, y, DOSE, columns=["b"], seed=3)
        beside = permutation_importance(answer, frame, y, DOSE, seed=3)
        assert alone[0] == next(entry for entry in beside if entry["column"] == "b")

    def test_bad_input(self) -> None:
        frame, y = linear(30)
        with pytest.raises(UnknownNameError, match="no column is called 'd'"):
            permutation_importance(answer, frame, y, DOSE, columns=["d"])
        with pytest.raises(InputError, match="two rows"):
            permutation_importance(answer, frame[:1], y[:1], DOSE)


def test_row_loss_by_task() -> None:
    np.testing.assert_allclose(row_loss(DOSE, np.array([1.0, 2.0]), np.array([3.0, 2.0])), [4.0, 0.0])
    np.testing.assert_allclose(row_loss(DEATH, np.array([1, 0]), np.array([0.2, 0.2])), -np.log([0.2, 0.8]))
    classes = Target("stage", "multiclass", ("a", "b", "c"))
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(row_loss(classes, np.array([2, 1]), p), -np.log([0.7, 0.25]))


class TestPartialDependence:
    def test_equals_scikit_learn(self) -> None:
        frame, y = linear(400)
        model = LinearRegression().fit(frame.to_numpy(), y)
        got = partial_dependence(
            lambda rows: model.predict(rows.to_numpy()),
            frame,
            Column(name="b", kind="numeric", unit="mmol/l"),
            DOSE,
        )
        wanted = sklearn_partial_dependence(
            model,
            frame.to_numpy(),
            [1],
            custom_values={1: np.array(got["grid"])},
            method="brute",
            kind="average",
        )
        np.testing.assert_allclose(got["mean"], wanted["average"][0], rtol=1e-9)
        assert len(got["grid"]) == 20
        assert got["grid"] == sorted(got["grid"])
        assert (got["column"], got["kind"], got["unit"]) == ("b", "numeric", "mmol/l")
        inner = frame["b"].quantile(0.01), frame["b"].quantile(0.99)
        assert inner[0] < got["grid"][0] < got["grid"][-1] < inner[1]

    def test_levels_few_values_and_missing(self) -> None:
        frame = pl.DataFrame(
            {"ward": ["b", "a", None, "b"], "stage": ["ii", "i", "iii", None], "sex": [0.0, 1.0, 1.0, None]}
        )

        def risk(rows: pl.DataFrame) -> np.ndarray:
            return (rows["ward"] == "b").fill_null(False).to_numpy() * 0.5 + rows["sex"].fill_null(
                0.0
            ).to_numpy() / 4

        ward = partial_dependence(
            risk, frame, Column(name="ward", kind="categorical", levels=("a", "b")), DEATH
        )
        assert ward["grid"] == ["a", "b"]
        np.testing.assert_allclose(ward["mean"], [0.125, 0.625])
        ordered = Column(name="stage", kind="ordinal", levels=("i", "ii", "iii", "iv"))
        assert partial_dependence(risk, frame, ordered, DEATH)["grid"] == ["i", "ii", "iii"]
        assert partial_dependence(risk, frame, Column(name="sex", kind="numeric"), DEATH)["grid"] == [
            0.0,
            1.0,
        ]

    def test_dates_several_classes_and_nothing_seen(self) -> None:
        days = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 3, 1), "1d", eager=True)
        frame = pl.DataFrame(
            {"day": days.cast(pl.Datetime("us")), "empty": pl.Series([None] * len(days), dtype=pl.Float64)}
        )
        classes = Target("stage", "multiclass", ("a", "b", "c"))
        got = partial_dependence(
            lambda rows: np.tile([0.2, 0.3, 0.5], (rows.height, 1)),
            frame,
            Column(name="day", kind="date"),
            classes,
        )
        assert got["grid"][0].startswith("2020-01-02")
        assert np.shape(got["mean"]) == (3, len(got["grid"]))
        assert got["classes"] == ["a", "b", "c"]
        nothing = partial_dependence(
            lambda rows: np.zeros(rows.height), frame, Column(name="empty", kind="numeric"), DEATH
        )
        assert nothing["grid"] == nothing["mean"] == []
