"""Networks in numpy: token by token the same log-odds as torch gives for whole lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iatros.learners.compounds.tokens import END, PAD
from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.networks.attending import Attending, attending_network
from iatros.molecules.generators.networks.decoding import Decoder
from iatros.molecules.generators.networks.gated import gated_network
from iatros.molecules.generators.training.weights import weights_of

torch = pytest.importorskip("torch")

CODES = np.random.default_rng(3).integers(4, 11, size=(6, 9))


def both(kind: str) -> tuple[Any, Any]:
    """A torch network with large weights, and the same in numpy."""
    torch.manual_seed(1)
    if kind == "gated":
        network = gated_network(n_tokens=11, embedding=5, units=17, layers=2)
    else:
        network = attending_network(n_tokens=11, longest=9, width=12, layers=11, heads=3)
    network.low = False
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    weights = weights_of(network)
    return network.eval(), Decoder(weights) if kind == "gated" else Attending(weights, 3)


@pytest.mark.parametrize("kind", ["gated", "attending"])
def test_steps_are_those_of_torch(kind: str) -> None:
    network, steps = both(kind)
    expected = network(torch.from_numpy(CODES)).detach().numpy()
    states = steps.start(len(CODES))
    for place in range(CODES.shape[1]):
        odds, states = steps.step(CODES[:, place], states)
        assert odds.dtype == np.float32
        np.testing.assert_allclose(odds, expected[:, place], atol=1e-5)


@pytest.mark.parametrize("kind", ["gated", "attending"])
@pytest.mark.parametrize("rows", [[4, 1], [True, False, False, True, True, False], [5, 0, 2, 3, 1]])
def test_some_lines_go_on_as_if_alone(kind: str, rows: list[int]) -> None:
    network, steps = both(kind)
    lines = np.array(CODES)
    expected = network(torch.from_numpy(lines)).detach().numpy()
    states = steps.start(len(lines))
    for place in range(9):
        if place in (3, 6):
            chosen = np.array(rows if place == 3 else [True, *[False] * (len(lines) - 1)])
            lines, expected, states = lines[chosen], expected[chosen], steps.kept(states, chosen)
        odds, states = steps.step(lines[:, place], states)
        np.testing.assert_allclose(odds, expected[:, place], atol=1e-5)


def test_what_is_given_travels_with_its_line() -> None:
    _, decoder = both("gated")
    loud = np.zeros((300, 51), dtype=np.float32)
    loud[:256] = np.random.default_rng(1).normal(size=(256, 51), scale=3.0)
    rng = np.random.default_rng
    plain = decoder.write(300, rng=rng(0), draw=Draw(), longest=20, given=np.zeros_like(loud))
    given = decoder.write(300, rng=rng(0), draw=Draw(), longest=20, given=loud)
    assert (plain == decoder.write(300, rng=rng(0), draw=Draw(), longest=20)).all()
    assert (plain[256:] == given[256:]).all()
    assert (plain[:256] != given[:256]).any(axis=1).mean() > 0.5


def test_nothing_follows_the_end() -> None:
    _, decoder = both("gated")
    lines = decoder.write(500, rng=np.random.default_rng(0), draw=Draw(), longest=30)
    assert lines.shape == (500, 30)
    for line in lines.tolist():
        after = line[line.index(END) + 1 :] if END in line else []
        assert set(after) <= {PAD}
        assert not set(line[: len(line) - len(after)]) & {PAD, 1, 2}


def test_none_at_all() -> None:
    _, decoder = both("gated")
    assert decoder.write(0, rng=np.random.default_rng(0), draw=Draw(), longest=30).shape == (0, 30)
