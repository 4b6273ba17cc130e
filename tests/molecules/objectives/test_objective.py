"""Joining parts to a score: means by hand, constraints, no values, and the same answer in any batch."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.progress import SilentProgress
from iatros.engines.processes import ProcessEngine
from iatros.molecules.objectives.guacamol import guacamol
from iatros.molecules.objectives.objective import Objective, Scored
from iatros.molecules.objectives.properties import PROPERTIES
from iatros.molecules.objectives.reading import load_objective

SMILES = [
    "CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CN1CCC[C@H]1c1cccnc1", "C", "FC(F)(F)c1ccccc1", "CCCCCCCCCCC",
    "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1", "O=C1C=CC(=O)C=C1", "C[N+](C)(C)CCO",
]  # fmt: skip
PARTS: list[dict[str, Any]] = [
    {"property": "heavy_atoms", "transform": {"kind": "linear", "low": 0, "high": 10}, "weight": 2},
    {"property": "fluorines", "transform": {"kind": "linear", "low": 6, "high": 0}},
]


def objective(parts: list[dict[str, Any]] = PARTS, combine: str = "geometric") -> Objective:
    return load_objective({"combine": combine, "parts": parts})


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("geometric", (1.0**2 * 0.5) ** (1 / 3)),
        ("arithmetic", (2 * 1.0 + 0.5) / 3),
        ("product", 1.0**2 * 0.5),
    ],
)
def test_means_by_hand(combine: str, expected: float) -> None:
    """Trifluorotoluene: 10 heavy atoms give 1, 3 fluorines give a half."""
    (one,) = objective(combine=combine).score(["FC(F)(F)c1ccccc1"])
    assert one.score == pytest.approx(expected)
    assert one.parts == {"heavy_atoms": 1.0, "fluorines": 0.5}
    assert one.values == {"heavy_atoms": 10.0, "fluorines": 3.0}
    assert (one.smiles, one.reason) == ("FC(F)(F)c1ccccc1", "")


def test_one_part_at_0_makes_all_0_but_in_the_arithmetic_mean() -> None:
    parts = [PARTS[0], {"require": "[#9]", "hard": False}]
    for combine, expected in (("geometric", 0.0), ("product", 0.0), ("arithmetic", 2 * 0.3 / 3)):
        (one,) = objective(parts, combine).score(["CCO"])
        assert one.score == pytest.approx(expected)
        assert not one.reason


def test_a_constraint_is_no_part_of_the_mean() -> None:
    with_one = objective([*PARTS, {"require": "[#8]"}])
    without = objective().score(["CCO", "CCN"])
    met, unmet = with_one.score(["CCO", "CCN"])
    assert met.score == without[0].score
    assert (unmet.score, unmet.reason) == (0.0, "constraint not met: has [#8]")
    assert unmet.parts["heavy_atoms"] == without[1].parts["heavy_atoms"]


def test_what_has_no_value_scores_0_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_benzene(mol: Any) -> float:
        return math.nan if mol.GetNumAtoms() == 6 else 1.0

    def broken(mol: Any) -> float:
        if mol.GetNumAtoms() == 6:
            raise ValueError("no parameters")
        return math.inf if mol.GetNumAtoms() == 1 else 1.0

    monkeypatch.setitem(PROPERTIES, "qed", PROPERTIES["qed"]._replace(calculate=no_benzene))
    monkeypatch.setitem(PROPERTIES, "logp", PROPERTIES["logp"]._replace(calculate=broken))
    parts = [{"property": "qed"}, {"property": "logp", "transform": {"kind": "identity"}}]
    for combine in ("geometric", "arithmetic", "product"):
        fine, benzene, methane = objective(parts, combine).score(["CCO", "c1ccccc1", "C"])
        assert (fine.score, fine.reason) == (1.0, "")
        assert (benzene.score, benzene.reason) == (0.0, "qed has no value; logp has no value")
        assert (methane.score, methane.reason) == (0.0, "logp has no value")
        assert math.isnan(benzene.values["qed"])
        assert benzene.parts == {"qed": 0.0, "logp": 0.0}


def test_no_compounds_have_no_scores() -> None:
    every = [*PARTS, {"similar_to": "CCO"}, {"formula": "CH4"}, {"alerts": "pains"}, {"ring_sizes": 6}]
    assert objective(every).score([]) == []


def test_what_is_no_molecule_scores_0_and_ends_nothing() -> None:
    fine = objective().score(["CCO", "CCN"])
    for wrong in ("C1CC", "", "not a molecule", "CC(C)(C)(C)C"):
        first, second, third = objective().score(["CCO", wrong, "CCN"])
        assert [first, third] == fine
        assert (second.smiles, second.score, second.reason) == (wrong, 0.0, "not a valid SMILES")
        assert second.parts == {"heavy_atoms": 0.0, "fluorines": 0.0}
        assert math.isnan(second.values["fluorines"])


@given(
    st.lists(st.sampled_from(SMILES), min_size=1, max_size=8), st.sampled_from(["geometric", "arithmetic"])
)
@settings(max_examples=25, deadline=None)
def test_a_compound_scores_the_same_in_any_company(smiles: list[str], combine: str) -> None:
    parts = [
        *PARTS,
        {"property": "qed", "weight": 0.3},
        {"property": "logp", "transform": {"kind": "double-sigmoid", "low": 0, "high": 3, "width": 1}},
        {"similar_to": SMILES[:3], "transform": {"kind": "sigmoid", "low": 0.1, "high": 0.6}},
        {"formula": "C7H8N2O2"},
    ]
    made = objective(parts, combine)
    together = made.score(smiles)
    assert together == [one for text in smiles for one in made.score([text])]
    assert [one.smiles for one in together] == smiles
    assert all(0.0 <= one.score <= 1.0 for one in together)


def score_with(made: Objective, smiles: list[str]) -> list[Scored]:
    return made.score(smiles)


def test_workers_say_the_same() -> None:
    task = guacamol()["osimertinib-mpo"]
    assert pickle.loads(pickle.dumps(task)) == task
    engine = ProcessEngine(2)
    try:
        halves = engine.map(
            score_with, [SMILES[:4], SMILES[4:]], task, progress=SilentProgress(), label="scoring"
        )
    finally:
        engine.close()
    assert [one for half in halves for one in half] == task.score(SMILES)
