from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iatros.core.errors import FitError
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint, feature_names
from iatros.molecules.models.featured import (
    FeatureParams,
    Inputs,
    check_learnable,
    fit_inputs,
    outcome_scale,
)

SMILES = ["CCO", "CCCO", "CCCCO", "OCCO", "OCC(O)CO"]


def test_columns_that_never_vary_are_left_out() -> None:
    counts = Fingerprint("morgan-counts", n_bits=128, radius=0)
    inputs, X = fit_inputs(Compounds(SMILES), (counts,), scale=False)
    whole = Compounds(SMILES).matrix([counts])
    assert X.shape[1] == (whole.max(axis=0) > whole.min(axis=0)).sum()
    np.testing.assert_array_equal(inputs.of(Compounds(SMILES)), X)
    with pytest.raises(FitError, match="do not differ in any feature"):
        fit_inputs(Compounds(["CCO", "OCC"]), (counts,), scale=False)


def test_counts_are_logged_and_descriptors_standardised_and_held() -> None:
    kinds = (Fingerprint("morgan-counts", n_bits=64, radius=0), Fingerprint("descriptors"))
    inputs, X = fit_inputs(Compounds(SMILES), kinds, scale=True)
    counts = Compounds(SMILES).matrix(kinds[:1])
    varies = counts.max(axis=0) > counts.min(axis=0)
    np.testing.assert_allclose(X[:, : varies.sum()], np.log1p(counts[:, varies]), rtol=1e-6)
    weight = np.flatnonzero(inputs.kept == 64 + feature_names(kinds[1]).index("MolWt"))[0]
    grams = np.array([46.07, 60.10, 74.12, 62.07, 92.09])
    np.testing.assert_allclose(X[:, weight], (grams - grams.mean()) / grams.std(), atol=1e-3)
    assert inputs.of(Compounds(["C" * 80]))[0, weight] == 5.0


def test_inputs_come_back_as_they_were_stored() -> None:
    kinds = (Fingerprint("maccs"), Fingerprint("erg"), Fingerprint("avalon-counts", n_bits=64))
    for scale in (False, True):
        inputs, X = fit_inputs(Compounds(SMILES), kinds, scale=scale)
        loaded = Inputs.load(inputs.document(), inputs.arrays() | {"other": np.zeros(1)})
        np.testing.assert_array_equal(loaded.of(Compounds(SMILES)), X)


def test_a_kind_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="named twice"):
        FeatureParams(features=("morgan", "morgan"))
    with pytest.raises(ValueError, match="morgan"):
        FeatureParams(features=("ecfp",))


def test_what_cannot_be_learned_is_said(make_assay) -> None:
    values = make_assay("continuous", endpoints=2, bounds=0.3, missing=0.2)
    check_learnable(values)
    with pytest.raises(FitError, match="no training compound has a value of endpoint 1"):
        check_learnable(replace(values, y=np.where([True, False], values.y, np.nan)))
    with pytest.raises(FitError, match="no training compound has a value of endpoint 0"):
        check_learnable(replace(values, bound=np.ones(values.y.shape, dtype=np.int8)))
    classes = make_assay("binary")
    with pytest.raises(FitError, match="one class only of endpoint 0"):
        check_learnable(classes.take(np.flatnonzero(classes.y[:, 0] == 1)))
    with pytest.raises(FitError, match="no compounds"):
        check_learnable(classes.take(np.arange(0)))


def test_the_scale_is_that_of_what_was_measured(make_assay) -> None:
    assay = make_assay("continuous", endpoints=2, missing=0.4)
    centre, spread = outcome_scale(assay)
    for column in range(2):
        seen = assay.y[assay.measured[:, column], column]
        assert centre[column] == pytest.approx(seen.mean())
        assert spread[column] == pytest.approx(seen.std())
    assert outcome_scale(replace(assay, y=np.ones_like(assay.y)))[1].tolist() == [1.0, 1.0]
    assert [each.tolist() for each in outcome_scale(make_assay("binary"))] == [[0.0], [1.0]]
