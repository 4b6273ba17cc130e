"""Compounds that were drawn in different ways: shares that are known, and ClinTox."""

from __future__ import annotations

import pytest
from scipy.stats import fisher_exact

from iatros.molecules.cohort import Reading, open_cohort
from iatros.molecules.drawn_apart import drawn_apart


def rows_of(n: int, salts: range, y: range) -> list[dict[str, object]]:
    """`n` acids, those at the places `salts` drawn as their anions, and 1 measured of those at `y`."""
    return [
        {"smiles": f"{'C' * (place + 1)}C(=O){'[O-]' if place in salts else 'O'}", "y": int(place in y)}
        for place in range(n)
    ]


def test_a_class_that_is_drawn_as_salts_is_named_with_both_shares():
    cohort = open_cohort(rows_of(60, range(20), range(10, 40)), Reading(outcomes=("y",)))
    assert drawn_apart(cohort) == []
    (found,) = drawn_apart(open_cohort(rows_of(60, range(25), range(30)), Reading(outcomes=("y",))))
    assert (found["endpoint"], found["change"]) == ("y", "neutralised")
    assert found["low"] == {"label": "0", "n": 30, "share": 0.0}
    assert found["high"] == {"label": "1", "n": 30, "share": 25 / 30}
    assert found["p_value"] == fisher_exact([[0, 30], [25, 5]]).pvalue


def test_values_are_cut_at_their_median_and_bounds_are_left_out():
    rows = [{**row, "y": place / 10} for place, row in enumerate(rows_of(61, range(20), range(0)))]
    rows[60] |= {"y": ">99"}
    (found,) = drawn_apart(open_cohort(rows, Reading(outcomes=("y",), task="continuous")))
    assert (found["low"]["label"], found["high"]["label"]) == ("up to 2.95", "above 2.95")
    assert (found["low"]["n"], found["high"]["n"]) == (30, 30)
    assert (found["low"]["share"], found["high"]["share"]) == (20 / 30, 0.0)


def test_the_compounds_that_are_taken_keep_their_changes():
    cohort = open_cohort(rows_of(60, range(25), range(30)), Reading(outcomes=("y",)))
    assert cohort.take(cohort.lines[:3] - cohort.lines[0]).changes == ({"neutralised"},) * 3
    assert drawn_apart(cohort.take(cohort.lines[30:] - cohort.lines[0])) == []


@pytest.mark.parametrize("file", ["BBBP.csv", "bace.csv"])
def test_most_sets_are_drawn_alike(shared_data, file):
    column = {"BBBP.csv": "BBBP", "bace.csv": "Class"}[file]
    cohort = open_cohort(shared_data / "moleculenet" / file, Reading(outcomes=(column,)))
    assert drawn_apart(cohort) == []


def test_clintox_tells_its_classes_by_the_drawing(shared_data):
    reading = Reading(outcomes=("CT_TOX",), smiles="smiles")
    found = drawn_apart(open_cohort(shared_data / "moleculenet" / "clintox.csv", reading))
    (charged,) = [one for one in found if one["change"] == "neutralised"]
    assert charged["low"]["share"] > 0.4
    assert charged["high"]["share"] < 0.1
    assert charged["p_value"] < 1e-6
