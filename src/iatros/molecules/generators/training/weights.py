"""Weights of networks and moments of optimisers as named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def state_of(
    networks: Mapping[str, torch.nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, np.ndarray]:
    """The weights of several networks and the moments of their optimisers as named arrays."""
    arrays: dict[str, np.ndarray] = {}
    for owner, network in networks.items():
        arrays |= {f"network/{owner}/{name}": value for name, value in weights_of(network).items()}
    for owner, optimiser in optimisers.items():
        for place, held in optimiser.state_dict()["state"].items():
            for name, value in held.items():
                arrays[f"optimiser/{owner}/{place}/{name}"] = np.array(value.cpu().numpy())
    return arrays


def restore(
    arrays: Mapping[str, np.ndarray],
    networks: Mapping[str, torch.nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Put back what `state_of` gave."""
    import torch

    for owner, network in networks.items():
        start = f"network/{owner}/"
        put_into(network, {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)})
    for owner, optimiser in optimisers.items():
        moments: dict[int, dict[str, Any]] = {}
        start = f"optimiser/{owner}/"
        for key, value in arrays.items():
            if key.startswith(start):
                place, name = key.removeprefix(start).split("/")
                moments.setdefault(int(place), {})[name] = torch.from_numpy(np.array(value))
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def weights_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Copies of a network's weights and buffers by name."""
    return {name: np.array(value.detach().cpu().numpy()) for name, value in network.state_dict().items()}


def put_into(network: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the named weights into `network`; those that `arrays` does not name stay as they are."""
    import torch

    named = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    network.load_state_dict({**network.state_dict(), **named})
