"""The recurrent network: its steps by hand, and its graph. What it shares with the convolutions is in test_cnn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from iatros.learners.compounds.tokens import Vocabulary
from iatros.molecules.models.gru import GruParams, _network_class, to_onnx
from iatros.molecules.models.tokens import TokenPredictor

CODES = np.array([[4, 9, 5, 10, 4, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0, 0], [4, 5, 6, 7, 8, 9, 10, 1]])


@pytest.fixture(scope="module")
def network() -> Any:
    import torch

    torch.manual_seed(5)
    return _network_class()(GruParams(embedding=6, units=7, dense=5), 11, 3).eval()


@pytest.fixture(scope="module")
def stored(network: Any) -> TokenPredictor:
    return TokenPredictor(to_onnx(network), Vocabulary(("C",)), 0, 50, False, np.zeros(3), np.ones(3))


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _by_hand(network: Any, codes: list[int]) -> np.ndarray:
    """The equations of torch's documentation of GRU, step by step, in float64."""
    weights = {name: value.detach().numpy().astype(float) for name, value in network.named_parameters()}
    vectors = weights["embedding.weight"][codes]
    sides = []
    for end, steps in (("", range(len(codes))), ("_reverse", reversed(range(len(codes))))):
        state, states = np.zeros(7), np.zeros((len(codes), 7))
        for step in steps:
            given = weights[f"cells.weight_ih_l0{end}"] @ vectors[step] + weights[f"cells.bias_ih_l0{end}"]
            kept = weights[f"cells.weight_hh_l0{end}"] @ state + weights[f"cells.bias_hh_l0{end}"]
            reset = _logistic(given[:7] + kept[:7])
            update = _logistic(given[7:14] + kept[7:14])
            new = np.tanh(given[14:] + reset * kept[14:])
            states[step] = state = (1.0 - update) * new + update * state
        sides.append(states)
    states = np.concatenate(sides, axis=1)
    share = np.exp(states @ weights["weigh.weight"][0])
    vector = (share / share.sum()) @ states
    dense = np.maximum(weights["dense.weight"] @ vector + weights["dense.bias"], 0.0)
    return weights["last.weight"] @ dense + weights["last.bias"]


def test_its_answers_are_those_of_its_equations(network: Any, stored: TokenPredictor) -> None:
    import torch

    expected = np.array([_by_hand(network, [code for code in line if code]) for line in CODES.tolist()])
    assert np.ptp(expected, axis=0).min() > 1e-3
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(CODES)).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(stored.output(CODES), expected, atol=1e-6)


def test_what_fills_up_a_line_is_not_read(network: Any, stored: TokenPredictor) -> None:
    import torch

    filled = np.pad(CODES, ((0, 0), (0, 30)))
    with torch.no_grad():
        trained = network(torch.from_numpy(filled)).numpy()
    np.testing.assert_allclose(trained, stored.output(CODES), atol=1e-6)
    np.testing.assert_allclose(stored.output(filled), stored.output(CODES), atol=1e-6)
    np.testing.assert_allclose(stored.output(CODES[1:2, :1])[0], stored.output(CODES)[1], atol=1e-6)


def test_the_graph_has_the_same_bytes_each_time(network: Any) -> None:
    assert to_onnx(network) == to_onnx(network)
