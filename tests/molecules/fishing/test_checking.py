"""The check of the rankings: it finds what is there to be found, and nothing where labels are shuffled."""

from __future__ import annotations

import numpy as np

from iatros.learners.compounds.packing import pack
from iatros.molecules.fishing.checking import best_ranking, check_ranking, scaffolds_of
from iatros.molecules.fishing.ranking import Ligands


def planted(*, shuffled: bool = False, n_families: int = 25, each: int = 8) -> tuple[Ligands, np.ndarray]:
    """Families of compounds, one target each; target 0 has, besides, one compound of every other family."""
    rng = np.random.default_rng(3)
    cores = rng.random((n_families, 512)) < 0.05
    family = np.repeat(np.arange(n_families), each)
    words = pack((cores[family] | (rng.random((len(family), 512)) < 0.01)).astype(np.uint8))
    acts_on = rng.permutation(family) if shuffled else family
    pairs = sorted({(int(t), row) for row, t in enumerate(acts_on)} | {(0, row) for row in range(0, 200, 10)})
    sizes = np.bincount([t for t, _ in pairs], minlength=n_families)
    ligands = Ligands(words, np.array([row for _, row in pairs]), np.concatenate([[0], np.cumsum(sizes)]))
    return ligands, np.arange(len(family))


def first(check: dict, ranking: str, place: int = 0) -> float:
    return check["rankings"][ranking][place]["value"]


def test_families_are_found_and_popularity_is_not_enough() -> None:
    ligands, scaffolds = planted()
    check = check_ranking(ligands, scaffolds, 0.3, 0)
    assert check is not None
    assert check["n_compounds"] == 200
    for ranking in ("ensemble", "sum"):
        assert first(check, ranking) > 0.95
    # A nearest ligand that acts on target 0 as well names that one first, which is larger.
    assert 0.85 < first(check, "nearest") < 0.95
    assert first(check, "nearest", 1) == 1.0
    assert first(check, "popularity") < 0.2
    assert all(one["low"] <= one["value"] <= one["high"] for one in check["rankings"]["sum"])


def test_shuffled_targets_are_not_found() -> None:
    ligands, scaffolds = planted(shuffled=True)
    check = check_ranking(ligands, scaffolds, 0.3, 0)
    assert check is not None
    assert first(check, "nearest") < 0.25


def test_what_shares_a_scaffold_is_not_learned_from() -> None:
    ligands, _ = planted()
    check = check_ranking(ligands, np.arange(200) // 8, 0.3, 0)  # a scaffold is a whole family
    # Only target 0 is left to be found, by the compounds that act on it and are of another family.
    assert check is not None
    assert check["n_compounds"] < 40


def test_too_few_scaffolds_give_no_check() -> None:
    ligands, _ = planted()
    assert check_ranking(ligands, np.arange(200) % 9, 0.3, 0) is None


def test_the_ranking_that_finds_most_is_chosen() -> None:
    def shares(*values: float) -> list[dict]:
        return [{"value": value} for value in values]

    check = {
        "rankings": {
            "ensemble": shares(0.9, 0.9, 0.9),
            "sum": shares(0.5, 0.8, 0.95),
            "nearest": shares(0.4, 0.85, 0.95),
            "popularity": shares(1.0, 1.0, 1.0),
        }
    }
    assert best_ranking(check) == "nearest"
    assert best_ranking(None) == "ensemble"


def test_scaffolds_are_rings_with_their_linkers() -> None:
    assert scaffolds_of(None, ["CC(=O)Oc1ccccc1C(=O)O", "C[C@H](c1ccccc1)N1CCCC1", "CCO"]) == [
        "c1ccccc1",
        "c1ccc(CN2CCCC2)cc1",
        "CCO",
    ]
