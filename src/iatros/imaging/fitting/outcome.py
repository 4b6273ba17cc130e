"""Labels as a network learns them, and its answers back in the outcome's own unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from iatros.core.errors import FitError
from iatros.imaging.fitting.data import TrainingData
from iatros.imaging.models.network import ImageNetwork
from iatros.imaging.schema import Objective


@dataclass(frozen=True)
class Outcome:
    """Labels as they are learned: a quantity around 0 with the spread 1, anything else as it is."""

    values: np.ndarray
    centre: float = 0.0
    spread: float = 1.0

    @torch.no_grad()
    def fold(self, network: ImageNetwork) -> None:
        """Make a network that answers in standardised values answer in the outcome's unit."""
        if (self.centre, self.spread) != (0.0, 1.0):
            network.head.weight.mul_(self.spread)
            network.head.bias.mul_(self.spread).add_(self.centre)

    @torch.no_grad()
    def unfold(self, network: ImageNetwork) -> None:
        """The reverse of `fold`."""
        if (self.centre, self.spread) != (0.0, 1.0):
            network.head.bias.sub_(self.centre).div_(self.spread)
            network.head.weight.div_(self.spread)


def standardised(objective: Objective, data: TrainingData) -> Outcome:
    """The labels of `data` as a network with this objective learns them."""
    if objective != "squared-error":
        return Outcome(np.asarray(data.y))
    known = np.asarray(data.y, dtype=float)[data.train]
    centre, spread = float(known.mean()), float(known.std())
    if not spread > 0:
        raise FitError("all training images have the same value", hint="use a larger training side")
    return Outcome((np.asarray(data.y, dtype=float) - centre) / spread, centre, spread)
