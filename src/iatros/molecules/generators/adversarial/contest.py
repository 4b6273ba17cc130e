"""Two networks that learn from each other: a generator of latent vectors, and a critic that tells them from real ones.

Wasserstein's distance with a penalty on the critic's slope (Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1), on
the latent vectors of a library (LatentGAN, Prykhodko et al. 2019, J Cheminform 11:74).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from iatros.molecules.generators.adversarial.collapse import JUDGED, precision_and_recall
from iatros.molecules.generators.networks.dense import critic_class, folded, generator_class
from iatros.molecules.generators.training.learning import device, finite
from iatros.molecules.generators.training.weights import put_into, weights_of

if TYPE_CHECKING:
    import torch

_COMPARED = 2000
"""Latent vectors of each kind whose grounds are compared."""
_BETAS = (0.0, 0.9)

Judge = Callable[[dict[str, np.ndarray]], Mapping[str, float]]
"""The numbers called `collapse.JUDGED` of what the vectors of the generator, folded, become as texts."""


@dataclass(frozen=True)
class Contest:
    """Sizes of both networks, and how they are taught."""

    noise: int
    generator_units: int
    generator_layers: int
    critic_units: int
    critic_layers: int
    critic_steps: int
    penalty: float
    averaging: float
    steps: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Latents:
    """Latent vectors (n, latent) of a library, less `centre` and over `spread` (latent,), and how far they `reach`."""

    real: np.ndarray
    tuning: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    reach: np.ndarray


def sizes_of(kept: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes of the adversaries whose weights `Adversaries.kept` gave, by their names in `Contest`."""
    layers = {
        owner: sum(name.startswith(f"{owner}/dense.") and name.endswith(".weight") for name in kept)
        for owner in ("generator", "critic")
    }
    units, noise = kept["generator/dense.0.weight"].shape
    return {
        "noise": noise,
        "generator_units": units,
        "generator_layers": layers["generator"],
        "critic_units": len(kept["critic/dense.0.weight"]),
        "critic_layers": layers["critic"],
    }


def slope_penalty(critic: Any, real: torch.Tensor, made: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """The mean of (length of the critic's gradient - 1) squared at `mix` (n, 1) of the way from `made` to `real`."""
    import torch

    between = (mix * real + (1.0 - mix) * made).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.norm(dim=1) - 1.0).square().mean()


class Adversaries:
    """The generator, a running average of it that is kept in the end, and the critic; `Opponents` of `turns`."""

    told: ClassVar[tuple[str, ...]] = ("critic_loss", "generator_loss", "gradient_penalty")
    seen: ClassVar[tuple[str, ...]] = ("wasserstein", "precision", "recall", *JUDGED)

    def __init__(self, contest: Contest, latents: Latents, judge: Judge, seed: int) -> None:
        import torch

        self.contest, self.latents, self.judge = contest, latents, judge
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator = generator_class()(
                contest.noise, contest.generator_units, contest.generator_layers, latents.reach
            )
            critic = critic_class()(latents.real.shape[1], contest.critic_units, contest.critic_layers)
        self.generator, self.critic = generator.to(device()), critic.to(device())
        self.average = copy.deepcopy(self.generator)
        self.real = torch.from_numpy(latents.real).to(device())
        self.tuning = torch.from_numpy(latents.tuning).to(device())
        rate = contest.learning_rate
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "generator": torch.optim.Adam(self.generator.parameters(), lr=rate, betas=_BETAS),
            "critic": torch.optim.Adam(self.critic.parameters(), lr=rate, betas=_BETAS),
        }

    @property
    def networks(self) -> dict[str, torch.nn.Module]:
        """All that learns, by name."""
        return {"generator": self.generator, "critic": self.critic, "average": self.average}

    def begin_with(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the weights that `kept` gave, but for the reach, which is that of these latent vectors."""
        for name, network in self.networks.items():
            start = f"{name}/"
            named = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            put_into(network, {k: v for k, v in named.items() if k != "reach"})

    def kept(self) -> dict[str, np.ndarray]:
        """The weights of all networks by name, from which learning can go on."""
        return {
            f"{owner}/{name}": value
            for owner, network in self.networks.items()
            for name, value in weights_of(network).items()
        }

    def folded(self) -> dict[str, np.ndarray]:
        """The average generator as it is stored."""
        return folded(weights_of(self.average), self.latents.centre, self.latents.spread)

    def turn(self, number: int, share: float, rng: np.random.Generator) -> Sequence[float]:
        """Some steps of the critic and one of the generator; the rate falls with the `share` of the way."""
        import torch

        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.contest.learning_rate * (1.0 - share)
        self.generator.train()
        found = [self._critic_step(rng) for _ in range(self.contest.critic_steps)]
        loss = -self.critic(self.generator(self._noise(self.contest.batch_size, rng))).mean()
        finite(loss, "the generator's loss")
        self._learn("generator", loss)
        # At the beginning the average is of few steps.
        averaging = min(self.contest.averaging, (1 + number) / (10 + number))
        with torch.no_grad():
            for average, value in zip(
                self.average.state_dict().values(), self.generator.state_dict().values(), strict=True
            ):
                if average.is_floating_point():
                    average.lerp_(value, 1.0 - averaging)
        critic_loss, penalty = np.mean(found, axis=0).tolist()
        return critic_loss, float(loss.detach()), penalty

    def look(self, rng: np.random.Generator) -> dict[str, float]:
        """What the critic says is Wasserstein's distance to the tuning compounds, and measures of mode collapse."""
        import torch

        self.average.eval()
        with torch.no_grad():
            made = self.average(self._noise(_COMPARED, rng))
            distance = float(self.critic(self.tuning).mean() - self.critic(made).mean())
        rows = rng.choice(len(self.latents.real), min(_COMPARED, len(self.latents.real)), replace=False)
        precision, recall = precision_and_recall(self.latents.real[rows], made.cpu().numpy())
        told = {"wasserstein": distance, "precision": precision, "recall": recall}
        return {**told, **self.judge(self.folded())}

    def _critic_step(self, rng: np.random.Generator) -> tuple[float, float]:
        import torch

        n = min(self.contest.batch_size, len(self.real))
        real = self.real[torch.from_numpy(rng.integers(len(self.real), size=n)).to(self.real.device)]
        with torch.no_grad():
            made = self.generator(self._noise(n, rng))
        mix = torch.from_numpy(rng.random((n, 1), dtype=np.float32)).to(self.real.device)
        penalty = slope_penalty(self.critic, real, made, mix)
        loss = self.critic(made).mean() - self.critic(real).mean() + self.contest.penalty * penalty
        self._learn("critic", finite(loss, "the critic's loss"))
        return float(loss.detach()), float(penalty.detach())

    def _learn(self, name: str, loss: Any) -> None:
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[name].step()

    def _noise(self, n: int, rng: np.random.Generator) -> torch.Tensor:
        import torch

        drawn = rng.standard_normal((n, self.contest.noise), dtype=np.float32)
        return torch.from_numpy(drawn).to(self.real.device)
