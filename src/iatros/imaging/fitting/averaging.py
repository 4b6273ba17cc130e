"""The moving average of a network's weights."""

from __future__ import annotations

import copy

import torch

from iatros.imaging.models.network import ImageNetwork


class MovingAverage:
    """A second network whose parameters and running statistics are averages over the steps of training.

    The decay rises as (1 + steps) / (10 + steps) up to `decay`, so that the first, random weights are soon
    forgotten. With `decay` 0 the second network is the first one, step by step.
    """

    def __init__(self, network: ImageNetwork, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._averages, self._followed = _pairs(self.network, network)

    @torch.no_grad()
    def update(self) -> None:
        """One step of training is done."""
        self.steps += 1
        weight = 1.0 - min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.decay else 1.0
        torch._foreach_lerp_(self._averages, self._followed, weight)


def _pairs(
    average: torch.nn.Module, network: torch.nn.Module
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The tensors of floating point numbers of both, in one order; counters need no average."""
    ours, theirs = average.state_dict(), network.state_dict()
    names = [name for name, value in ours.items() if value.is_floating_point()]
    return [ours[name] for name in names], [theirs[name] for name in names]
