"""A compact residual encoder in two or three dimensions, and what begins a network: its stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from iatros.imaging.schema import InputSpec

Stem = Literal["auto", "small", "half", "large"]
_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_MEAN = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class ResidualBlock(nn.Module):
    """Two 3-wide convolutions with batch normalisation around a shortcut (He et al., 2016)."""

    def __init__(self, dims: int, before: int, after: int, stride: int) -> None:
        super().__init__()
        conv, norm = _CONV[dims], _NORM[dims]
        self.first = conv(before, after, 3, stride=stride, padding=1, bias=False)
        self.first_norm = norm(after)
        self.second = conv(after, after, 3, padding=1, bias=False)
        self.second_norm = norm(after)
        # begins as the shortcut alone, which lets a high learning rate start safely (Goyal et al., 2017)
        nn.init.zeros_(self.second_norm.weight)
        self.shortcut = nn.Sequential()
        if stride != 1:
            # averages what a 1-wide convolution with a stride would skip (He et al., 2019); besides, oneDNN 3.x
            # writes past its memory in the backward pass of those with fewer than 16 channels
            self.shortcut.append(_MEAN[dims](3, stride=stride, padding=1, count_include_pad=False))
        if before != after:
            self.shortcut.extend([conv(before, after, 1, bias=False), norm(after)])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, before, *spatial) to (n, after, *spatial / stride)."""
        inner = functional.relu(self.first_norm(self.first(maps)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))


class ResidualEncoder(nn.Module):
    """A stem, then one residual block per entry of `widths`, each with its stride."""

    def __init__(
        self, dims: int, channels: int, widths: Sequence[int], strides: Sequence[int], *, stem: str
    ) -> None:
        super().__init__()
        self.stem = build_stem(dims, channels, widths[0], stem)
        before = [widths[0], *widths[:-1]]
        self.blocks = nn.Sequential(
            *(ResidualBlock(dims, *each) for each in zip(before, widths, strides, strict=True))
        )
        self.n_features = widths[-1]
        initialise(self)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, channels, *size) to the last map (n, n_features, *smaller)."""
        return self.blocks(self.stem(maps))


def compact_encoder(spec: InputSpec, width: int, stem: Stem) -> ResidualEncoder:
    """Five blocks in three scales of `width`, twice and four times as many filters."""
    widths = (width, 2 * width, 2 * width, 4 * width, 4 * width)
    return ResidualEncoder(
        3 if spec.kind == "volume" else 2,
        spec.channels,
        widths,
        (1, 2, 1, 2, 1),
        stem=choose_stem(spec, stem),
    )


def choose_stem(spec: InputSpec, stem: Stem) -> str:
    """The stem that `auto` stands for: by the longest side, and coarser for volumes, whose cost is cubic."""
    if stem != "auto":
        return stem
    longest = max(spec.size)
    if spec.kind == "volume":
        return "small" if longest <= 16 else "half" if longest <= 48 else "large"
    return "small" if longest <= 64 else "half" if longest <= 112 else "large"


def build_stem(dims: int, channels: int, width: int, stem: str) -> nn.Sequential:
    """small: 3 wide, stride 1; half: 3 wide, stride 2; large: 7 wide, stride 2, then pooled to a quarter."""
    kernel, stride = {"small": (3, 1), "half": (3, 2), "large": (7, 2)}[stem]
    layers: list[nn.Module] = [
        _CONV[dims](channels, width, kernel, stride=stride, padding=kernel // 2, bias=False),
        _NORM[dims](width),
        nn.ReLU(),
    ]
    if stem == "large":
        layers.append(_POOL[dims](3, stride=2, padding=1))
    return nn.Sequential(*layers)


def initialise(network: nn.Module) -> None:
    """He's initialisation of every convolution."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
