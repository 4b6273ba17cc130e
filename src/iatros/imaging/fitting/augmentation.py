"""Random changes to a batch of images that leave the answer the same, all images at once on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

AUGMENTATIONS = ("flip", "rotate", "scale", "shift", "contrast", "gamma", "noise", "cutout")
_GEOMETRIC = {"flip", "rotate", "scale", "shift"}


@dataclass(frozen=True)
class Strength:
    """How far each augmentation goes; every image draws its own value, evenly up to these."""

    rotate: float = 12.0
    """Degrees either way, in the plane of the image; about a third as much for the other axes of a volume."""
    scale: float = 0.15
    """Larger or smaller by this share."""
    shift: float = 0.1
    """Share of the side, either way along each axis."""
    contrast: float = 0.3
    """Share by which differences from the mean grow or shrink; brightness moves by a third of it."""
    gamma: float = 0.3
    """Share by which the exponent of the grey values grows or shrinks."""
    noise: float = 0.04
    """Highest standard deviation of the noise, where black to white is 1."""
    cutout: float = 0.35
    """Longest side of the rectangle that is replaced by the mean of the image, as a share of the image's; half
    of the images keep theirs."""


class Augmenter:
    """Augments batches (n, channels, [slices,] rows, columns), or studies (n, slices, channels, rows, columns).

    All slices of a study are changed alike, and so are all channels, but for noise. The changes are those of
    `names`, any of AUGMENTATIONS; what is outside of a moved image repeats its edge.
    """

    def __init__(
        self,
        names: Sequence[str],
        kind: Literal["image", "volume", "sequence"],
        strength: Strength | None = None,
    ) -> None:
        self.names = frozenset(names) & set(AUGMENTATIONS)
        self.kind = kind
        self.strength = strength or Strength()

    def __call__(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """`images`, float from 0 to 1, changed by draws of `random`; the tensor given stays as it was."""
        shape = images.shape
        if self.kind == "sequence":
            # slices as channels: whatever is drawn for a study then holds for all of its slices
            images = images.flatten(1, 2)
        if self.names & _GEOMETRIC:
            images = self._moved(images, random)
        if "contrast" in self.names:
            images = self._contrasted(images, random)
        if "gamma" in self.names:
            images = self._bent(images, random)
        if "noise" in self.names:
            images = self._noisy(images, random)
        if "cutout" in self.names:
            images = self._cut(images, random)
        return images.reshape(shape)

    def _moved(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        theta = self.affine(len(images), images.shape[2:], random)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def affine(self, n: int, size: Sequence[int], random: torch.Generator) -> torch.Tensor:
        """n matrices (dims, dims + 1) from places in the new image to places in the old, as affine_grid takes."""
        dims = len(size)
        matrix = torch.eye(dims).repeat(n, 1, 1)
        if "rotate" in self.names:
            matrix = self._rotations(n, dims, random)
        if "scale" in self.names:
            matrix = matrix * _factor(n, self.strength.scale, random).view(n, 1, 1)
        # affine_grid's axes run from -1 to 1 whatever their lengths: turn in pixels, not in those
        sides = torch.tensor([float(side) for side in reversed(size)])
        matrix = matrix * sides.view(1, 1, dims) / sides.view(1, dims, 1)
        if "flip" in self.names:
            mirrored = torch.rand(n, generator=random) < 0.5
            matrix[mirrored, :, 0] *= -1
        moves = torch.zeros(n, dims, 1)
        if "shift" in self.names:
            moves = _even(n * dims, 2 * self.strength.shift, random).view(n, dims, 1)
        return torch.cat([matrix, moves], dim=2)

    def _rotations(self, n: int, dims: int, random: torch.Generator) -> torch.Tensor:
        angle = torch.deg2rad(_even(n, self.strength.rotate, random))
        if dims == 2:
            return _turn(angle, 0, 1, 2)
        others = [torch.deg2rad(_even(n, self.strength.rotate / 3, random)) for _ in range(2)]
        return _turn(angle, 0, 1, 3) @ _turn(others[0], 0, 2, 3) @ _turn(others[1], 1, 2, 3)

    def _contrasted(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        n = len(images)
        factor = _spread(_factor(n, self.strength.contrast, random), images)
        brighter = _spread(_even(n, self.strength.contrast / 3, random), images)
        mean = images.flatten(1).mean(dim=1)
        return torch.addcmul(_spread(mean, images) * (1 - factor) + brighter, images, factor).clamp_(0, 1)

    def _bent(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        power = _spread(_factor(len(images), self.strength.gamma, random), images)
        # x ** g by way of the logarithm, which is several times as fast as pow
        return images.clamp(min=1e-6).log2_().mul_(power).exp2_()

    def _noisy(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        level = torch.rand(len(images), generator=random) * self.strength.noise
        drawn = torch.randn(images.shape, generator=random)
        return torch.addcmul(images, drawn, _spread(level, images)).clamp_(0, 1)

    def _cut(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        n = len(images)
        inside = _spread(torch.rand(n, generator=random) < 0.5, images)
        for axis, side in enumerate(images.shape[2:], start=2):
            length = torch.rand(n, generator=random) * self.strength.cutout
            start = torch.rand(n, generator=random) * (1 - length)
            places = (torch.arange(side) + 0.5) / side
            hit = (places >= start.unsqueeze(1)) & (places < (start + length).unsqueeze(1))
            inside = inside & hit.view(
                n, 1, *(side if other == axis else 1 for other in range(2, images.dim()))
            )
        mean = _spread(images.flatten(1).mean(dim=1), images)
        return torch.where(inside, mean, images)


def _even(n: int, most: float, random: torch.Generator) -> torch.Tensor:
    """n draws, evenly from -most to most."""
    return (torch.rand(n, generator=random) * 2 - 1) * most


def _factor(n: int, most: float, random: torch.Generator) -> torch.Tensor:
    """n factors from 1 / (1 + most) to 1 + most, as often below as above 1."""
    return torch.exp(_even(n, 1.0, random) * torch.log1p(torch.tensor(most)))


def _spread(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """One value per image, in a shape that goes with all its pixels."""
    return values.view(-1, *(1,) * (images.dim() - 1))


def _turn(angle: torch.Tensor, first: int, second: int, dims: int) -> torch.Tensor:
    """Rotations (n, dims, dims) in the plane of two axes."""
    matrix = torch.eye(dims).repeat(len(angle), 1, 1)
    matrix[:, first, first] = matrix[:, second, second] = torch.cos(angle)
    matrix[:, second, first] = torch.sin(angle)
    matrix[:, first, second] = -torch.sin(angle)
    return matrix
