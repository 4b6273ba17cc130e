"""The frame of every network: normalisation, an encoder, a neck from its map to features, and a linear head."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from iatros.imaging.schema import InputSpec

_LEAST_SPREAD = 1e-3
"""No image has less, so that a blank one does not become noise."""


class ImageNetwork(nn.Module):
    """An encoder whose map (n, f, *spatial) becomes features (n, n_features), and logits (n, n_outputs).

    Takes images (n, channels, *size) from 0 to 1. `standardise` training brings them to mean 0 and spread 1 by `mean`
    and `std`, one number per channel, buffers that training sets to those of the training images; `image` does it
    by each image's own over all channels.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        encoder: nn.Module,
        neck: nn.Module,
        n_features: int,
        n_outputs: int,
        *,
        channels: int,
        dropout: float,
        standardise: Literal["training", "image"] = "training",
    ) -> None:
        super().__init__()
        self.standardise = standardise
        self.register_buffer("mean", torch.full((channels,), 0.5))
        self.register_buffer("std", torch.full((channels,), 0.25))
        self.encoder = encoder
        self.neck = neck
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(n_features, n_outputs)

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, *spatial) with mean 0 and spread 1, over the training images or each alone."""
        if self.standardise == "image":
            own = (-1, *(1,) * (images.dim() - 1))
            flat = images.flatten(1)
            return (images - flat.mean(dim=1).view(own)) / flat.std(dim=1).clamp(min=_LEAST_SPREAD).view(own)
        shape = (1, -1, *(1,) * (images.dim() - 2))
        return (images - self.mean.view(shape)) / self.std.view(shape)

    def parts(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """`logits` (n, n_outputs) and `features` (n, n_features), those that the head sees."""
        features = self.neck(self.encoder(self.normalised(images)))
        return {"logits": self.head(self.dropout(features)), "features": features}

    def forward(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits (n, n_outputs)."""
        return self.parts(images, table, lengths)["logits"]

    def heat_layer(self) -> nn.Module:
        """The module whose output is the last map of convolutions, for Grad-CAM."""
        return self.encoder


class MeanOverSpace(nn.Module):
    """Features as the means of a map over its spatial axes."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, f, *spatial) to (n, f)."""
        return maps.flatten(2).mean(dim=2)


def dimensions(spec: InputSpec) -> int:
    """Spatial axes that the convolutions run over: 3 for a volume, else 2 (a sequence goes slice by slice)."""
    return 3 if spec.kind == "volume" else 2
