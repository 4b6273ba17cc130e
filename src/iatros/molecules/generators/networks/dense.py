"""A deep dense network that makes latent vectors of noise: as it learns with torch, and as it is stored and run."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from iatros.molecules.generators.networks.stepping import in_batches

SLOPE = 0.2
"""Of the leaky rectifier below 0."""
_EPSILON = 1e-5
"""What torch's batch normalisation adds to a variance."""


@cache
def generator_class() -> Any:
    """The class that learns, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn import functional

    class DenseGenerator(nn.Module):
        """Latent vectors (n, latent) of `noise` (n, width): dense layers with batch normalisation and leaky rectifiers.

        The last layer's tanh is stretched to `reach` (latent,), so nothing lies farther from 0 than what was learned
        from (Radford et al. 2016, arXiv:1511.06434, for networks without convolutions).
        """

        reach: torch.Tensor

        def __init__(self, width: int, units: int, layers: int, reach: np.ndarray) -> None:
            super().__init__()
            widths = [width, *[units] * layers]
            self.dense = nn.ModuleList(
                nn.Linear(before, after, bias=False) for before, after in pairwise(widths)
            )
            self.normal = nn.ModuleList(nn.BatchNorm1d(units, eps=_EPSILON) for _ in range(layers))
            self.last = nn.Linear(units, len(reach))
            self.register_buffer("reach", torch.from_numpy(np.asarray(reach, dtype=np.float32)))

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            for dense, normal in zip(self.dense, self.normal, strict=True):
                noise = functional.leaky_relu(normal(dense(noise)), SLOPE)
            return self.last(noise).tanh() * self.reach

    return DenseGenerator


@cache
def critic_class() -> Any:
    """The class of its opponent, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Critic(nn.Module):
        """How real each of `latents` (n, latent) looks, a number (n,) without bounds.

        Without normalisation over the batch, because the penalty is of each vector's own slope.
        """

        def __init__(self, latent: int, units: int, layers: int) -> None:
            super().__init__()
            widths = [latent, *[units] * layers]
            self.dense = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
            self.last = nn.Linear(units, 1)

        def forward(self, latents: torch.Tensor) -> torch.Tensor:
            for dense in self.dense:
                latents = functional.leaky_relu(dense(latents), SLOPE)
            return self.last(latents)[:, 0]

    return Critic


def folded(weights: dict[str, np.ndarray], centre: np.ndarray, spread: np.ndarray) -> dict[str, np.ndarray]:
    """What `Dense` runs with, from the weights of a `DenseGenerator` that made (latents - centre) / spread.

    Batch normalisation, as it is after learning, is part of the layer before it.
    """
    found: dict[str, np.ndarray] = {}
    layers = sum(name.startswith("dense.") for name in weights)
    for k in range(layers):
        scale = weights[f"normal.{k}.weight"] / np.sqrt(weights[f"normal.{k}.running_var"] + _EPSILON)
        found[f"layers.{k}.weight"] = weights[f"dense.{k}.weight"] * scale[:, None]
        found[f"layers.{k}.bias"] = weights[f"normal.{k}.bias"] - weights[f"normal.{k}.running_mean"] * scale
    found[f"layers.{layers}.weight"] = weights["last.weight"]
    found[f"layers.{layers}.bias"] = weights["last.bias"]
    found |= {"reach": weights["reach"] * spread, "centre": centre}
    return {name: np.asarray(value, dtype=np.float32) for name, value in found.items()}


class Dense:
    """The network as it is stored, float32: `layers.<k>.weight` and `.bias`, `reach` and `centre` (latent,)."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        n = sum(name.endswith(".weight") for name in weights)
        self.layers = [(weights[f"layers.{k}.weight"].T, weights[f"layers.{k}.bias"]) for k in range(n)]
        self.reach, self.centre = weights["reach"], weights["centre"]

    @property
    def width(self) -> int:
        """Length of the noise."""
        return len(self.layers[0][0])

    def make(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Latent vectors, float32 (n, latent), of standard normal noise."""

        def batch(begin: int, end: int, own: np.random.Generator) -> np.ndarray:
            return self.latents(own.standard_normal((end - begin, self.width), dtype=np.float32))

        none = np.zeros((0, len(self.centre)), dtype=np.float32)
        return np.concatenate([none, *in_batches(batch, n, rng)])

    def latents(self, noise: np.ndarray) -> np.ndarray:
        """Latent vectors (n, latent) of `noise` (n, width)."""
        *hidden, last = self.layers
        for weight, bias in hidden:
            noise = noise @ weight + bias
            noise = np.where(noise > 0, noise, np.float32(SLOPE) * noise)
        out: np.ndarray = np.tanh(noise @ last[0] + last[1]) * self.reach + self.centre
        return out


def scale_of(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, spread (standard deviation) and reach (greatest distance from the centre, in spreads) of each unit."""
    centre, spread = latents.mean(axis=0), np.maximum(latents.std(axis=0), 1e-6)
    reach = np.abs((latents - centre) / spread).max(axis=0)
    return centre, spread, reach
