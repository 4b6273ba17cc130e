"""Checking an objective on the compounds a search begins with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iatros.core.errors import InputError
from iatros.molecules.objectives.checking import check, check_scored
from iatros.molecules.objectives.reading import load_objective

SMILES = ["CCO", "CCN", "c1ccccc1", "CCCCC", "OCCN", "Clc1ccccc1", "CC(C)=O", "C1CCNCC1"]
WEIGHT = {"property": "molecular_weight", "transform": {"kind": "linear", "low": 0, "high": 200}}


def checked(*parts: dict[str, Any], combine: str = "geometric", smiles: list[str] = SMILES) -> Any:
    return check(load_objective({"combine": combine, "parts": list(parts)}), smiles)


def test_an_objective_that_can_be_climbed_has_no_problems() -> None:
    found = checked(WEIGHT)
    assert found.problems == ()
    (weight,) = found.ranges
    assert weight.values == (pytest.approx(45.08, abs=0.01), pytest.approx(112.56, abs=0.01))
    assert weight.said() == "molecular_weight 45.08 to 112.6 g/mol, after the transform 0.225 to 0.563"
    assert (found.n, found.n_above_zero) == (8, 8)
    found.refuse()
    json.dumps(found.document())


def test_always_0_is_said_with_the_range_of_each_part() -> None:
    heavy = {"property": "molecular_weight", "transform": {"kind": "linear", "low": 400, "high": 500}}
    found = checked({"property": "qed"}, heavy)
    with pytest.raises(InputError) as error:
        found.refuse()
    for said in (
        "the score of every compound is 0; the part that is 0 most often (8): molecular_weight",
        "on 8 compounds: qed 0.3",
        "molecular_weight 45.08 to 112.6 g/mol, after the transform 0 to 0",
    ):
        assert said in str(error.value)
    assert found.notes == ("molecular_weight is 0 for every compound, so it tells none from another",)


def test_always_the_same_is_said() -> None:
    found = checked({"property": "charge", "transform": {"kind": "gaussian", "mean": 0, "spread": 1}})
    assert found.problems == ("the score of every compound is the same, 1",)
    one = checked({"property": "qed"}, smiles=["CCO", "CCO"])
    assert one.problems == ()


def test_constraints_that_exclude_each_other_are_named_in_pairs() -> None:
    """By hand: three compounds have nitrogen, one has chlorine, and none has both."""
    found = checked(
        {"property": "qed"}, {"require": "[#7]"}, {"require": "[Cl]"}, {"elements": ["C", "N", "O", "Cl"]}
    )
    (problem,) = found.problems
    assert problem == (
        "no one of 8 compounds meets all constraints; these exclude each other: "
        "has [#7] (met by 3) and has [Cl] (met by 1)"
    )


def test_constraints_that_nothing_meets_are_named() -> None:
    found = checked({"property": "qed"}, {"require": "[#9]"}, {"forbid": "[#9]"})
    assert found.problems == ("no one of 8 compounds meets the constraint: has [#9]",)


def test_three_constraints_that_only_together_exclude_all() -> None:
    """C, N: ethylamine; C, O: ethanol; N, O: aminoethanol without a CH3; no compound has all three of them."""
    parts = [{"require": "[#7]"}, {"require": "[#8]"}, {"require": "[CH3]"}]
    found = checked({"property": "qed"}, *parts, smiles=["CCO", "CCN", "OCCN"])
    assert found.problems == ("no one of 3 compounds meets all constraints",)


def test_what_is_rare_or_unknown_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    from iatros.molecules.objectives.properties import PROPERTIES

    monkeypatch.setitem(
        PROPERTIES,
        "qed",
        PROPERTIES["qed"]._replace(calculate=lambda mol: float("nan") if mol.GetNumAtoms() == 3 else 0.5),
    )
    many = ["C" * n for n in range(1, 203)] + ["CCCl"]
    found = checked({"property": "qed"}, WEIGHT, {"forbid": "[Cl]"}, smiles=many)
    assert found.notes == (
        "qed is 0.5 for every compound, so it tells none from another",
        "qed has no value for 2 of 203 compounds, which score 0",
    )
    rare = checked(WEIGHT, {"require": "[Cl]"}, smiles=[*many, "CCCCl"])
    assert rare.notes == ("few compounds meet: has [Cl] (1.0%)",)


def test_what_cannot_be_read_is_unknown() -> None:
    found = checked(WEIGHT, {"forbid": "[Cl]"}, smiles=["CCO", "C1CC", "CCCC"])
    assert [one.n_unknown for one in found.ranges] == [1, 1]
    assert found.problems == ()


def test_there_must_be_compounds() -> None:
    with pytest.raises(InputError, match="there are none"):
        check_scored(load_objective({"parts": [{"property": "qed"}]}), [])
