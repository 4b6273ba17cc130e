"""The tasks of GuacaMol and PMO give the scores of their authors' packages, and lists and searches are judged alike.

`published_scores.json` holds what guacamol 0.5.5 (suite v2) and the oracle functions of PyTDC 1.1.15 say of 38
compounds, run once on RDKit 2026.3.6. guacamol ran with `scipy.histogram` put back; PyTDC with `rdkit.six` and
`pkg_resources` put back, without its data loaders, and each oracle in a process of its own: `deco_hop` and
`scaffold_hop` share a global variable, so that after one of them the other gives different scores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError, UnknownNameError
from iatros.molecules.objectives.guacamol import guacamol, guacamol_score, targets, top_counts
from iatros.molecules.objectives.molecule import molecules
from iatros.molecules.objectives.objective import Scored
from iatros.molecules.objectives.pmo import pmo, pmo_auc
from iatros.molecules.objectives.reading import as_yaml, load_objective

PUBLISHED = json.loads((Path(__file__).parent / "published_scores.json").read_text())


@pytest.mark.parametrize("suite", ["guacamol", "pmo"])
def test_scores_are_those_of_the_published_packages(suite: str) -> None:
    objectives = {"guacamol": guacamol, "pmo": pmo}[suite]()
    assert list(objectives) == list(PUBLISHED[suite])
    read = molecules(PUBLISHED["smiles"])
    for name, expected in PUBLISHED[suite].items():
        scores = [one.score for one in objectives[name].score_molecules(read)]
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9, err_msg=name)
        assert max(expected) > 0.2, name


def test_the_tasks_can_be_written_as_yaml_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    some = PUBLISHED["smiles"][:3]
    for name, made in {**guacamol(), **pmo()}.items():
        path.write_text(as_yaml(made))
        again = load_objective(path)
        assert again.name == name
        assert again.score(some) == made.score(some)


def test_what_a_task_is_about_is_known() -> None:
    about = {name: len(targets(task)) for name, task in guacamol().items()}
    assert (
        about["median-molecules-2"]
        == about["valsartan-smarts"]
        == len(targets(pmo()["valsartan_smarts"]))
        == 2
    )
    assert about["osimertinib-mpo"] == about["celecoxib-rediscovery"] == about["deco-hop"] == 1
    assert about["isomers-c11h24"] == 0


def scored(scores: dict[str, float]) -> list[Scored]:
    return [Scored(smiles, score, {}, {}, "") for smiles, score in scores.items()]


def test_a_list_is_judged_by_its_best() -> None:
    """By hand: celecoxib is found, so the one best counts; of isomers the mean is over 159, the missing are 0."""
    celecoxib = "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1"
    assert guacamol_score("celecoxib-rediscovery", scored({celecoxib: 1.0, "CCO": 0.1})) == 1.0
    undecanes = scored({"CCCCCCCCCCC": 1.0, "CCCCCCCCC(C)C": 1.0, "CCC(C)C(C)CC(C)(C)C": 1.0})
    assert guacamol_score("isomers-c11h24", undecanes) == pytest.approx(3 / 159)
    albuterol = scored({"CC(C)(C)NCC(O)c1ccc(O)c(CO)c1": 1.0})
    assert guacamol_score("albuterol-similarity", albuterol) == pytest.approx((1 + 1 / 10 + 1 / 100) / 3)
    assert guacamol_score("deco-hop", []) == 0.0


def test_mirror_images_count_once() -> None:
    both = scored({"CCCC[C@H](C)CCCCC": 1.0, "CCCC[C@@H](C)CCCCC": 1.0})
    assert guacamol_score("isomers-c11h24", both) == pytest.approx(1 / 159)


def test_stereochemistry_is_not_what_a_list_is_judged_by() -> None:
    """The score of the compound without it counts, as in the benchmark; atom pairs do not see it."""
    mestranol = "C#C[C@]1(O)CC[C@H]2[C@@H]3CCc4cc(OC)ccc4[C@H]3CC[C@@]21C"
    assert guacamol_score("mestranol-similarity", scored({mestranol: 0.5})) == pytest.approx(1.11 / 3)


def test_how_many_count() -> None:
    assert top_counts("valsartan-smarts") == (1, 10, 100)
    assert top_counts("isomers-c9h10n2o2pf2cl") == (250,)
    with pytest.raises(UnknownNameError, match="celecoxib-rediscovery"):
        top_counts("celecoxib-rediscoveri")


def area_of_the_benchmark(history: list[float], calls: int, every: int, top: int) -> float:
    """The rule of mol_opt's own `top_auc` with `finish`, written out: trapezoids, the last mean carried on."""
    total = before = 0.0
    called = 0
    best = lambda part: float(np.mean(sorted(part, reverse=True)[:top]))  # noqa: E731
    for end in range(every, min(len(history), calls), every):
        total += every * (best(history[:end]) + before) / 2
        before, called = best(history[:end]), end
    total += (len(history) - called) * (best(history) + before) / 2
    total += max(0, calls - len(history)) * best(history)
    return total / calls


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(1, 12),
    st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_the_area_is_that_of_the_benchmark(history: list[float], every: int, top: int, left: int) -> None:
    calls = len(history) + left
    expected = area_of_the_benchmark(history, calls, every, top)
    assert pmo_auc(history, calls=calls, every=every, top=top) == pytest.approx(expected, abs=1e-12)


def test_the_area_by_hand() -> None:
    """Of 4 calls, every 2, the best 1: after 2 calls .4, after 3 .8, then carried on."""
    expected = (2 * (0 + 0.4) / 2 + 1 * (0.4 + 0.8) / 2 + 1 * 0.8) / 4
    assert pmo_auc([0.4, 0.2, 0.8], calls=4, every=2, top=1) == pytest.approx(expected)
    assert pmo_auc([]) == 0.0
    late = pmo_auc([0.0] * 9_000 + [1.0] * 1_000)
    early = pmo_auc([1.0] * 10 + [0.0] * 9_990)
    assert 0.09 < late < 0.1
    assert early == pytest.approx(0.995)
    assert pmo_auc([0.0] * 10_000 + [1.0]) == 0.0


@pytest.mark.parametrize(
    ("history", "fields"), [([float("nan")], {}), ([0.1], {"every": 0}), ([[0.1], [0.2]], {})]
)
def test_what_is_no_history(history: Any, fields: dict[str, int]) -> None:
    with pytest.raises(InputError):
        pmo_auc(history, **fields)
