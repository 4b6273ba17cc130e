"""The message passing network against chemprop's own, its stored form against itself, and what it can learn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rdkit")
pytest.importorskip("torch")

from iatros.core.errors import FitError, InputError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.graphs import compute_graphs
from iatros.molecules.assay import Assay
from iatros.molecules.models.dmpnn import Dmpnn, DmpnnParams, GraphPredictor, batch_of, build_network
from iatros.molecules.models.estimator import load_predictor

SMALL = {"hidden": 24, "epochs": 8, "batch_size": 16}
ALKANES = ["C", "CC", "CCC", "CC(C)C", "CCCC", "CC(C)(C)C", "C1CCCCC1", "CCCCCC", "CC(C)CC", "C1CCC1"]
HETERO = ["CO", "CCO", "OCCO", "CN", "CCN", "NCCN", "OCC(O)CO", "C1CCOC1", "C1CCNC1", "CC(=O)N"]
MIXED = ["[Na+].[Cl-]", "C", "F/C=C\\F", "C[C@H](N)C(=O)O", "c1ccccc1C#N", "CC(=O)Oc1ccccc1C(=O)O", "[Ca+2]"]


def assay_of(smiles: list[str], y: Any, task: Any = "continuous", bound: Any = None) -> Assay:
    values = np.asarray(y, dtype=np.float64).reshape(len(smiles), -1)
    classes = ("no", "yes") if task == "binary" else ()
    endpoints = tuple(Target(f"e{column}", task, classes) for column in range(values.shape[1]))
    bounds = np.zeros(values.shape, np.int8) if bound is None else np.asarray(bound, np.int8)
    return Assay(Compounds(smiles), values, bounds.reshape(values.shape), endpoints, np.arange(len(smiles)))


def two_endpoints(task: Any) -> Assay:
    """Two opposite endpoints, told by the number of N and O; each lacks some compounds."""
    smiles = ALKANES + HETERO
    polar = np.array([sum(text.count(letter) for letter in "NO") for text in smiles], dtype=float)
    y = np.stack([polar > 0, polar == 0] if task == "binary" else [3.0 + polar, 100.0 - 20.0 * polar], axis=1)
    y = y.astype(float)
    y[::7, 0] = np.nan
    y[1::5, 1] = np.nan
    return assay_of(smiles, y, task)


@pytest.mark.parametrize(("aggregation", "depth", "layers"), [("mean", 3, 1), ("sum", 4, 2), ("norm", 1, 0)])
def test_with_the_weights_of_chemprop_it_answers_as_chemprop_does(
    aggregation: Any, depth: int, layers: int
) -> None:
    chemprop = pytest.importorskip("chemprop")
    import torch
    from chemprop import data, featurizers, models, nn

    assert chemprop.__version__
    torch.manual_seed(3)
    pool = {"mean": nn.MeanAggregation, "sum": nn.SumAggregation, "norm": nn.NormAggregation}[aggregation]()
    messages = nn.BondMessagePassing(depth=depth)
    theirs = models.MPNN(
        messages, pool, nn.RegressionFFN(n_tasks=2, input_dim=300 + 5, n_layers=layers)
    ).eval()
    params = DmpnnParams(depth=depth, layers=layers, aggregation=aggregation, descriptors="joined")
    ours = build_network(params, n_outputs=2, n_joined=5).eval()
    weights = {
        name: value for name, value in theirs.state_dict().items() if name.endswith(("weight", "bias"))
    }
    copied = {
        name.removeprefix("message_passing.").replace("predictor.ffn.", "ffn."): value
        for name, value in weights.items()
    }
    # chemprop numbers a layer by its block and its place in the block
    ours.load_state_dict({name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
                          .replace(".2.weight", ".weight").replace(".2.bias", ".bias"): value
                          for name, value in copied.items()})  # fmt: skip

    smiles = MIXED + ALKANES
    graphs = compute_graphs(smiles)
    joined = np.random.default_rng(0).normal(size=(len(smiles), 5)).astype(np.float32)
    featurize = featurizers.SimpleMoleculeMolGraphFeaturizer()
    points = [data.MoleculeDatapoint.from_smi(text) for text in smiles]
    batch = data.BatchMolGraph([featurize(point.mol) for point in points])
    with torch.no_grad():
        expected = theirs(batch, X_d=torch.from_numpy(joined)).numpy()
        trained = ours(batch_of(graphs, joined))[:, 0].numpy()
    stored = GraphPredictor(
        {name: value.numpy() for name, value in ours.state_dict().items()},
        depth,
        aggregation,
        False,
        np.zeros(2),
        np.ones(2),
    )
    assert np.ptp(expected, axis=0).min() > 1e-3
    np.testing.assert_allclose(trained, expected, atol=1e-5)
    np.testing.assert_allclose(stored.output(graphs, joined), expected, atol=1e-5)


def test_two_answers_are_learned_beside_each_other_and_averaged() -> None:
    import torch

    params = DmpnnParams(**SMALL)
    both = build_network(params, n_outputs=2, n_joined=5).eval()
    joined_only = build_network(
        params.model_copy(update={"descriptors": "joined"}), n_outputs=2, n_joined=5
    ).eval()
    plain_only = build_network(params.model_copy(update={"descriptors": "none"}), n_outputs=2).eval()
    weights = both.state_dict()
    shared = {name: value for name, value in weights.items() if not name.startswith(("ffn.", "plain."))}
    joined_only.load_state_dict(shared | {name: weights[name] for name in weights if name.startswith("ffn.")})
    plain_only.load_state_dict(
        shared
        | {name.replace("plain.", "ffn."): weights[name] for name in weights if name.startswith("plain.")}
    )
    graphs = compute_graphs(MIXED)
    joined = np.random.default_rng(0).normal(size=(len(MIXED), 5)).astype(np.float32)
    nothing = np.empty((len(MIXED), 0), dtype=np.float32)
    with torch.no_grad():
        said = both(batch_of(graphs, joined)).numpy()
        with_them = joined_only(batch_of(graphs, joined)).numpy()[:, 0]
        without = plain_only(batch_of(graphs, nothing)).numpy()[:, 0]
    np.testing.assert_allclose(said[:, 0], with_them, atol=1e-6)
    np.testing.assert_allclose(said[:, 1], without, atol=1e-6)
    stored = GraphPredictor(
        {name: value.numpy() for name, value in weights.items()},
        params.depth,
        params.aggregation,
        False,
        np.zeros(2),
        np.ones(2),
    )
    np.testing.assert_allclose(stored.output(graphs, joined), (with_them + without) / 2, atol=1e-5)


@pytest.mark.parametrize("task", ["continuous", "binary"])
def test_it_learns_two_endpoints_with_gaps_and_is_stored_as_it_is(task: Any) -> None:
    assay = two_endpoints(task)
    estimator = Dmpnn(DmpnnParams(hidden=48, epochs=60, batch_size=8, learning_rate=4e-3))
    predictor, notes = estimator.fit(assay, seed=4)
    found = predictor.predict(assay.compounds)
    complete = two_endpoints(task).y
    for column in range(2):
        known = ~np.isnan(complete[:, column])
        assert np.corrcoef(found[known, column], complete[known, column])[0, 1] > 0.9
    if task == "binary":
        assert ((found > 0) & (found < 1)).all()
    assert notes["n_descriptors"] > 20

    document, files = predictor.save()
    again = load_predictor(json.loads(json.dumps(document)), files.__getitem__)
    assert np.array_equal(again.predict(assay.compounds), found)
    assert again.save() == (document, files)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads() -> None:
    import torch

    assay = two_endpoints("continuous")
    estimator = Dmpnn(DmpnnParams(**SMALL, dropout=0.2))
    first = estimator.fit(assay, seed=4)[0].save()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(99)
        assert estimator.fit(assay, seed=4)[0].save() == first
    finally:
        torch.set_num_threads(threads)
    assert estimator.fit(assay, seed=5)[0].save() != first


def test_a_compound_is_answered_alike_alone_and_among_others() -> None:
    predictor, _ = Dmpnn(DmpnnParams(**SMALL)).fit(two_endpoints("continuous"), seed=1)
    smiles = (MIXED + HETERO) * 9
    together = predictor.predict(Compounds(smiles))
    for row in (0, 5, 11, 140):
        np.testing.assert_allclose(predictor.predict(Compounds([smiles[row]]))[0], together[row], rtol=1e-5)
    assert predictor.predict(Compounds([])).shape == (0, 2)


def test_values_that_are_bounds_pull_from_one_side_only() -> None:
    smiles = ALKANES + HETERO
    polar = np.array([text in HETERO for text in smiles])
    # whether polar compounds lie above 5 or at 5 cannot be told from those that are bounds
    y = np.where(polar, 5.0, 1.0)
    y[[-1, -2]] = 9.0
    bound = np.where(polar, 1, 0)
    bound[[-1, -2]] = 0
    params = DmpnnParams(hidden=32, epochs=60, batch_size=8, learning_rate=4e-3, descriptors="none")
    exact, _ = Dmpnn(params).fit(assay_of(smiles, y), seed=0)
    bounded, _ = Dmpnn(params).fit(assay_of(smiles, y, bound=bound), seed=0)
    seen = Compounds([text for text in HETERO[:-2]])
    from_value, from_bound = exact.predict(seen), bounded.predict(seen)
    assert abs(np.median(from_value) - 5.0) < 0.7
    assert np.median(from_bound) > np.median(from_value) + 0.7
    assert from_bound.min() > 4.5
    assert bounded.predict(Compounds(ALKANES)).max() < 4.0


def test_hiding_the_atom_that_matters_changes_the_answer_most() -> None:
    estimator = Dmpnn(DmpnnParams(hidden=48, epochs=60, batch_size=8, learning_rate=4e-3))
    predictor, _ = estimator.fit(two_endpoints("continuous"), seed=4)
    hidden = predictor.hidden("CCCCO")
    assert hidden.shape == (5, 2)
    change = hidden - predictor.predict(Compounds(["CCCCO"]))
    assert change[:, 0].argmin() == 4
    assert change[:, 1].argmax() == 4


def test_without_descriptors_the_order_of_the_atoms_does_not_matter() -> None:
    predictor, _ = Dmpnn(DmpnnParams(**SMALL, descriptors="none")).fit(two_endpoints("binary"), seed=1)
    ways = predictor.predict(Compounds(["OCC(=O)Nc1ccccc1", "c1ccccc1NC(CO)=O"]))
    np.testing.assert_allclose(ways[0], ways[1], rtol=1e-5)
    a, b = predictor.hidden("OCC"), predictor.hidden("CCO")
    np.testing.assert_allclose(a, b[::-1], rtol=1e-5)
    assert predictor.hidden("C").shape == (1, 2)


def test_compounds_of_one_atom_are_learned_and_answered_too() -> None:
    single = ["C", "O", "N", "[Na+].[Cl-]", "S", "[Ca+2]"]
    assay = assay_of(single, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    predictor, _ = Dmpnn(DmpnnParams(**SMALL, descriptors="none")).fit(assay, seed=0)
    assert len(set(predictor.predict(assay.compounds).ravel().tolist())) == 6


def test_what_cannot_be_learned_is_refused() -> None:
    estimator = Dmpnn(DmpnnParams(**SMALL))
    y = np.ones((len(ALKANES), 2))
    with pytest.raises(FitError, match="one class only of e0"):
        estimator.fit(assay_of(ALKANES, y, "binary"), seed=0)
    y[:, 1] = np.nan
    with pytest.raises(FitError, match="value of e1"):
        estimator.fit(assay_of(ALKANES, y), seed=0)
    with pytest.raises(InputError, match="not a valid SMILES"):
        estimator.fit(assay_of(["C1CC", "CC"], [1.0, 2.0]), seed=0)
    predictor, _ = estimator.fit(two_endpoints("continuous"), seed=1)
    with pytest.raises(InputError, match="not a valid SMILES"):
        predictor.hidden("C1CC")
