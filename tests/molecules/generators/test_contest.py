"""The adversaries in a latent space: the penalty by hand, the stored network, and whether they learn a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from tests.molecules.generators.small import training

from iatros.core.errors import FitError
from iatros.molecules.generators.adversarial.collapse import JUDGED
from iatros.molecules.generators.adversarial.contest import Adversaries, Contest, Latents, slope_penalty
from iatros.molecules.generators.networks.dense import Dense, folded, generator_class, scale_of
from iatros.molecules.generators.training.turns import LOOKS, take_turns
from iatros.molecules.generators.training.weights import weights_of

CONTEST = Contest(
    noise=4, generator_units=16, generator_layers=2, critic_units=16, critic_layers=2, critic_steps=3, penalty=1.0,
    averaging=0.9, steps=150, batch_size=64, learning_rate=5e-3,
)  # fmt: skip


def judged(_: dict[str, np.ndarray]) -> Mapping[str, float]:
    return dict.fromkeys(JUDGED, 0.0)


def rings(n: int, seed: int) -> np.ndarray:
    """Points on two arcs of unlike length and place, in the plane."""
    rng = np.random.default_rng(seed)
    angle = np.where(rng.random(n) < 0.7, rng.uniform(0, 2, n), rng.uniform(3, 3.5, n))
    points = np.stack([5 + 3 * np.cos(angle), 1 + np.sin(angle)], axis=1)
    return points.astype(np.float32)


def latents() -> Latents:
    real = rings(800, 0)
    centre, spread, reach = scale_of(real)
    return Latents((real - centre) / spread, (rings(300, 1) - centre) / spread, centre, spread, reach)


def test_the_penalty_of_a_linear_critic_is_that_of_its_slope() -> None:
    slope = torch.tensor([3.0, -4.0, 0.0], requires_grad=True)
    real, made = torch.randn(6, 3), torch.randn(6, 3)
    penalty = slope_penalty(lambda x: x @ slope, real, made, torch.rand(6, 1))
    assert float(penalty.detach()) == pytest.approx((5.0 - 1.0) ** 2)
    (of_slope,) = torch.autograd.grad(penalty, slope)
    # the gradient of (|w| - 1)^2 is 2 (|w| - 1) w / |w|
    np.testing.assert_allclose(of_slope.numpy(), 2 * 4 * np.array([3, -4, 0]) / 5, rtol=1e-5)


def test_the_penalty_is_taken_between_the_real_and_the_made() -> None:
    real, made, mix = torch.tensor([[2.0]]), torch.tensor([[-2.0]]), torch.tensor([[0.75]])
    # the slope of x^2 at 0.75 * 2 - 0.25 * 2 = 1 is 2
    assert float(slope_penalty(lambda x: x[:, 0].square(), real, made, mix).detach()) == pytest.approx(1.0)


def test_the_stored_network_equals_torch() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = generator_class()(4, 9, 3, np.array([1.0, 2.0, 0.5], dtype=np.float32))
        for _ in range(5):
            network(2.0 + 3.0 * torch.randn(40, 4))  # the means and variances of the batches move on
        network.eval()
        noise = torch.randn(20, 4)
    centre, spread = np.array([1.0, -2.0, 0.0]), np.array([0.5, 3.0, 1.0])
    stored = Dense(folded(weights_of(network), centre, spread))
    with torch.no_grad():
        wanted = network(noise).numpy() * spread + centre
    np.testing.assert_allclose(stored.latents(noise.numpy()), wanted, atol=1e-5)
    assert stored.width == 4
    assert stored.make(0, np.random.default_rng(0)).shape == (0, 3)


def test_nothing_lies_beyond_what_was_learned_from() -> None:
    real = rings(500, 0)
    centre, spread, reach = scale_of(real)
    network = generator_class()(4, 9, 1, reach)
    made = Dense(folded(weights_of(network.eval()), centre, spread)).latents(
        1e3 * np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    )
    assert (np.abs(made - centre) <= np.abs(real - centre).max(axis=0) + 1e-5).all()


def test_they_learn_a_distribution() -> None:
    adversaries = Adversaries(CONTEST, latents(), judged, 0)
    history = take_turns(adversaries, CONTEST.steps, training(), "learning", seed=0)
    assert [one["turn"] for one in history] == [15.0 * k for k in range(1, LOOKS + 1)]
    assert set(history[0]) == {"turn", *adversaries.told, *adversaries.seen}
    assert history[-1]["wasserstein"] < 0.5 * max(one["wasserstein"] for one in history)
    assert history[-1]["recall"] > 0.5
    made = Dense(adversaries.folded()).make(2000, np.random.default_rng(1))
    np.testing.assert_allclose(made.mean(axis=0), rings(5000, 9).mean(axis=0), atol=0.5)
    np.testing.assert_allclose(made.std(axis=0), rings(5000, 9).std(axis=0), rtol=0.5)


def test_what_was_kept_goes_on_where_it_was() -> None:
    one = Adversaries(CONTEST, latents(), judged, 0)
    take_turns(one, 20, training(), "learning", seed=0)
    other = Adversaries(CONTEST, latents(), judged, 7)
    other.begin_with(one.kept())
    for name, value in one.folded().items():
        np.testing.assert_array_equal(other.folded()[name], value)


def test_a_loss_that_runs_off_is_told() -> None:
    adversaries: Any = Adversaries(CONTEST, latents(), judged, 0)
    adversaries.real[:] = float("nan")
    with pytest.raises(FitError, match="the critic's loss is nan"):
        take_turns(adversaries, 5, training(), "learning", seed=0)
