from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from iatros.learners.tabular.estimators.pipeline import derived_seed
from iatros.molecules.models.featured import outcome_scale
from iatros.molecules.models.forest import Forest, ForestParams

PARAMS = ForestParams(n_estimators=25)


def ecfp4(smiles: tuple[str, ...]) -> np.ndarray:
    """RDKit's own bits, without those that are the same for all."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = np.array([generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(one)) for one in smiles])
    return bits[:, bits.max(axis=0) > bits.min(axis=0)].astype(np.float32)


def test_it_is_scikit_learns_forest_over_ecfp4(make_assay) -> None:
    assay = make_assay("binary")
    ours = Forest(PARAMS).fit(assay, seed=5)[0].predict(assay.compounds)
    theirs = RandomForestClassifier(25, max_features="sqrt", random_state=derived_seed(5, 0))
    theirs.fit(ecfp4(assay.compounds.smiles), assay.y[:, 0])
    np.testing.assert_allclose(
        ours[:, 0], theirs.predict_proba(ecfp4(assay.compounds.smiles))[:, 1], atol=1e-6
    )


def test_a_value_is_answered_in_its_unit_from_the_rows_that_have_it(make_assay) -> None:
    assay = make_assay("continuous", endpoints=2, missing=0.3)
    predictor, notes = Forest(PARAMS).fit(assay, seed=5)
    ours = predictor.predict(assay.compounds)
    X = ecfp4(assay.compounds.smiles)
    centre, spread = outcome_scale(assay)
    for column in range(2):
        rows = assay.measured[:, column]
        theirs = RandomForestRegressor(25, max_features=1 / 3, random_state=derived_seed(5, column))
        theirs.fit(X[rows], (assay.y[rows, column] - centre[column]) / spread[column])
        expected = theirs.predict(X) * spread[column] + centre[column]
        np.testing.assert_allclose(ours[:, column], expected, rtol=1e-5)
    assert notes["n_trees"] == 25
    assert notes["n_features"] == X.shape[1]
    assert len(notes["n_leaves"]) == 2


@pytest.mark.parametrize("kinds", [("maccs",), ("feature-morgan-counts", "descriptors")])
def test_other_features_can_be_asked_for(make_assay, kinds: tuple[str, ...]) -> None:
    assay = make_assay("continuous")
    predictor, _ = Forest(PARAMS.model_copy(update={"features": kinds})).fit(assay, seed=0)
    assert tuple(one.kind for one in predictor.inputs.fingerprints) == kinds
    assert np.corrcoef(predictor.predict(assay.compounds)[:, 0], assay.y[:, 0])[0, 1] > 0.9


def test_a_bound_does_not_pull_down_what_lies_above_it(make_assay) -> None:
    bounded, exact = make_assay("continuous", bounds=0.4), make_assay("continuous")
    one, _ = Forest(PARAMS).fit(bounded, seed=0)
    naive, _ = Forest(PARAMS).fit(replace(bounded, bound=np.zeros_like(bounded.bound)), seed=0)
    errors = [np.abs(each.predict(exact.compounds) - exact.y).mean() for each in (one, naive)]
    assert errors[0] < 0.8 * errors[1]
