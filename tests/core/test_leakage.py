"""The audit finds what gives the outcome away, on real tables and on planted leaks, and stays quiet elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.leakage import CHECKS, AuditColumn, audit
from iatros.core.task import Target
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table

DEATH = Target("hospdead", "binary", ("0", "1"))
BINARY = Target("outcome", "binary", ("no", "yes"))


def audit_columns(table: Table, leave_out: tuple[str, ...] = ()) -> list[AuditColumn]:
    return [
        AuditColumn(c.name, c.kind, table.column(c.name), c.recorded, c.identifier)
        for c in table.schema.columns
        if c.name not in leave_out
    ]


def found(report: dict[str, Any], check: str) -> dict[tuple[str, ...], str]:
    return {tuple(s["columns"]): s["severity"] for s in report["suspects"] if s["check"] == check}


def patients(n: int = 900, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Lopsided data: 20 % events; risk rises with age and creatinine, the rest is noise."""
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.normal(61, 13, n).round(1),
        "creatinine": rng.lognormal(4.4, 0.4, n).round(1),
        "sodium": rng.normal(138, 4, n).round(),
        "potassium": rng.normal(4.1, 0.5, n).round(2),
        "weight": rng.normal(78, 15, n).round(1),
    }
    eta = -2.2 + 0.05 * (columns["age"] - 61) + 0.012 * (columns["creatinine"] - 80)
    return columns, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)


def numeric(columns: dict[str, np.ndarray]) -> list[AuditColumn]:
    return [AuditColumn(name, "numeric", values) for name, values in columns.items()]


@pytest.fixture(scope="module")
def support2_report(shared_data: Path) -> dict[str, Any]:
    table = read_table(shared_data / "support2" / "support2.csv")
    y = table.column("hospdead").astype(int)
    return audit(audit_columns(table, ("hospdead",)), y, DEATH)


class TestSupport2:
    """In-hospital death in SUPPORT2: three columns and one rule give it away, and no dictionary says so."""

    def test_finds_the_three_columns(self, support2_report: dict[str, Any]) -> None:
        regions = found(support2_report, "constant-outcome")
        assert regions[("death",)] == "certain"
        assert regions[("d.time",)] in ("certain", "likely")
        assert regions[("sfdm2",)] in ("certain", "likely")

    def test_finds_the_rule_that_holds_in_every_row(self, support2_report: dict[str, Any]) -> None:
        assert found(support2_report, "column-rule") == {("slos", "d.time"): "certain"}
        (rule,) = (s for s in support2_report["suspects"] if s["check"] == "column-rule")
        assert rule["statistic"] == 1.0
        assert "slos == d.time: 1 in 2360 of 2360 rows" in rule["evidence"]
        assert "slos < d.time: 0 in 6745 of 6745 rows" in rule["evidence"]

    def test_false_alarms_are_few(self, support2_report: dict[str, Any]) -> None:
        """Of the 43 other columns: the row number, and the nursing score of days 3-25 for a person to judge."""
        told = {name for s in support2_report["suspects"] for name in s["columns"]}
        assert told - {"death", "d.time", "sfdm2", "slos"} <= {"sno", "avtisst"}
        grave = {n for s in support2_report["suspects"] if s["severity"] != "look" for n in s["columns"]}
        assert grave == {"death", "d.time", "sfdm2", "slos", "sno"}

    def test_score_with_and_without(self, support2_report: dict[str, Any]) -> None:
        score = support2_report["score"]
        assert score["metric"] == "auroc"
        assert score["with"]["value"] > 0.99
        assert score["with"]["low"] > score["without"]["high"]
        assert score["without"]["n"] == 9105
        assert score["without"]["n_events"] == 2360

    def test_the_list_is_sorted_and_counted(self, support2_report: dict[str, Any]) -> None:
        order = [("certain", "likely", "look").index(s["severity"]) for s in support2_report["suspects"]]
        assert order == sorted(order)
        assert support2_report["n_suspects"] == len(order) == sum(support2_report["n_by_severity"].values())
        assert {c["name"] for c in support2_report["checks"]} == set(CHECKS)


def test_heart_disease_at_cleveland_raises_nothing(shared_data: Path) -> None:
    names = [
        "age",
        "sex",
        "cp",
        "trestbps",
        "chol",
        "fbs",
        "restecg",
        "thalach",
        "exang",
        "oldpeak",
        "slope",
        "ca",
        "thal",
        "num",
    ]
    lines = (shared_data / "uci_heart_disease" / "processed.cleveland.data").read_text().splitlines()
    cells = np.array([[float("nan" if v == "?" else v) for v in line.split(",")] for line in lines if line])
    report = audit(
        numeric(dict(zip(names[:-1], cells.T, strict=False))), (cells[:, -1] > 0).astype(int), BINARY
    )
    assert report["suspects"] == []
    assert report["score"]["with"] == report["score"]["without"]
    assert 0.8 < report["score"]["with"]["value"] < 0.95


def test_breast_cancer_has_strong_columns_and_no_leak() -> None:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    columns = dict(zip(data.feature_names, data.data.T, strict=True))
    assert audit(numeric(columns), data.target, BINARY)["suspects"] == []


def test_plain_classes_and_a_plain_quantity_have_no_leak() -> None:
    from sklearn.datasets import load_diabetes, load_iris, load_wine

    for data in (load_iris(), load_wine()):
        columns = dict(zip(data.feature_names, data.data.T, strict=True))
        report = audit(numeric(columns), data.target, Target("kind", "multiclass", ("a", "b", "c")))
        assert report["n_by_severity"]["certain"] == report["n_by_severity"]["likely"] == 0
    diabetes = load_diabetes()
    columns = dict(zip(diabetes.feature_names, diabetes.data.T, strict=True))
    report = audit(numeric(columns), diabetes.target, Target("progression", "continuous"))
    assert report["suspects"] == []
    assert report["score"]["metric"] == "r2"


class TestPlantedLeaks:
    def test_a_level_that_nobody_with_the_event_has(self) -> None:
        columns, y = patients(3000)
        rng = np.random.default_rng(2)
        plan = np.where((y == 0) & (rng.random(len(y)) < 0.5), "discharged home", "ward").astype(object)
        report = audit([*numeric(columns), AuditColumn("plan", "categorical", plan)], y, BINARY)
        assert found(report, "constant-outcome") == {("plan",): "certain"}
        assert "'discharged home'" in report["suspects"][0]["evidence"]

    def test_a_tail(self) -> None:
        columns, y = patients(3000)
        rng = np.random.default_rng(2)
        columns["follow_up"] = rng.integers(1, 400, len(y)) + 60.0 * (y == 0)
        columns["follow_up"][y == 1] = np.minimum(columns["follow_up"][y == 1], 200)
        report = audit(numeric(columns), y, BINARY)
        assert set(found(report, "constant-outcome")) == {("follow_up",)}

    def test_missingness(self) -> None:
        columns, y = patients(3000)
        columns["autopsy"] = np.where(y == 1, 1.5, np.nan)
        report = audit(numeric(columns), y, BINARY)
        assert ("autopsy",) in found(report, "missing-outcome") | found(report, "explains-outcome")

    def test_a_copy_of_the_outcome_is_certain(self) -> None:
        columns, y = patients()
        said = np.where(y == 1, "dead", "alive").astype(object)
        report = audit([*numeric(columns), AuditColumn("status", "categorical", said)], y, BINARY)
        assert found(report, "explains-outcome") == {("status",): "certain"}

    def test_two_dates_that_agree_only_in_the_dead(self) -> None:
        columns, y = patients()
        rng = np.random.default_rng(3)
        discharge = 19_000.0 + rng.integers(0, 300, len(y))
        last_seen = np.where(y == 1, discharge, discharge + rng.integers(1, 300, len(y)))
        dates = [AuditColumn("discharge", "date", discharge), AuditColumn("last_seen", "date", last_seen)]
        report = audit([*numeric(columns), *dates], y, BINARY)
        assert found(report, "column-rule") == {("discharge", "last_seen"): "certain"}

    def test_two_categories_that_agree_only_in_the_dead(self) -> None:
        columns, y = patients()
        rng = np.random.default_rng(4)
        wards = np.array(["a", "b", "c", "d", "e"], dtype=object)
        first = rng.integers(0, 5, len(y))
        last = np.where(y == 1, first, (first + rng.integers(1, 5, len(y))) % 5)
        both = [AuditColumn(n, "categorical", wards[v]) for n, v in (("first", first), ("last", last))]
        report = audit([*numeric(columns), *both], y, BINARY)
        assert found(report, "column-rule") == {("first", "last"): "certain"}

    def test_a_dose_that_is_the_product_of_two_columns(self) -> None:
        columns, _ = patients()
        rng = np.random.default_rng(5)
        columns["tablets"], columns["strength"] = (
            rng.integers(1, 12, 900) * 1.0,
            rng.choice([1.0, 3.0, 5.0], 900),
        )
        dose = 7 * columns["tablets"] * columns["strength"]
        report = audit(numeric(columns), dose, Target("weekly dose", "continuous", unit="mg"))
        assert found(report, "arithmetic-rule") == {("tablets", "strength"): "certain"}

    def test_a_column_that_orders_a_continuous_outcome(self) -> None:
        columns, _ = patients()
        columns["log_dose"] = np.log(columns["weight"])
        dose = columns.pop("weight") * 2
        report = audit(numeric(columns), dose, Target("dose", "continuous"))
        assert found(report, "explains-outcome") == {("log_dose",): "certain"}

    def test_noise_raises_nothing(self) -> None:
        rng = np.random.default_rng(6)
        columns = {f"x{j}": rng.normal(size=2000) for j in range(10)}
        levels = rng.choice(np.array(list("abcdefgh"), dtype=object), 2000)
        y = (rng.random(2000) < 0.1).astype(int)
        report = audit([*numeric(columns), AuditColumn("ward", "categorical", levels)], y, BINARY)
        assert report["suspects"] == []


class TestRolesAndRows:
    def test_what_the_dictionary_records_later_is_certain(self) -> None:
        columns, y = patients()
        given = numeric(columns)
        given[4] = dataclasses.replace(given[4], recorded="after_prediction")
        assert found(audit(given, y, BINARY), "recorded-after") == {("weight",): "certain"}

    def test_identifiers(self) -> None:
        columns, y = patients()
        rng = np.random.default_rng(7)
        columns["row"] = np.arange(len(y)) + 1.0
        columns["patient_nbr"] = rng.integers(10**6, 10**8, len(y)).astype(float)
        columns["cost"] = rng.lognormal(9, 1, len(y))
        report = audit(numeric(columns), y, BINARY)
        assert found(report, "identifier") == {("row",): "likely", ("patient_nbr",): "likely"}

    def test_the_groups_themselves_as_a_column(self) -> None:
        columns, y = patients()
        groups = np.repeat(np.arange(300), 3)
        columns["household"] = (groups * 7 + 100.0) % 1009
        report = audit(numeric(columns), y, BINARY, groups=groups)
        assert found(report, "identifier") == {("household",): "likely"}
        assert "bootstrap over 300 patients" in report["score"]["with"]["interval"]

    def test_dates_after_the_prediction_time(self) -> None:
        columns, y = patients()
        admitted = np.full(len(y), 19_000.0)
        given = [
            AuditColumn("born", "date", admitted - 20_000),
            AuditColumn("seen", "date", admitted + np.arange(len(y)) % 3),
        ]
        report = audit([*numeric(columns), *given], y, BINARY, prediction_time=admitted)
        assert found(report, "calendar-date") == {("seen",): "certain", ("born",): "look"}

    def test_a_patient_on_two_sides(self) -> None:
        columns, y = patients()
        groups = np.repeat(np.arange(300), 3)
        sides = {"train": np.arange(601), "held_out": np.arange(601, 900)}
        report = audit(numeric(columns), y, BINARY, groups=groups, sides=sides)
        (one,) = (s for s in report["suspects"] if s["check"] == "group-on-two-sides")
        assert one["severity"] == "certain"
        assert one["statistic"] == 1
        assert "train and held_out" in one["evidence"]

    @pytest.mark.parametrize(("noise", "severity"), [(0.0, "likely"), (1e-6, "look")])
    def test_the_same_row_on_two_sides(self, noise: float, severity: str) -> None:
        columns, y = patients()
        sides = {"train": np.arange(700), "held_out": np.arange(700, 900)}
        for values in columns.values():
            values[700:712] = values[10:22] * (1 + noise)
        report = audit(numeric(columns), y, BINARY, sides=sides)
        (one,) = (s for s in report["suspects"] if s["check"] == "duplicates")
        assert (one["severity"], one["statistic"]) == (severity, 12)

    def test_repeats_of_one_patient_or_on_one_side_are_no_duplicates(self) -> None:
        columns, y = patients()
        groups = np.arange(900)
        groups[800:812] = groups[10:22]
        for values in columns.values():
            values[800:812] = values[10:22]
            values[50:60] = values[60:70]
        sides = {"train": np.arange(700), "held_out": np.arange(700, 900)}
        report = audit(numeric(columns), y, BINARY, groups=groups, sides=sides)
        assert found(report, "duplicates") == {}

    def test_coarse_columns_repeat_by_chance(self) -> None:
        rng = np.random.default_rng(8)
        columns = {f"yes_no_{j}": rng.integers(0, 2, 400) * 1.0 for j in range(6)}
        report = audit(numeric(columns), rng.integers(0, 2, 400), BINARY)
        assert found(report, "duplicates") == {}


class TestOddTables:
    def test_all_missing_constant_and_few_rows(self) -> None:
        columns, y = patients(40)
        columns["nothing"], columns["constant"] = np.full(40, np.nan), np.ones(40)
        empty = AuditColumn("no_level", "categorical", np.array([None] * 40, dtype=object))
        report = audit([*numeric(columns), empty], y, BINARY)
        assert report["suspects"] == []
        assert report["score"]["with"] is None

    def test_all_missing_among_many_rows(self) -> None:
        columns, y = patients()
        columns["nothing"] = np.full(len(y), np.nan)
        report = audit(numeric(columns), y, BINARY)
        assert report["suspects"] == []
        assert report["score"]["with"]["value"] > 0.6

    def test_every_column_suspect_leaves_no_score_without(self) -> None:
        _, y = patients()
        report = audit([AuditColumn("copy", "numeric", y.astype(float))], y, BINARY)
        assert report["score"]["without"] is None

    def test_no_columns(self) -> None:
        _, y = patients()
        assert audit([], y, BINARY)["suspects"] == []

    def test_lengths_must_agree(self) -> None:
        columns, y = patients()
        with pytest.raises(InputError, match="age has 900 entries, but there are 899 outcomes"):
            audit(numeric(columns), y[:-1], BINARY)

    def test_the_same_table_gives_the_same_report(self) -> None:
        columns, y = patients()
        columns["copy"] = y + np.where(np.arange(len(y)) % 50 == 0, 1.0, 0.0)
        assert audit(numeric(columns), y, BINARY, seed=3) == audit(numeric(columns), y, BINARY, seed=3)
