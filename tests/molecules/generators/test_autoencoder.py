"""The network that reads and writes: the same numbers with torch and without, and losses worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import FitError
from iatros.learners.compounds.tokens import BEGIN, END, PAD, UNKNOWN
from iatros.molecules.generators.networks.autoencoder import (
    Sizes,
    as_tensor,
    cyclical,
    divergence,
    hidden_tokens,
    network_class,
    reconstruction,
    stored_weights,
    with_free_bits,
)
from iatros.molecules.generators.networks.convolving import Encoder
from iatros.molecules.generators.networks.decoding import Decoder
from iatros.molecules.generators.training.learning import finite

SIZES = Sizes(
    n_tokens=11, longest=20, embedding=7, channels=9, latent=5, units=16, layers=2, variational=True
)


@pytest.fixture(scope="module")
def network() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return network_class()(SIZES, ("reconstruction",), 4).eval()


def lines(lengths: tuple[int, ...] = (12, 1, 7, 18)) -> np.ndarray:
    codes = np.full((len(lengths), 20), PAD, dtype=np.uint8)
    rng = np.random.default_rng(0)
    for row, length in enumerate(lengths):
        codes[row, : length + 2] = [BEGIN, *rng.integers(4, 11, length), END]
    return codes


def part(network: Any, name: str) -> dict[str, np.ndarray]:
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in stored_weights(network).items() if k.startswith(start)}


def test_numpy_reads_what_torch_reads(network: Any) -> None:
    codes = lines()
    mean, log_variance = Encoder(part(network, "encoder")).encode(codes)
    with torch.no_grad():
        wanted = network.encoder(as_tensor(codes, network))
    np.testing.assert_allclose(mean, wanted[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(log_variance, wanted[1].numpy(), atol=1e-5)
    assert mean.dtype == np.float32
    assert mean.shape == (4, 5)


def test_what_else_is_read_changes_nothing(network: Any) -> None:
    encoder = Encoder(part(network, "encoder"))
    together, _ = encoder.encode(lines())
    alone, _ = encoder.encode(lines()[1:2])
    np.testing.assert_allclose(alone[0], together[1], atol=1e-6)


def test_the_order_of_tokens_matters(network: Any) -> None:
    codes = lines()
    turned = codes.copy()
    turned[0, 1:13] = codes[0, 12:0:-1]
    encoder = Encoder(part(network, "encoder"))
    assert np.abs(encoder.encode(codes)[0][0] - encoder.encode(turned)[0][0]).max() > 1e-3


def plain_odds(network: Any, codes: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """The decoder as torch's own layers compute it."""
    decoder = network.decoder
    given = torch.cat([decoder.embedding(codes), latents[:, None].expand(-1, codes.shape[1], -1)], dim=2)
    return decoder.last(decoder.cells(given)[0])


def test_numpy_writes_what_torch_writes(network: Any) -> None:
    codes, latents = (
        lines().astype(np.int64),
        np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32),
    )
    decoder = Decoder(part(network, "decoder"))
    given = latents @ decoder.layers[0].of_input[:, SIZES.embedding :].T
    states, found = decoder.start(4), []
    for place in range(codes.shape[1]):
        odds, states = decoder.step(codes[:, place], states, given)
        found.append(odds)
    with torch.no_grad():
        wanted = plain_odds(network, torch.from_numpy(codes), torch.from_numpy(latents))
    np.testing.assert_allclose(np.stack(found, axis=1), wanted.numpy(), atol=2e-5)


def test_the_fast_writer_equals_torchs_layers_with_their_gradients(network: Any) -> None:
    codes = torch.from_numpy(lines().astype(np.int64))
    latents = torch.randn(4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    found, wanted = network.decoder(codes, latents), plain_odds(network, codes, latents)
    # Its products may be in bfloat16, whose numbers have 8 bits.
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.02)
    weights = [latents, *network.decoder.parameters()]
    for one, other in zip(
        torch.autograd.grad(found.square().mean(), weights),
        torch.autograd.grad(wanted.square().mean(), weights),
        strict=True,
    ):
        assert (one - other).norm() < 0.02 * other.norm() + 1e-4


def test_reconstruction_is_the_surprise_of_all_tokens_and_ends(network: Any) -> None:
    codes, latents = lines((3, 1)), torch.zeros(2, 5)
    with torch.no_grad():
        nats, n_tokens = reconstruction(network, codes, latents)
        known = torch.from_numpy(codes[:, :5].astype(np.int64))
        shares = plain_odds(network, known[:, :-1], latents).log_softmax(dim=2)
    by_hand = -sum(
        float(shares[row, place, known[row, place + 1]])
        for row, length in ((0, 4), (1, 2))
        for place in range(length)
    )
    assert n_tokens == 6
    assert float(nats) == pytest.approx(by_hand, rel=5e-3)


def test_divergence_is_that_of_torch_distributions() -> None:
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2, -3.0]])
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_variance), wanted)


def test_divergence_is_charged_in_full_where_nothing_is_free() -> None:
    mean, log_variance = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    whole = divergence(mean, log_variance).mean(dim=0).sum()
    assert float(with_free_bits(mean, log_variance, 0.0)) == pytest.approx(float(whole), rel=1e-5)


def test_information_is_free_and_lying_beside_the_prior_is_not() -> None:
    # one unit whose means are 0.6 and -0.6 and whose variances are 0.64: together they have mean 0 and variance 1
    mean, log_variance = torch.tensor([[0.6], [-0.6]]), torch.full((2, 1), math.log(0.64))
    information = 0.5 * math.log(1 / 0.64)
    assert float(with_free_bits(mean, log_variance, 0.1)) == pytest.approx(information - 0.1)
    assert float(with_free_bits(mean, log_variance, information)) == pytest.approx(0.0, abs=1e-6)
    # moved by 1 they hold no more information, and 1 / 2 is charged for lying beside the prior
    assert float(with_free_bits(mean + 1.0, log_variance, information)) == pytest.approx(0.5)


def test_a_unit_that_holds_less_than_is_free_is_led_to_hold_more() -> None:
    mean = torch.tensor([[0.6, 0.01], [-0.6, -0.01]], requires_grad=True)
    log_variance = torch.tensor([[math.log(0.64), 0.0]] * 2)
    charged = with_free_bits(mean, log_variance, 0.1)
    # the first unit holds 0.22 nats and the second none: what one has too much the other does not make up for
    assert float(charged.detach()) == pytest.approx(0.5 * math.log(1 / 0.64) - 0.1 + 0.1, abs=1e-3)
    (slope,) = torch.autograd.grad(charged, mean)
    assert slope[0, 0] > 0 > slope[0, 1]
    assert slope[1, 0] < 0 < slope[1, 1]


def test_the_weight_rises_in_cycles() -> None:
    # four cycles in the first half: each lasts 1/8, and rises over its first half
    by_hand = {0.0: 0.0, 1 / 32: 0.5, 1 / 16: 1.0, 3 / 32: 1.0, 1 / 8: 0.0, 5 / 32: 0.5, 0.5: 1.0, 0.7: 1.0}
    assert {share: cyclical(share, 4, 0.5) for share in by_hand} == by_hand
    assert cyclical(0.0, 0, 0.5) == 1.0


@given(st.floats(0, 1), st.integers(0, 20), st.floats(0.01, 1))
def test_the_weight_lies_between_0_and_1(share: float, cycles: int, annealed: float) -> None:
    assert 0.0 <= cyclical(share, cycles, annealed) <= 1.0
    assert share < annealed or cyclical(share, cycles, annealed) == 1.0


def test_only_tokens_are_hidden() -> None:
    codes = np.tile(lines((18,)), (500, 1))
    hidden = hidden_tokens(codes, 0.3, np.random.default_rng(0))
    assert hidden.dtype == codes.dtype
    changed = hidden != codes
    assert set(hidden[changed]) == {UNKNOWN}
    assert not changed[codes < 4].any()
    assert changed[codes >= 4].mean() == pytest.approx(0.3, abs=0.02)
    assert hidden_tokens(codes, 0.0, np.random.default_rng(0)) is codes


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training(value: float) -> None:
    with pytest.raises(FitError, match=r"the loss is (nan|inf).*smaller learning rate"):
        finite(torch.tensor(value), "the loss")
