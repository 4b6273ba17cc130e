"""Splits of compounds: by hand, by property, and on real data."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import SplitError, UnknownNameError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.cohort import Cohort
from iatros.molecules.splitting.splits import (
    SPLITS,
    grouped_folds,
    scaffold_balanced,
    scaffold_deterministic,
    split,
)

RINGS = (
    "C1CC1",
    "C1CCC1",
    "C1CCCC1",
    "C1CCCCC1",
    "c1ccccc1",
    "c1ccncc1",
    "c1ccoc1",
    "c1ccsc1",
    "C1CCNCC1",
    "C1COC1",
)


def cohort_of(smiles, *, y=None, times=None, sides=None, classes=()):
    n = len(smiles)
    y = np.arange(n, dtype=float)[:, None] if y is None else np.asarray(y, dtype=float)[:, None]
    return Cohort(
        Compounds(smiles),
        tuple(f"c{row}" for row in range(n)),
        tuple(f"KEY{row:011d}-UHFFFAOYSA-N" for row in range(n)),
        np.arange(2, n + 2),
        y,
        np.zeros((n, 1), dtype=np.int8),
        np.full((n, 1), np.nan),
        (Target("y", "binary" if classes else "continuous", classes),),
        None if times is None else np.asarray(times),
        None if sides is None else np.asarray(sides, dtype=object),
    )


@pytest.fixture(scope="module")
def rings() -> Cohort:
    """120 compounds of 10 scaffolds, 12 to a scaffold, and 7 chains."""
    return cohort_of(
        ["C" * k + ring for ring in RINGS for k in range(1, 13)] + ["C" * k for k in range(2, 9)]
    )


def test_scaffold_sets_fill_train_then_tuning_then_test_as_deepchem_does():
    """Worked out by hand from the published algorithm.

    Ten compounds, so training takes 8 and training and tuning together 9. Sets by falling size, of equal ones the
    later first: benzene {0, 2, 4, 7}, chains {1, 5, 8}, cyclohexane {6, 9}, pyridine {3}. Benzene makes 4 and the
    chains 7. Cyclohexane would make 9 > 8 in training and 9 <= 9 with tuning: tuning. Pyridine makes 8: training.
    """
    smiles = ["Cc1ccccc1", "CCO", "Oc1ccccc1", "Cc1ccncc1", "Nc1ccccc1"]
    smiles += ["CCN", "CC1CCCCC1", "Clc1ccccc1", "CCC", "OC1CCCCC1"]
    train, tuning, test = scaffold_deterministic(smiles)
    assert train.tolist() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert tuning.tolist() == [6, 9]
    assert test.tolist() == []


def test_of_two_scaffolds_as_frequent_the_later_one_is_learned_from():
    """By hand: 5 compounds at a fifth, so training takes 3 and tuning up to 4.

    Pairs {1, 3} and {0, 2}, then {4}: the pair that begins later fills training, the other would make 4 > 3 there and
    4 <= 4 with tuning, and the single one makes 3 in training.
    """
    smiles = ["CC1CC1", "CC1CCC1", "OC1CC1", "OC1CCC1", "Cc1ccccc1"]
    assert [rows.tolist() for rows in scaffold_deterministic(smiles, 0.2)] == [[1, 3, 4], [0, 2], []]


@pytest.mark.parametrize(
    ("name", "n", "sizes"),
    [("BBBP.csv", 2039, (1631, 204, 204)), ("delaney-processed.csv", 1128, (902, 113, 113))],
)
def test_published_sets_divide_as_deepchem_divides_them(shared_data, name, n, sizes):
    """80/10/10 to the compound: the last scaffolds have one compound each, which fill every side to its end."""
    from rdkit import Chem, rdBase

    with (shared_data / "moleculenet" / name).open() as file, rdBase.BlockLogs():
        smiles = [row["smiles"].strip() for row in csv.DictReader(file)]
        smiles = [one for one in smiles if Chem.MolFromSmiles(one) is not None]
    assert len(smiles) == n
    sides = scaffold_deterministic(smiles)
    assert tuple(map(len, sides)) == sizes
    assert np.array_equal(np.sort(np.concatenate(sides)), np.arange(n))


def test_deterministic_develops_on_train_and_tuning_and_says_so(rings):
    found = split(rings, "scaffold-deterministic")
    (part,) = found
    assert set(found.valid.tolist()) <= set(part.development.tolist())
    assert np.array_equal(np.sort(np.concatenate([part.development, part.test])), np.arange(len(rings)))
    assert "to train" in found.notes[0]
    assert np.array_equal(part.test, split(rings, "scaffold-deterministic", seed=5).parts[0].test)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=12, max_size=60),
    fraction=st.floats(0.1, 0.5),
    seed=st.integers(0, 1000),
)
def test_no_group_stands_on_both_sides_and_the_share_is_near(sizes, fraction, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    development, test = scaffold_balanced(groups, fraction=fraction, seed=seed)
    assert not set(groups[development].tolist()) & set(groups[test].tolist())
    assert np.array_equal(np.sort(np.concatenate([development, test])), np.arange(len(groups)))
    assert abs(len(test) - fraction * len(groups)) <= max(sizes)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=6, max_size=40),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_hold_each_row_out_once_and_cut_no_group(sizes, n_folds, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = grouped_folds(groups, n_folds, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([part.test for part in parts])), np.arange(len(groups)))
    for part in parts:
        assert not set(groups[part.development].tolist()) & set(groups[part.test].tolist())


@pytest.mark.parametrize("how", ["random", "scaffold", "cluster"])
def test_a_seed_gives_one_answer_and_another_seed_another(rings, how):
    first, again, other = (split(rings, how, seed=seed).parts[0].test for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert abs(len(first) / len(rings) - 0.2) < 0.1


def test_scaffolds_are_kept_whole_and_chains_are_not_one_of_them(rings):
    found = split(rings, "scaffold", folds=5, seed=3)
    assert len(found) == 5
    assert len(np.unique(found.groups)) == len(RINGS) + 7
    for part in found:
        assert not set(found.groups[part.development].tolist()) & set(found.groups[part.test].tolist())


def test_both_sides_have_both_classes():
    smiles = ["C" * k + ring for ring in RINGS for k in range(1, 5)]
    y = np.zeros(len(smiles))
    y[[3, 17, 30]] = 1.0
    for seed in range(5):
        cohort = cohort_of(smiles, y=y, classes=("0", "1"))
        (part,) = split(cohort, "scaffold", seed=seed, fraction=0.3)
        assert 0 < y[part.test].sum() < 3


def test_a_class_that_cannot_be_on_both_sides_is_refused_in_words_about_compounds():
    y = np.zeros(len(RINGS))
    y[0] = 1.0
    cohort = cohort_of(["C" + ring for ring in RINGS], y=y, classes=("0", "1"))
    with pytest.raises(SplitError, match="group of compounds of class 1 is on the") as caught:
        split(cohort, "scaffold")
    assert "patient" not in str(caught.value)


def test_the_latest_compounds_are_held_out():
    times = np.array([2001, 2009, 2002, 2008, 2003, 2004, 2005, 2006, 2007, 2000])
    found = split(cohort_of([f"{'C' * k}O" for k in range(1, 11)], times=times.astype(float)), "time")
    (part,) = found
    assert part.test.tolist() == [1, 3]
    assert found.notes == ("time: compounds first seen from 2008 on are held out",)


def test_the_sides_of_the_file_are_taken():
    sides = ["Train", "Valid", "test", "TEST", "train"]
    found = split(cohort_of(["C", "CC", "CCC", "CCCC", "CCCCC"], sides=sides), "given")
    (part,) = found
    assert (part.development.tolist(), part.test.tolist(), found.valid.tolist()) == ([0, 1, 4], [2, 3], [1])


def test_the_folds_of_the_file_are_taken_in_the_order_of_their_numbers():
    found = split(cohort_of(["C", "CC", "CCC", "CCCC"], sides=["10", "2", "2", "0"]), "given", folds=3)
    assert [part.name for part in found] == ["fold 0", "fold 2", "fold 10"]
    assert [part.test.tolist() for part in found] == [[3], [1, 2], [0]]


@pytest.mark.parametrize(
    ("sides", "folds", "said"),
    [
        (["train", "", "test"], None, "1 of 3 compounds have no side"),
        (["train", "train", "train"], None, "no compound is on the test side"),
        (["test", "test", "valid"], None, "no compound is on the train side"),
        (["train", "blue", "test"], None, "the side 'blue'; known are train, valid and test"),
        (["1", "1", "1"], None, "names 1 fold, at least 2"),
        (["1", "2", "3"], 5, "names 3 folds, 5 were asked for"),
        (["train", "test", "test"], 5, "names sides, not folds"),
    ],
)
def test_sides_that_cannot_be_used_are_refused(sides, folds, said):
    with pytest.raises(SplitError, match=said):
        split(cohort_of(["C", "CC", "CCC"], sides=sides), "given", folds=folds)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"how": "time"}, "needs a time for each compound"),
        ({"how": "given"}, "needs a side for each compound"),
        ({"how": "scaffold-deterministic", "folds": 5}, "holds one side out"),
        ({"how": "scaffold-deterministic", "fraction": 0.5}, "twice, to tune and to test"),
        ({"how": "random", "fraction": 1.5}, "between 0 and 1"),
        ({"how": "random", "folds": 20}, "3 groups of compounds cannot fill 20 folds"),
    ],
)
def test_what_cannot_be_split_is_refused(fields, said):
    with pytest.raises(SplitError, match=said):
        split(cohort_of(["C", "CC", "CCC"]), **fields)


def test_one_scaffold_alone_cannot_be_divided():
    with pytest.raises(SplitError, match="1 group cannot be divided"):
        split(cohort_of(["Cc1ccccc1", "CCc1ccccc1"]), "scaffold")


def test_a_time_that_is_missing_is_counted():
    with pytest.raises(SplitError, match="1 of 3 rows have no time"):
        split(cohort_of(["C", "CC", "CCC"], times=[2001.0, np.nan, 2003.0]), "time")


def test_a_split_that_is_not_known_is_refused():
    with pytest.raises(UnknownNameError, match="scaffold"):
        split(cohort_of(["C", "CC"]), "scafold")
    assert "scaffold" in SPLITS


def test_inner_folds_keep_scaffolds_together_where_the_files_own_sides_do() -> None:
    benzenes, pyridines = ["c1ccccc1C", "c1ccccc1CC"], ["c1ccncc1C", "c1ccncc1CC"]
    apart = split(cohort_of(benzenes + pyridines, sides=["train", "train", "test", "test"]), "given")
    mixed = split(cohort_of(benzenes + pyridines, sides=["train", "test", "train", "test"]), "given")
    assert apart.groups[0] == apart.groups[1] != apart.groups[2] == apart.groups[3]
    assert any("share no scaffold" in note for note in apart.notes)
    assert len(np.unique(mixed.groups)) == 4
    assert not any("share no scaffold" in note for note in mixed.notes)
