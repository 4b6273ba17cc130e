"""What a pair was measured to be must not enter its own prediction, nor may any pair's that was held out with it."""

from dataclasses import replace

import numpy as np
import pytest

from iatros.core.context import Context
from iatros.molecules.affinity.models import MODELS
from iatros.molecules.affinity.settings import AffinitySettings
from iatros.molecules.affinity.splits import cut, target_groups
from iatros.molecules.affinity.validation import fit_and_predict, judge

from .conftest import make_pairs

QUICK = {
    "dti-hybrid": {"n_estimators": 8, "min_child_samples": 5, "n_hidden_folds": 2},
    "dti-cnn": {
        "n_filters": 4, "n_epochs": 2, "protein_length": 64, "smiles_length": 20, "smiles_width": 3,
        "targets_in_batch": 6,
    },
}  # fmt: skip
PAIRS = make_pairs(0.7, seed=1)
GARBAGE = np.random.default_rng(9).normal(0.0, 1e4, len(PAIRS))


def groups_of(newness):
    return target_groups(PAIRS) if newness == "leave-target" else np.arange(len(PAIRS.targets))


@pytest.mark.parametrize("newness", ["pairs", "leave-drug", "leave-target", "leave-both"])
@pytest.mark.parametrize("name", sorted(MODELS.names()))
def test_garbage_in_place_of_what_is_judged_changes_no_prediction(name, newness):
    groups = groups_of(newness)
    settings = AffinitySettings(name, newness, QUICK.get(name, {}), n_folds=3)
    side = cut(PAIRS, newness, groups, 3, seed=0)[1]
    unseen = np.setdiff1d(np.arange(len(PAIRS)), side.train)
    assert set(side.held_out) <= set(unseen)
    y, bound = PAIRS.y.copy(), PAIRS.bound.copy()
    y[unseen], bound[unseen] = GARBAGE[unseen], 1
    garbled = replace(PAIRS, y=y, bound=bound)
    found = [fit_and_predict(one, groups, side, name, settings.params, settings) for one in (PAIRS, garbled)]
    assert np.array_equal(*found)


@pytest.mark.parametrize("name", sorted(MODELS.names()))
def test_what_is_learned_from_does_change_them(name):
    groups = np.arange(len(PAIRS.targets))
    settings = AffinitySettings(name, "pairs", QUICK.get(name, {}), n_folds=3)
    side = cut(PAIRS, "pairs", groups, 3, seed=0)[1]
    y = PAIRS.y.copy()
    y[side.train] = GARBAGE[side.train]
    found = [
        fit_and_predict(one, groups, side, name, settings.params, settings)
        for one in (PAIRS, replace(PAIRS, y=y))
    ]
    assert not np.allclose(*found)


@pytest.mark.parametrize("newness", ["pairs", "leave-drug", "leave-target", "leave-both"])
def test_the_whole_validation_predicts_no_fold_from_itself(newness):
    groups = groups_of(newness)
    settings = AffinitySettings("kron-rls", newness, n_folds=3)
    before = judge(PAIRS, groups, "kron-rls", settings, Context())
    rows = before.rows[before.fold == 0]
    y = PAIRS.y.copy()
    y[rows] = GARBAGE[rows]
    after = judge(replace(PAIRS, y=y), groups, "kron-rls", settings, Context())
    assert np.array_equal(after.fold, before.fold)
    mine = before.fold == 0
    assert np.array_equal(after.prediction[mine], before.prediction[mine])
    assert not np.allclose(after.prediction[~mine], before.prediction[~mine])


def test_the_folds_do_not_look_at_affinities():
    garbled = replace(PAIRS, y=GARBAGE)
    for newness in ("pairs", "leave-drug", "leave-target", "leave-both"):
        sides = [cut(one, newness, groups_of(newness), 3, seed=4) for one in (PAIRS, garbled)]
        for one, other in zip(*sides, strict=True):
            assert np.array_equal(one.train, other.train)
            assert np.array_equal(one.held_out, other.held_out)
