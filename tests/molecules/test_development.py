"""The procedure behind a model: what is said of unseen compounds was said without having seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.molecules.series import compounds

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.assay import Assay
from iatros.molecules.chance import nearest_mean, y_scrambling
from iatros.molecules.development import Developed, develop
from iatros.molecules.evaluation import score
from iatros.molecules.recipe import make_recipe
from iatros.molecules.requests import TrainRequest
from iatros.molecules.trust.difficulty import Difficulty
from iatros.molecules.trust.domain import similarity_to_other_folds


def assay(y: np.ndarray, *, classes: bool) -> Assay:
    """The made-up series with other outcomes, each compound by itself."""
    smiles = [row["smiles"] for row in compounds(len(y))]
    target = Target("t", "binary", ("no", "yes")) if classes else Target("t", "continuous")
    values = np.asarray(y, dtype=float).reshape(-1, 1)
    return Assay(Compounds(smiles), values, np.zeros(values.shape, np.int8), (target,), np.arange(len(y)))


def developed(given: Assay, **fields: Any) -> Developed:
    """A quick development."""
    asked = {"model": "ensemble", "inner_folds": 3, **fields}
    param = ["forest.n_estimators=10", "forest.n_bits=256"]
    param += ["ensemble.members=forest,svm"] if asked["model"] == "ensemble" else []
    request = TrainRequest(compounds=["C"], outcome="t", param=tuple(param), **asked)
    return develop(given, make_recipe(request), Context(), Checkpoint(None), "test")


@pytest.mark.parametrize("calibration", ["auto", "slope"])
def test_predictions_for_unseen_compounds_know_nothing_of_outcomes_that_mean_nothing(calibration: str):
    draw = np.random.default_rng(5)
    given = assay(draw.random(100) < 0.4, classes=True)
    made = developed(given, calibration=calibration)
    assert score(given, made.unseen) < 0.63
    # The model itself has seen them, so this test would notice if those were the predictions.
    assert score(given, made.model.answer(given.compounds).value) > 0.85


def test_conformal_intervals_hold_as_many_unseen_values_as_promised():
    draw = np.random.default_rng(2)
    given = assay(draw.normal(size=100), classes=False)
    made = developed(given, coverage=0.8, model="forest")  # alone, it disagrees with nobody
    similarity = similarity_to_other_folds(given.compounds.values(Fingerprint()), made.fold)
    residual, expected, none = given.y[:, 0] - made.unseen[:, 0], np.empty(100), np.zeros(100)
    for k in np.unique(made.fold):
        inside, others = made.fold == k, made.fold != k
        found = Difficulty.fit(np.abs(residual[others]), similarity[others], none[others])
        expected[inside] = found.of(similarity[inside], none[inside])
    low, high = made.model.rules[0].apply(np.zeros(100))
    held = np.mean((low * expected <= residual) & (residual <= high * expected))
    # Set on these very values, each side is left by at most one in ten, and by as many but for two.
    assert 0.8 <= held <= 0.84


def test_the_best_by_unseen_compounds_is_kept_whatever_it_has_memorised():
    given = assay(np.array([row["y"] for row in compounds(100)]), classes=False)
    made = developed(given, model="forest,svm,ensemble")
    assert set(made.models) == {"forest", "svm", "ensemble"}
    assert made.selected == max(made.selection, key=made.selection.__getitem__)
    assert made.selection[made.selected] > -0.9, "better than the mean of all compounds"


def test_a_seed_of_its_own_for_each_run_and_model():
    given = assay(np.array([row["y"] for row in compounds(60)]), classes=False)
    one, again, other = (developed(given, seed=seed) for seed in (1, 1, 2))
    assert (one.unseen == again.unseen).all()
    assert (one.fold == again.fold).all()
    assert not (one.fold == other.fold).all()


def test_the_nearest_compounds_are_weighed_by_similarity():
    learned = assay(np.array([row["y"] for row in compounds(100)]), classes=False)
    y = learned.y.copy()
    y[0] = np.nan
    given = Assay(learned.compounds, y, learned.bound, learned.endpoints, learned.groups)
    found = nearest_mean(given, given, 0)
    # Itself is a neighbour of similarity 1, of weight 1; all others weigh less.
    assert np.abs(found - y)[1:].mean() < 0.5 * np.nanstd(y)
    assert np.isfinite(found).all()


def test_scrambling_finds_what_there_is_and_nothing_where_there_is_nothing():
    y = np.array([row["y"] for row in compounds(100)])
    fold = np.arange(100) % 4
    real = y_scrambling(assay(y, classes=False), fold, n=19, seed=0)
    noise = y_scrambling(assay(np.random.default_rng(0).permutation(y), classes=False), fold, n=19, seed=0)
    assert real["p_value"] == pytest.approx(0.05)
    assert noise["p_value"] > 0.1
    assert real["score"] < real["best_permuted"] <= real["mean_permuted"]
    assert real["metric"] == "relative_rmse"
