from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from sklearn.svm import SVC, SVR

from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.models.crossfit import grouped_folds
from iatros.molecules.models.featured import FeaturedPredictor, fit_inputs
from iatros.molecules.models.svm import Svm, SvmParams, SvmPredictor

FRESH = ["ClCc1ccccc1O", "CCO", "CC(Cl)CCl", "OCC1CCCCC1", "[Na+]"]


def rdkit_kernel(a: list[str], b: list[str], *, counts: bool) -> np.ndarray:
    """RDKit's own Tanimoto similarities, of bits or of counts."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    make = generator.GetCountFingerprint if counts else generator.GetFingerprint
    left, right = ([make(Chem.MolFromSmiles(one)) for one in each] for each in (a, b))
    return np.array([DataStructs.BulkTanimotoSimilarity(one, right) for one in left])


@pytest.mark.parametrize("kind", ["morgan", "morgan-counts"])
def test_values_are_those_of_scikit_learn_on_rdkits_similarities(make_assay, kind: str) -> None:
    assay = make_assay("continuous")
    known = list(assay.compounds.smiles)
    predictor, notes = Svm(SvmParams(features=(kind,), C=2.0, epsilon=0.2)).fit(assay, seed=0)
    counts = kind.endswith("counts")
    y = assay.y[:, 0]
    theirs = SVR(kernel="precomputed", C=2.0, epsilon=0.2).fit(
        rdkit_kernel(known, known, counts=counts), (y - y.mean()) / y.std()
    )
    expected = theirs.predict(rdkit_kernel(FRESH, known, counts=counts)) * y.std() + y.mean()
    np.testing.assert_allclose(predictor.predict(Compounds(FRESH))[:, 0], expected, atol=1e-3)
    assert isinstance(predictor, SvmPredictor)
    assert notes["n_support"] == [pytest.approx(len(theirs.support_), abs=3)]


def test_decisions_are_the_mean_of_scikit_learns_machines_on_rdkits_similarities(make_assay) -> None:
    assay = make_assay("binary")
    known = list(assay.compounds.smiles)
    predictor, _ = Svm(SvmParams(C=1.5)).fit(assay, seed=3)
    probability = predictor.predict(Compounds(FRESH))[:, 0]
    decision = (np.log(probability / (1 - probability)) - predictor.offset) / predictor.slope
    K, asked = rdkit_kernel(known, known, counts=True), rdkit_kernel(FRESH, known, counts=True)
    from iatros.learners.tabular.estimators.pipeline import derived_seed

    fold = grouped_folds(assay, 5, derived_seed(3, 0))
    theirs = []
    for name in range(5):
        inside = fold != name
        machine = SVC(kernel="precomputed", C=1.5, class_weight="balanced")
        machine.fit(K[np.ix_(inside, inside)], assay.y[inside, 0])
        theirs.append(machine.decision_function(asked[:, inside]))
    np.testing.assert_allclose(decision, np.mean(theirs, axis=0), atol=2e-3)
    assert predictor.slope[0] > 0


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "sigmoid"])
def test_classical_kernels_are_scikit_learns(make_assay, kernel: str) -> None:
    assay = make_assay("continuous")
    params = SvmParams(kernel=kernel, features=("morgan-counts", "descriptors"), C=0.5)
    predictor, notes = Svm(params).fit(assay, seed=0)
    inputs, X = fit_inputs(assay.compounds, params.fingerprints(), scale=True)
    y = assay.y[:, 0]
    coef0 = 1.0 if kernel == "poly" else 0.0
    theirs = SVR(kernel=kernel, C=0.5, epsilon=0.1, gamma="scale", coef0=coef0).fit(
        X.astype(float), (y - y.mean()) / y.std()
    )
    fresh = inputs.of(Compounds(FRESH)).astype(float)
    expected = theirs.predict(fresh) * y.std() + y.mean()
    np.testing.assert_allclose(predictor.predict(Compounds(FRESH))[:, 0], expected, atol=0.02)
    assert isinstance(predictor, FeaturedPredictor)
    assert ("gamma" in notes) == (kernel != "linear")


def test_several_fingerprints_count_alike(make_assay) -> None:
    assay = make_assay("continuous")
    predictor, _ = Svm(SvmParams(features=("maccs", "morgan-counts"))).fit(assay, seed=0)
    one = Compounds([assay.compounds.smiles[0]])
    assert predictor.predict(one).shape == (1, 1)
    assert [values.dtype for values in predictor.support] == [np.uint64, np.uint16]


def test_the_tanimoto_kernel_takes_fingerprints_only() -> None:
    with pytest.raises(ValueError, match="compares fingerprints, not descriptors"):
        SvmParams(features=("morgan", "descriptors"))


def test_more_compounds_than_allowed_are_drawn_from_by_class(make_assay) -> None:
    assay = make_assay("binary")
    for task in ("binary", "continuous"):
        assay = make_assay(task, endpoints=2, missing=0.1)
        _, notes = Svm(SvmParams(max_rows=100)).fit(assay, seed=0)
        assert notes["n_rows"] == [pytest.approx(100, abs=1)] * 2


def test_a_class_in_one_group_is_calibrated_by_compounds(make_assay) -> None:
    assay = make_assay("binary")
    group = assay.groups[np.flatnonzero(assay.y[:, 0] == 1)[0]]
    rows = np.flatnonzero((assay.y[:, 0] == 0) | (assay.groups == group))
    predictor, _ = Svm().fit(assay.take(rows), seed=0)
    assert np.isfinite(predictor.predict(Compounds(FRESH))).all()


def test_no_compounds_give_no_answers(make_assay) -> None:
    predictor, _ = Svm().fit(make_assay("binary"), seed=0)
    assert predictor.predict(Compounds([])).shape == (0, 1)


def test_a_bound_does_not_pull_down_what_lies_above_it(make_assay) -> None:
    bounded, exact = make_assay("continuous", bounds=0.4), make_assay("continuous")
    one, _ = Svm().fit(bounded, seed=0)
    naive, _ = Svm().fit(replace(bounded, bound=np.zeros_like(bounded.bound)), seed=0)
    errors = [np.abs(each.predict(exact.compounds) - exact.y).mean() for each in (one, naive)]
    assert errors[0] < 0.8 * errors[1]
