from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.molecules.models.boosting import Boosting, BoostingParams, one_sided

PARAMS = BoostingParams(rounds=60)


class _Labels:
    """A LightGBM data set as far as an objective sees it."""

    def get_label(self) -> Any:
        return np.array([5.0, 5.0, 5.0, 5.0, 5.0], dtype=np.float32)


def test_the_one_sided_objective_by_hand() -> None:
    #                  value  above: allowed, not   below: not, allowed
    bound = np.array([0, 1, 1, -1, -1], dtype=np.int8)
    prediction = np.array([7.0, 7.0, 4.0, 7.0, 4.0])
    gradient, curvature = one_sided(bound)(prediction, _Labels())
    assert gradient.tolist() == [2.0, 0.0, -1.0, 2.0, 0.0]
    assert curvature.tolist() == [1.0] * 5


def test_one_round_of_one_leaf_steps_by_the_mean_gradient(make_assay) -> None:
    """Two leaves, learning rate 1, no penalty: each leaf is the mean of what its compounds lack, by hand."""
    assay = make_assay("continuous", bounds=0.25)
    params = BoostingParams(
        rounds=1, learning_rate=1.0, num_leaves=2, reg_lambda=0.0, feature_fraction=1.0, bagging_fraction=1.0
    )
    predictor, _ = Boosting(params).fit(assay, seed=0)
    answers = predictor.predict(assay.compounds)[:, 0]
    y, bound = assay.y[:, 0], assay.bound[:, 0]
    leaves = np.unique(answers)
    assert len(leaves) == 2
    for leaf in leaves:
        inside = answers == leaf
        start = y.mean()  # a bound below which the start lies pulls as its value would
        lacking = np.where((bound == 1) & (start > y), 0.0, y - start)
        np.testing.assert_allclose(leaf, start + lacking[inside].mean(), atol=1e-5)


def test_a_bound_does_not_pull_down_what_lies_above_it(make_assay) -> None:
    bounded, exact = make_assay("continuous", bounds=0.4), make_assay("continuous")
    one, _ = Boosting(PARAMS).fit(bounded, seed=0)
    naive, _ = Boosting(PARAMS).fit(replace(bounded, bound=np.zeros_like(bounded.bound)), seed=0)
    errors = [np.abs(each.predict(exact.compounds) - exact.y).mean() for each in (one, naive)]
    assert errors[0] < 0.6 * errors[1]


def test_stored_trees_are_lightgbms_whatever_the_threads(make_assay, monkeypatch) -> None:
    assay = make_assay("binary")
    short = BoostingParams(rounds=10)
    one = Boosting(short).fit(assay, seed=1)[0].save()
    monkeypatch.setattr("iatros.molecules.models.boosting.fit_threads", lambda: 4)
    assert Boosting(short).fit(assay, seed=1)[0].save() == one
    assert Boosting(short).fit(assay, seed=2)[0].save() != one


def test_the_four_kinds_of_features_are_used_without_constant_columns(make_assay) -> None:
    assay = make_assay("continuous")
    predictor, notes = Boosting(PARAMS).fit(assay, seed=0)
    X = assay.compounds.matrix(PARAMS.fingerprints())
    assert notes["n_features"] == len(predictor.inputs.kept) == (X.max(axis=0) > X.min(axis=0)).sum()
    assert [one.kind for one in predictor.inputs.fingerprints] == list(PARAMS.features)
