"""Splits of pairs of a drug and a target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import SplitError, UnknownNameError
from iatros.molecules.splitting.pairs import PAIR_SPLITS, split_pairs

DRUGS, TARGETS = np.repeat(np.arange(12), 7), np.tile(np.arange(7), 12)


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 7)), min_size=45, max_size=80),
    how=st.sampled_from(PAIR_SPLITS),
    folds=st.sampled_from([None, 2, 3]),
    seed=st.integers(0, 99),
)
def test_nothing_that_is_new_was_learned_from_and_every_pair_is_somewhere(pairs, how, folds, seed):
    drugs, targets = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    for part in split_pairs(drugs, targets, how, folds=folds, seed=seed, fraction=0.3):
        sides = (part.development, part.test, part.left_out)
        assert np.array_equal(np.sort(np.concatenate(sides)), np.arange(len(pairs)))
        if how in ("leave-drug", "leave-both"):
            assert not set(drugs[part.development].tolist()) & set(drugs[part.test].tolist())
        if how in ("leave-target", "leave-both"):
            assert not set(targets[part.development].tolist()) & set(targets[part.test].tolist())
        if how != "leave-both":
            assert not len(part.left_out)


def test_of_leave_both_a_pair_with_one_new_member_is_on_neither_side():
    (part,) = split_pairs(DRUGS, TARGETS, "leave-both", fraction=0.25, seed=1)
    new_drugs, new_targets = set(DRUGS[part.test].tolist()), set(TARGETS[part.test].tolist())
    for row in part.left_out:
        assert (DRUGS[row] in new_drugs) != (TARGETS[row] in new_targets)
    assert len(part.test) == len(new_drugs) * len(new_targets)


def test_folds_of_leave_both_test_each_pair_once():
    parts = split_pairs(DRUGS, TARGETS, "leave-both", folds=3, seed=2)
    assert [part.name for part in parts[:4]] == ["fold 1 x 1", "fold 1 x 2", "fold 1 x 3", "fold 2 x 1"]
    assert np.array_equal(np.sort(np.concatenate([part.test for part in parts])), np.arange(len(DRUGS)))


def test_targets_of_one_group_are_held_out_together():
    groups = np.array([0, 0, 0, 1, 1, 2, 3])[TARGETS]
    for part in split_pairs(DRUGS, TARGETS, "leave-target", folds=4, target_groups=groups):
        assert not set(groups[part.development].tolist()) & set(groups[part.test].tolist())


def test_names_serve_as_ids():
    (part,) = split_pairs(np.char.add("d", DRUGS.astype(str)), TARGETS, "leave-drug", fraction=0.25)
    assert len(part.test) == 21


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"how": "leave-target", "folds": 9}, "7 groups of targets cannot fill 9 parts"),
        ({"how": "leave-drug", "folds": 1}, "1 fold leaves nothing"),
        ({"how": "leave-drug", "fraction": 0.0}, "between 0 and 1"),
        ({"how": "leave-drug", "drug_groups": np.arange(84)}, "a drug stands in two groups"),
        ({"how": "leave-drug", "drug_groups": np.arange(3)}, "a group is needed for each pair"),
    ],
)
def test_what_cannot_be_split_is_refused(fields, said):
    with pytest.raises(SplitError, match=said):
        split_pairs(DRUGS, TARGETS, **fields)


def test_columns_of_two_lengths_and_unknown_splits_are_refused():
    with pytest.raises(SplitError, match="a drug and a target are needed"):
        split_pairs(DRUGS, TARGETS[:3], "random")
    with pytest.raises(UnknownNameError, match="leave-drugs"):
        split_pairs(DRUGS, TARGETS, "leave-drugs")
