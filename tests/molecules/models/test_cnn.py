"""Networks over the letters: what both share (learning, storing, answering), and the convolutions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rdkit")
pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from iatros.core.errors import FitError, InputError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.tokens import UNKNOWN
from iatros.molecules.assay import Assay
from iatros.molecules.models.cnn import Cnn, CnnParams, _network_class, to_onnx
from iatros.molecules.models.estimator import load_predictor
from iatros.molecules.models.gru import Gru, GruParams
from iatros.molecules.models.tokens import TokenPredictor

ALKANES = ["C", "CC", "CCC", "CC(C)C", "CCCC", "CC(C)(C)C", "C1CCCCC1", "CCCCCC", "CC(C)CC", "C1CCC1"]
HETERO = ["CO", "CCO", "OCCO", "CN", "CCN", "NCCN", "OCC(O)CO", "C1CCOC1", "C1CCNC1", "CC(=O)N"]
SIZES: dict[str, Any] = {"embedding": 8, "dense": 16, "batch_size": 8, "dropout": 0.0, "enumerations": 3}


def estimator(name: str, **params: Any) -> Any:
    fields = {**SIZES, **params}
    return Cnn(CnnParams(channels=16, **fields)) if name == "cnn" else Gru(GruParams(units=12, **fields))


def assay_of(smiles: list[str], y: Any, task: Any = "continuous", bound: Any = None) -> Assay:
    values = np.asarray(y, dtype=np.float64).reshape(len(smiles), -1)
    classes = ("no", "yes") if task == "binary" else ()
    endpoints = tuple(Target(f"e{column}", task, classes) for column in range(values.shape[1]))
    bounds = np.zeros(values.shape, np.int8) if bound is None else np.asarray(bound, np.int8)
    return Assay(Compounds(smiles), values, bounds.reshape(values.shape), endpoints, np.arange(len(smiles)))


def two_endpoints(task: Any) -> Assay:
    """Two opposite endpoints, told by the number of N and O; each lacks some compounds."""
    smiles = ALKANES + HETERO
    polar = np.array([min(sum(text.count(letter) for letter in "NO"), 1) for text in smiles], dtype=float)
    y = np.stack([polar, 1.0 - polar] if task == "binary" else [3.0 + polar, 100.0 - 20.0 * polar], axis=1)
    y[::7, 0] = np.nan
    y[1::5, 1] = np.nan
    return assay_of(smiles, y, task)


@pytest.fixture(scope="module", params=["cnn", "gru"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(name: str) -> TokenPredictor:
    predictor: TokenPredictor = estimator(name, epochs=40, learning_rate=1e-2).fit(
        two_endpoints("continuous"), seed=4
    )[0]
    return predictor


def test_it_learns_two_endpoints_with_gaps(fitted: TokenPredictor) -> None:
    found = fitted.predict(Compounds(ALKANES + HETERO))
    expected = np.repeat([[3.0, 100.0], [4.0, 80.0]], 10, axis=0)
    assert np.abs(found - expected).mean(axis=0)[0] < 0.15
    assert np.abs(found - expected).mean(axis=0)[1] < 3.0


def test_classes_are_answered_with_probabilities(name: str) -> None:
    assay = two_endpoints("binary")
    predictor, notes = estimator(name, epochs=25, learning_rate=1e-2).fit(assay, seed=1)
    found = predictor.predict(assay.compounds)
    assert ((found > 0.0) & (found < 1.0)).all()
    assert found[10:, 0].mean() > 0.8 > 0.2 > found[:10, 0].mean()
    assert found[10:, 1].mean() < 0.2 < 0.8 < found[:10, 1].mean()
    assert (notes["epochs"], notes["n_cut"]) == (25, 0)


def test_it_is_stored_as_it_is(fitted: TokenPredictor) -> None:
    document, files = fitted.save()
    again = load_predictor(json.loads(json.dumps(document)), files.__getitem__)
    compounds = Compounds(HETERO)
    assert np.array_equal(again.predict(compounds), fitted.predict(compounds))
    assert again.save() == (document, files)


def test_an_answer_depends_on_the_compound_alone(fitted: TokenPredictor) -> None:
    smiles = [*HETERO, "[Na+].OC(=O)CC1CCCCC1", "C[C@H](N)CO"] * 8
    together = fitted.predict(Compounds(smiles))
    for row in (1, 10, 11):
        np.testing.assert_allclose(fitted.predict(Compounds([smiles[row]]))[0], together[row], rtol=1e-5)
    # the same compound written otherwise
    other = fitted.predict(Compounds(["C1CCCCC1CC(=O)O.[Na+]"]))[0]
    np.testing.assert_allclose(other, together[10], rtol=1e-5)
    assert fitted.predict(Compounds([])).shape == (0, 2)


def test_hiding_the_atom_that_matters_changes_the_answer_most(fitted: TokenPredictor) -> None:
    change = fitted.hidden("CCCCO") - fitted.predict(Compounds(["CCCCO"]))
    assert change.shape == (5, 2)
    assert np.abs(change).argmax(axis=0).tolist() == [4, 4]
    np.testing.assert_allclose(fitted.hidden("OCC"), fitted.hidden("CCO")[::-1], rtol=1e-5)


def test_hidden_is_the_unknown_token_in_each_writing(name: str) -> None:
    predictor, _ = estimator(name, epochs=2, enumerations=0).fit(two_endpoints("continuous"), seed=0)
    codes, _ = predictor.vocabulary.encode(["CCO"])
    expected = []
    for atom in range(3):
        shown = codes.copy()
        shown[0, atom] = UNKNOWN
        expected.append(predictor.output(shown)[0] * predictor.spread + predictor.centre)
    np.testing.assert_allclose(predictor.hidden("OCC"), expected[::-1], rtol=1e-5)


def test_an_explicit_hydrogen_is_no_atom_where_rdkit_reads_none(fitted: TokenPredictor) -> None:
    np.testing.assert_allclose(fitted.hidden("[H]OC"), fitted.hidden("OC"), rtol=1e-6)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(name: str) -> None:
    import torch

    assay = two_endpoints("continuous")
    model = estimator(name, epochs=3, dropout=0.2)
    first = model.fit(assay, seed=4)[0].save()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(99)
        assert model.fit(assay, seed=4)[0].save() == first
    finally:
        torch.set_num_threads(threads)
    assert model.fit(assay, seed=5)[0].save() != first


def test_values_that_are_bounds_pull_from_one_side_only() -> None:
    smiles = ALKANES + HETERO
    polar = np.array([text in HETERO for text in smiles])
    # that the bounds lie at 5 must not hold down the others, of which two are known to be 9
    y, bound = np.where(polar, 5.0, 1.0), np.where(polar, 1, 0)
    y[[-1, -2]], bound[[-1, -2]] = 9.0, 0
    model = estimator("cnn", epochs=40, learning_rate=1e-2)
    seen = Compounds(HETERO[:-2])
    from_value = model.fit(assay_of(smiles, y), seed=0)[0].predict(seen)
    from_bound = model.fit(assay_of(smiles, y, bound=bound), seed=0)[0].predict(seen)
    assert np.median(from_bound) > np.median(from_value) + 0.5
    assert from_bound.min() > 4.3


def test_selfies_are_read_as_well(name: str) -> None:
    pytest.importorskip("selfies")
    assay = two_endpoints("continuous")
    model = estimator(name, epochs=30, learning_rate=1e-2, notation="selfies")
    predictor, _ = model.fit(assay, seed=2)
    found = predictor.predict(assay.compounds)
    assert found[10:, 0].mean() > found[:10, 0].mean() + 0.6
    assert "[C]" in predictor.vocabulary.tokens
    change = predictor.hidden("CCCCO") - predictor.predict(Compounds(["CCCCO"]))
    assert np.abs(change[:, 0]).argmax() == 4
    with pytest.raises(InputError, match="set notation to smiles"):
        predictor.predict(Compounds(["*CC"]))


def test_what_is_longer_than_the_limit_is_cut_and_counted(name: str) -> None:
    smiles = [*HETERO, *ALKANES, "C" * 30 + "O"]
    model = estimator(name, epochs=2, max_length=16)
    predictor, notes = model.fit(assay_of(smiles, np.arange(21.0)), seed=0)
    assert notes["n_cut"] == 1
    assert np.isfinite(predictor.predict(Compounds(["C" * 60 + "N"]))).all()
    assert predictor.hidden("C" * 30 + "O").shape == (31, 1)


def test_tokens_that_were_never_seen_are_answered(fitted: TokenPredictor) -> None:
    assert np.isfinite(fitted.predict(Compounds(["[U]", "Br[Si](C)(C)c1nsnc1", "[Na+].[Cl-]"]))).all()


def test_what_cannot_be_learned_is_refused(name: str) -> None:
    model = estimator(name, epochs=1)
    y = np.ones((len(ALKANES), 2))
    with pytest.raises(FitError, match="one class only of e0"):
        model.fit(assay_of(ALKANES, y, "binary"), seed=0)
    y[:, 1] = np.nan
    with pytest.raises(FitError, match="value of e1"):
        model.fit(assay_of(ALKANES, y), seed=0)
    with pytest.raises(InputError, match="not a valid SMILES"):
        model.fit(assay_of(["C1CC", "CC"], [1.0, 2.0]), seed=0)


def test_convolutions_do_not_see_what_fills_up_a_line_and_are_stored_alike() -> None:
    import torch

    torch.manual_seed(5)
    network = _network_class()(CnnParams(embedding=6, channels=7, dense=5), 11, 3).eval()
    codes = torch.tensor([[4, 9, 5, 10, 4, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0, 0], [4, 5, 6, 7, 8, 9, 10, 1]])
    predictor = _stored(to_onnx(network))
    with torch.no_grad():
        expected = network(codes).numpy()
        alone = network(codes[:1, :5]).numpy()
    assert np.ptp(expected, axis=0).min() > 1e-3
    np.testing.assert_allclose(alone[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(predictor.output(codes.numpy()), expected, atol=1e-6)
    np.testing.assert_allclose(predictor.output(codes[1:2, :1].numpy())[0], expected[1], atol=1e-6)


def _stored(model: bytes) -> TokenPredictor:
    from iatros.learners.compounds.tokens import Vocabulary

    return TokenPredictor(model, Vocabulary(("C",)), 0, 50, False, np.zeros(3), np.ones(3))
