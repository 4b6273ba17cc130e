import numpy as np
import pytest

from iatros.core.errors import SplitError
from iatros.molecules.affinity.splits import cut, target_groups

KINDS = ("pairs", "leave-drug", "leave-target", "leave-both")


@pytest.mark.parametrize("newness", KINDS)
def test_every_pair_is_judged_once_and_what_must_be_new_is_new(gappy, newness):
    groups = target_groups(gappy)
    sides = cut(gappy, newness, groups, 3, seed=0)
    judged = np.concatenate([side.held_out for side in sides])
    assert np.array_equal(np.sort(judged), np.arange(len(gappy)))
    for side in sides:
        assert not set(side.train) & set(side.held_out)
        drugs = set(gappy.drug[side.train]) & set(gappy.drug[side.held_out])
        shared = set(groups[gappy.target[side.train]]) & set(groups[gappy.target[side.held_out]])
        assert bool(drugs) == (newness in ("pairs", "leave-target"))
        assert bool(shared) == (newness in ("pairs", "leave-drug"))


def test_families_of_proteins_are_groups(whole):
    assert target_groups(whole).tolist() == [k % 4 for k in range(17)]


def test_drugs_with_one_structure_stay_together(whole):
    from dataclasses import replace

    twins = replace(whole, smiles=(whole.smiles[1], *whole.smiles[1:]))
    for side in cut(twins, "leave-drug", np.arange(17), 5, seed=1):
        assert len({0, 1} & set(twins.drug[side.held_out])) in (0, 2)


def test_more_folds_than_groups_is_refused(whole):
    with pytest.raises(SplitError, match="4 groups of targets cannot be cut into 5 folds"):
        cut(whole, "leave-target", target_groups(whole), 5, seed=0)


def test_one_fold_is_refused(whole):
    with pytest.raises(SplitError, match="at least two"):
        cut(whole, "pairs", target_groups(whole), 1, seed=0)
