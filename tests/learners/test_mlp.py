"""The residual network: what it learns, how it stops, and the graph against torch."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from iatros.core.errors import FitError
from iatros.learners.tabular.estimators.mlp import Mlp, MlpParams
from iatros.learners.tabular.estimators.network import build_network, network_to_onnx, prepare_inputs
from iatros.learners.tabular.predictor import load_predictor
from iatros.learners.tabular.scorers import OnnxScorer
from iatros.learners.training import Schedule, cross_entropy, one_thread, squared_error, train_members

torch = pytest.importorskip("torch")

QUICK = MlpParams(width=16, n_blocks=1, n_members=2, max_epochs=4)


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
def test_learns_what_matters(make_patients, task):
    train, test = make_patients(task, 500, 0), make_patients(task, 500, 1)
    params = MlpParams(width=32, n_members=3, max_epochs=60)
    fitted = Mlp(params).fit(train.table, train.y, train.target, groups=train.groups, seed=3)
    predicted = fitted.predictor.predict(test.table.frame)
    if task == "continuous":
        assert np.corrcoef(test.y, predicted)[0, 1] > 0.8
    else:
        assert roc_auc_score(test.y, predicted, multi_class="ovr") > 0.7
    assert len(fitted.notes["epochs"]) == 3


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
def test_same_seed_same_bytes_whatever_the_threads(make_patients, task):
    patients = make_patients(task, 200, 0)

    def stored(seed: int, threads: int) -> dict[str, bytes]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            fitted = Mlp(QUICK).fit(
                patients.table, patients.y, patients.target, groups=patients.groups, seed=seed
            )
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return fitted.predictor.save()[1]

    torch.manual_seed(11)
    first = stored(1, 1)
    torch.manual_seed(12)
    assert first == stored(1, 2)
    assert first != stored(2, 1)


def test_torchs_random_state_is_left_alone(make_patients):
    patients = make_patients("binary", 100, 0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Mlp(QUICK).fit(patients.table, patients.y, patients.target, groups=None, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_stored_answers_as_fitted(make_patients):
    patients = make_patients("multiclass", 200, 0)
    predictor = Mlp(QUICK).fit(patients.table, patients.y, patients.target, groups=None, seed=0).predictor
    document, files = predictor.save()
    again = load_predictor(document, files.__getitem__).predict(patients.table.frame)
    np.testing.assert_array_equal(again, predictor.predict(patients.table.frame))
    np.testing.assert_allclose(again.sum(axis=1), 1.0)


@pytest.mark.parametrize("cardinalities", [[0, 0, 0], [4, 0, 3], [4, 5, 3]])
@pytest.mark.parametrize("n_bins", [0, 6])
@pytest.mark.parametrize("k", [1, 3])
def test_graph_equals_torch(cardinalities, n_bins, k):
    rng = np.random.default_rng(2)
    X = np.column_stack(
        [rng.integers(0, n, 90) if n else rng.normal(0, 3, 90) for n in cardinalities]
    ).astype(np.float32)
    inputs = prepare_inputs(X, cardinalities, n_bins=n_bins)
    with one_thread(0):
        network = build_network(inputs, n_members=3, width=12, n_blocks=2, dropout=0.5, n_outputs=k).eval()
        for value in network.parameters():
            torch.nn.init.normal_(value, std=0.4)
    with torch.no_grad():
        margins = network(torch.from_numpy(X)).numpy()
    graph = network_to_onnx(network, inputs, task="continuous", centre=3.0, spread=2.0)
    answer = OnnxScorer(graph).score(X)
    expected = (margins.mean(axis=0) * 2.0 + 3.0).squeeze()
    np.testing.assert_allclose(answer, expected, rtol=2e-5, atol=2e-5)


def test_piecewise_encoding_by_hand():
    """Quantiles 0, 2, 6 of a column: a value of 3 fills the first interval and a quarter of the second."""
    X = np.array([[0.0], [2.0], [6.0]], dtype=np.float32)
    inputs = prepare_inputs(X, [0], n_bins=2)
    network = build_network(inputs, n_members=1, width=4, n_blocks=0, dropout=0.0, n_outputs=1)
    features = network.features(torch.tensor([[3.0], [-50.0], [50.0]]))[0].numpy()
    np.testing.assert_allclose(features, [[3.0, 1.0, 0.25], [-5.0, 0.0, 0.0], [5.0, 1.0, 1.0]])


def test_members_are_trained_apart():
    """A member's weights do not change when another member is given other tuning rows."""
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.normal(size=(80, 2)).astype(np.float32))
    labels = torch.from_numpy(rng.normal(size=80).astype(np.float32))
    inputs = prepare_inputs(X.numpy(), [0, 0], n_bins=3)

    def first_member(other: slice) -> list[np.ndarray]:
        tuning = np.zeros((2, 80), dtype=bool)
        tuning[0, :16] = True
        tuning[1, other] = True
        with one_thread(1):
            network = build_network(inputs, n_members=2, width=8, n_blocks=1, dropout=0.0, n_outputs=1)
        schedule = Schedule(max_epochs=5, patience=100, batch_size=20)
        train_members(network, X, labels, row_loss=squared_error, tuning=tuning, schedule=schedule, seed=1)
        return [value.detach().numpy()[0] for value in network.parameters()]

    for one, two in zip(first_member(slice(16, 32)), first_member(slice(40, 70)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_tuning_rows_do_not_teach():
    """With labels of tuning rows turned over, weights of any fixed epoch stay as they were."""
    rng = np.random.default_rng(3)
    X = torch.from_numpy(rng.normal(size=(60, 2)).astype(np.float32))
    labels = torch.from_numpy((rng.random(60) < 0.4).astype(np.int64))
    tuning = np.zeros((1, 60), dtype=bool)
    tuning[0, :15] = True
    inputs = prepare_inputs(X.numpy(), [0, 0], n_bins=0)

    def weights(given: torch.Tensor) -> list[np.ndarray]:
        with one_thread(1):
            network = build_network(inputs, n_members=1, width=8, n_blocks=1, dropout=0.1, n_outputs=1)
        schedule = Schedule(max_epochs=1, patience=5, batch_size=16)
        train_members(network, X, given, row_loss=cross_entropy, tuning=tuning, schedule=schedule, seed=1)
        return [value.detach().numpy() for value in network.parameters()]

    turned = labels.clone()
    turned[:15] = 1 - turned[:15]
    for one, two in zip(weights(labels), weights(turned), strict=True):
        np.testing.assert_array_equal(one, two)


def test_best_epoch_is_kept():
    """Pure noise: the loss on tuning rows soon grows, training stops, and an early epoch's weights remain."""
    rng = np.random.default_rng(8)
    X = torch.from_numpy(rng.normal(size=(120, 6)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 2, 120))
    tuning = np.arange(120)[None, :] % 4 == 0
    inputs = prepare_inputs(X.numpy(), [0] * 6, n_bins=4)
    with one_thread(1):
        network = build_network(inputs, n_members=1, width=32, n_blocks=2, dropout=0.0, n_outputs=1)
    schedule = Schedule(max_epochs=200, patience=10, batch_size=16, learning_rate=5e-3)
    trained = train_members(
        network, X, labels, row_loss=cross_entropy, tuning=tuning, schedule=schedule, seed=1
    )
    with torch.no_grad():
        loss = cross_entropy(network(X), labels)[0].numpy()[tuning[0]].mean()
    assert trained.epochs[0] < 60
    assert loss == pytest.approx(trained.losses[0], rel=1e-5)
    assert loss < 0.8


def test_losses_agree_with_scikit_learn():
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(1)
    margins = rng.normal(size=(1, 50, 3))
    labels = np.concatenate([[0, 1, 2], rng.integers(0, 3, 47)])
    probabilities = np.exp(margins[0]) / np.exp(margins[0]).sum(axis=1, keepdims=True)
    ours = cross_entropy(torch.from_numpy(margins), torch.from_numpy(labels)).mean().item()
    assert ours == pytest.approx(log_loss(labels, probabilities))
    events = (labels > 0).astype(int)
    ours = cross_entropy(torch.from_numpy(margins[:, :, :1]), torch.from_numpy(events)).mean().item()
    assert ours == pytest.approx(log_loss(events, 1 / (1 + np.exp(-margins[0, :, 0]))))


def test_constant_outcome_is_learned(make_patients):
    patients = make_patients("continuous", 60, 0)
    fitted = Mlp(QUICK).fit(patients.table, np.full(60, 7.5), patients.target, groups=None, seed=0)
    np.testing.assert_allclose(fitted.predictor.predict(patients.table.frame), 7.5, atol=0.5)


def test_one_class_is_refused(make_patients):
    patients = make_patients("binary", 60, 0)
    with pytest.raises(FitError, match="one class"):
        Mlp(QUICK).fit(patients.table, np.zeros(60, int), patients.target, groups=None, seed=0)


@pytest.mark.parametrize("wrong", [{"width": 1}, {"dropout": 1.0}, {"impute": "none"}, {"layers": 2}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        MlpParams(**wrong)


def test_search_space_stays_within_bounds():
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        drawn = Mlp.search_space(study.ask(), MlpParams(n_members=3))
        assert MlpParams(**drawn.model_dump()) == drawn
        assert drawn.n_members == 3
