"""Which rows can be used, what becomes of the others, and what may be learned from."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.errors import OutcomeError, RequestError, TableError, UnknownNameError
from iatros.treatment.dosing.schema import Columns
from iatros.treatment.dosing.sources import read_doses


def test_dates_identifiers_and_roles_are_not_learned_from(patients: pl.DataFrame) -> None:
    read = read_doses(patients, Columns("dose", subgroup=("race",)))
    assert read.doses.features.schema.names == ["age", "weight", "gene", "race"]
    assert set(read.doses.subgroups["race"]) == {"white", "asian", "black"}
    assert read.account.other_columns == ("dose", "patient_id", "seen")
    assert any("seen holds dates" in note for note in read.account.notes)
    chosen = read_doses(patients, Columns("dose", site="race", features=("age", "gene", "seen")))
    assert chosen.doses.features.schema.names == ["age", "gene"]
    left = read_doses(patients, Columns("dose", exclude=("gene",), site="race"))
    assert left.doses.features.schema.names == ["age", "weight"]


def test_doses_of_zero_or_below_are_refused_with_their_lines(patients: pl.DataFrame, tmp_path) -> None:  # type: ignore[no-untyped-def]
    doses = patients["dose"].to_list()
    doses[3], doses[10], doses[20] = -4.0, 0.0, None
    path = tmp_path / "patients.csv"
    patients.with_columns(pl.Series("dose", doses)).write_csv(path)
    read = read_doses(path, Columns("dose"))
    found = {(one.row, one.reason) for one in read.account.refused}
    assert found == {(5, "the dose is negative"), (12, "the dose is zero")}  # line 1 is the header
    document = read.account.document()
    assert document["n_read"] == 220
    assert document["n_without_dose"] == 1
    assert document["n_used"] == len(read.doses) == 217
    assert any("row 5" in note for note in read.account.notes)
    assert "-4" not in str(document)


def test_units_are_converted_or_refused(patients: pl.DataFrame) -> None:
    units = ["mg/week"] * 220
    units[0], units[1], units[2], units[4] = "mg/day", "ug/day", "IU/day", None  # type: ignore[call-overload]
    table = patients.with_columns(pl.Series("unit", units))
    read = read_doses(table, Columns("dose", unit_column="unit"))
    given = patients["dose"].to_numpy()
    np.testing.assert_allclose(read.doses.y[:3], [given[0] * 7, given[1] * 0.007, given[3]], rtol=1e-12)
    assert [one.row for one in read.account.refused] == [2, 4]
    assert "unit" not in read.doses.features.schema.names
    assert any("multiplied by 7" in note for note in read.account.notes)
    daily = read_doses(table, Columns("dose", unit="mg/day", unit_column="unit"))
    np.testing.assert_allclose(daily.doses.y, read.doses.y / 7, rtol=1e-11)


def test_what_cannot_be_learned_from_is_an_error(patients: pl.DataFrame) -> None:
    with pytest.raises(OutcomeError, match="all doses are the same"):
        read_doses(patients.with_columns(pl.lit(35.0).alias("dose")), Columns("dose"))
    with pytest.raises(OutcomeError, match="at least 30"):
        read_doses(patients.head(29), Columns("dose"))
    with pytest.raises(OutcomeError, match=r"no row has a dose.*220 rows: the dose is negative"):
        read_doses(patients.with_columns(-pl.col("dose")), Columns("dose"))
    with pytest.raises(TableError, match="no column is left"):
        read_doses(patients.select("patient_id", "dose"), Columns("dose"))
    with pytest.raises(TableError, match=r"not a number.*unit_column"):
        read_doses(
            patients.with_columns(pl.format("{} mg", pl.col("dose").round(1)).alias("dose")), Columns("dose")
        )
    with pytest.raises(TableError, match="holds dates"):
        read_doses(patients, Columns("seen"))


def test_wrong_names_and_roles_are_errors(patients: pl.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="did you mean dose"):
        read_doses(patients, Columns("does"))
    with pytest.raises(RequestError, match="must be different"):
        read_doses(patients, Columns("dose", subject="race", site="race"))
    with pytest.raises(RequestError, match="another role"):
        read_doses(patients, Columns("dose", features=("age", "dose")))
    with pytest.raises(RequestError, match="not known"):
        read_doses(patients, Columns("dose", unit="pills"))


def test_rows_of_one_patient_belong_together(patients: pl.DataFrame) -> None:
    twice = pl.concat([patients, patients.head(7)])
    read = read_doses(twice, Columns("dose", subject="patient_id"))
    assert len(np.unique(read.doses.groups)) == 220
    np.testing.assert_array_equal(read.doses.groups[220:], read.doses.groups[:7])
    some = read.doses.take([5, 2])
    np.testing.assert_array_equal(some.y, read.doses.y[[5, 2]])
    assert some.features.frame["age"].to_list() == [patients["age"][5], patients["age"][2]]
