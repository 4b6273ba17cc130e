"""The gated units that learn: the same numbers and gradients as torch's own."""

from __future__ import annotations

from typing import Any

import pytest

from iatros.molecules.generators.networks.gated import gated_network

torch = pytest.importorskip("torch")


@pytest.fixture(params=[1, 2])
def network(request: pytest.FixtureRequest) -> Any:
    """A lopsided network of one and of two layers."""
    torch.manual_seed(0)
    network = gated_network(n_tokens=11, embedding=5, units=17, layers=request.param)
    network.low = False
    return network


def of_torch(network: Any, codes: Any) -> Any:
    """What the network answers by way of `torch.nn.GRU`."""
    return network.last(network.cells(network.embedding(codes))[0])


def gradients(network: Any, odds: Any) -> list[Any]:
    """Of a sum whose terms all differ."""
    weighed = odds * torch.arange(odds.numel()).reshape(odds.shape).sin()
    return list(torch.autograd.grad(weighed.sum(), list(network.parameters())))


def test_answers_and_gradients_are_those_of_torch(network: Any) -> None:
    codes = torch.arange(6 * 9).reshape(6, 9) % 11
    own, theirs = network(codes), of_torch(network, codes)
    assert torch.allclose(own, theirs, atol=1e-6)
    for one, other in zip(gradients(network, own), gradients(network, theirs), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near(network: Any) -> None:
    codes = torch.arange(6 * 9).reshape(6, 9) % 11
    theirs = of_torch(network, codes)
    network.low = True
    own = network(codes)
    assert own.dtype == torch.float32
    assert torch.allclose(own, theirs, atol=0.01)
    for one, other in zip(gradients(network, own), gradients(network, theirs), strict=True):
        assert float((one - other).norm()) <= 0.02 * float(other.norm()) + 1e-4


def test_units_are_left_out_in_training_only(network: Any) -> None:
    codes = torch.arange(6 * 9).reshape(6, 9) % 11
    network.share = 0.5
    network.train()
    assert not torch.equal(network(codes), network(codes))
    network.eval()
    assert torch.equal(network(codes), network(codes))
