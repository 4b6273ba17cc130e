"""Torch networks whose answer can be read off by eye: they look at one corner, and nowhere else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from iatros.imaging.schema import InputSpec

IMAGE = InputSpec("image", 1, (40, 28))
COLOUR = InputSpec("image", 3, (28, 40))
VOLUME = InputSpec("volume", 1, (12, 20, 16))
SEQUENCE = InputSpec("sequence", 1, (28, 20), max_slices=9)


class CornerEncoder(nn.Module):
    """Brightness against the neighbourhood, 0 outside the upper right corner (of the first third of the slices)."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        volume = spec.kind == "volume"
        convolution = nn.Conv3d if volume else nn.Conv2d
        self.convolution = convolution(spec.channels, 4, 3, padding=1)
        with torch.no_grad():
            self.convolution.weight.normal_()
            self.convolution.bias.fill_(0.1)
        rows, columns = spec.size[-2:]
        corner = torch.zeros(spec.size)
        corner[..., : rows // 3, columns - columns // 3 :] = 1.0
        if volume:
            corner[spec.size[0] // 3 :] = 0.0
        self.register_buffer("corner", corner)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(images)) * self.corner


class CornerNetwork(nn.Module):
    """Output 1 is for a bright corner, output 0 against; a table's first column multiplies both."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.encoder = CornerEncoder(spec)
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            strength = torch.tensor([0.7, 1.3, 0.4, 0.9])
            self.head.weight.copy_(torch.stack([-strength, strength]))
            self.head.bias.zero_()

    def heat_layer(self) -> nn.Module:
        return self.encoder

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        features = self.encoder(images).flatten(2).sum(dim=2)
        logits = self.head(features)
        return {"logits": logits if table is None else logits * table[:, :1], "features": features}


class CornerSequence(CornerNetwork):
    """The same over slices, of which the third one has nearly all the weight."""

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        n, slices = images.shape[:2]
        weights = torch.full((n, slices), 0.02)
        weights[:, 2] = 1 - 0.02 * (slices - 1)
        features = self.encoder(images.flatten(0, 1)).flatten(2).sum(dim=2).reshape(n, slices, -1)
        read = (weights[..., None] * features).sum(dim=1)
        return {"logits": self.head(read), "features": read, "slice_weights": weights}


class LinearNetwork(nn.Module):
    """One output, a weighted sum of the pixels: every attribution is known."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        return {"logits": (images * self.weights).flatten(1).sum(dim=1, keepdim=True)}


def corner(spec: InputSpec) -> CornerNetwork:
    """The network that looks at the corner of an input of `spec`."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return (CornerSequence if spec.kind == "sequence" else CornerNetwork)(spec)
