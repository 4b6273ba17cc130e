"""Small torch networks that keep the contract of iatros.imaging.models, with weights that are not symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from iatros.imaging.schema import InputSpec

IMAGE = InputSpec("image", 1, (14, 10))
COLOUR = InputSpec("image", 3, (9, 12))
VOLUME = InputSpec("volume", 1, (5, 9, 7))
SEQUENCE = InputSpec("sequence", 1, (11, 8), max_slices=9)


def inputs_for(spec: InputSpec, n: int, seed: int = 5) -> Any:
    """n inputs of `spec` with a bright corner that wanders; studies have 1, 4, 2, 7, 4 ... slices."""
    rng = np.random.default_rng(seed)
    if spec.kind != "sequence":
        images = rng.random((n, spec.channels, *spec.size), dtype=np.float32) ** 2
        for row in range(n):
            images[row, ..., : 1 + row % 4, : 2 + row % 3] = 1.0
        return images
    lengths = [(1, 4, 2, 7, 4)[row % 5] for row in range(n)]
    return [rng.random((length, spec.channels, *spec.size), dtype=np.float32) ** 2 for length in lengths]


class SmallNetwork(nn.Module):
    """Two convolutions with a skip; a patient table is put beside the features where there is one."""

    def __init__(self, spec: InputSpec, n_outputs: int, n_columns: int = 0) -> None:
        super().__init__()
        convolution, norm = (
            (nn.Conv3d, nn.BatchNorm3d) if spec.kind == "volume" else (nn.Conv2d, nn.BatchNorm2d)
        )
        self.register_buffer("mean", torch.full((spec.channels,), 0.4))
        self.register_buffer("std", torch.full((spec.channels,), 0.3))
        self.first = convolution(spec.channels, 16, 3, padding=1)
        self.norm = norm(16)
        self.second = convolution(16, 16, 3, padding=1)
        self.head = nn.Linear(16 + n_columns, n_outputs)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        shape = (1, -1) + (1,) * (images.ndim - 2)
        scaled = (images - self.mean.view(shape)) / self.std.view(shape)
        hidden = torch.relu(self.norm(self.first(scaled)))
        hidden = hidden + torch.relu(self.second(hidden))
        return hidden.flatten(2).mean(dim=2)

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        features = self.features(images)
        if table is not None:
            features = torch.cat([features, table], dim=1)
        return {"logits": self.head(features), "features": features}


class SmallSequenceNetwork(nn.Module):
    """Convolutions over slices, a bidirectional recurrent network over the study, attention at the end."""

    def __init__(self, spec: InputSpec, n_outputs: int, cell: str) -> None:
        super().__init__()
        self.slices = SmallNetwork(spec, 1)
        recurrent = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.recurrent = recurrent(16, 6, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(12, 1)
        self.head = nn.Linear(12, n_outputs)

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        n, s = images.shape[:2]
        hidden, _ = self.recurrent(
            self.slices.features(images.reshape(n * s, *images.shape[2:])).reshape(n, s, -1)
        )
        weights = torch.softmax(self.attention(hidden)[..., 0], dim=1)
        features = (weights[..., None] * hidden).sum(dim=1)
        return {"logits": self.head(features), "features": features, "slice_weights": weights}


def seeded(seed: int, make: Any, *args: Any, **more: Any) -> Any:
    """A network with seeded weights and batch statistics that are not those of a fresh one, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make(*args, **more)
        for module in network.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
                module.running_mean.uniform_(-0.3, 0.4)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.data.uniform_(0.5, 1.5)
    return network.eval()
