"""Random changes of a batch of patches, image and mask together, as one operation on tensors for each kind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

SPATIAL = ("rotate", "scale", "shift")
USED = ("flip", *SPATIAL, "contrast", "gamma", "noise")
"""Those of the request's augmentations that a segmentation uses; cutout would hide what the mask shows."""

_MOVED = 0.5
"""Patches that are rotated, scaled or shifted: the others stay as sharp as the images that are asked about later."""
_RADIANS = math.radians(15.0)
_SCALE = 0.2
_SHIFT = 0.06
"""Of the patch."""
_CONTRAST = 0.25
_GAMMA = 0.35
_NOISE = 0.1
"""Of the image's deviation."""
_SHARE = 0.4
"""Patches that each change of grey values is made to."""


@dataclass(frozen=True)
class Augmentation:
    """What is changed. `sides` are the lengths of a patch in mm (or pixels): rotation keeps angles in space.

    `flip_axis` is the spatial axis that runs from left to right, None where images are never mirrored.
    """

    names: tuple[str, ...]
    sides: tuple[float, ...]
    flip_axis: int | None

    def __call__(
        self, images: torch.Tensor, masks: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Changed images (n, channels, *patch), and masks (n, *patch) of labels changed in the same way."""
        if "flip" in self.names and self.flip_axis is not None:
            images, masks = _flipped(images, masks, self.flip_axis, generator)
        if set(SPATIAL) & set(self.names):
            images, masks = self._moved(images, masks, generator)
        return self._regrey(images, generator), masks

    def _moved(
        self, images: torch.Tensor, masks: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = torch.rand(len(images), generator=generator) < _MOVED
        theta = self._affine(len(images), generator)[chosen]
        if not len(theta):
            return images, masks
        grid = functional.affine_grid(theta, [len(theta), *images.shape[1:]], align_corners=False)
        moved = functional.grid_sample(images[chosen], grid, mode="bilinear", align_corners=False)
        labels = functional.grid_sample(
            masks[chosen, None].to(images.dtype), grid, mode="nearest", align_corners=False
        )
        images, masks = images.clone(), masks.clone()
        images[chosen], masks[chosen] = moved, labels[:, 0].to(masks.dtype)
        return images, masks

    def _affine(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Matrices (n, axes, axes + 1) in the coordinates of affine_grid: -1 to 1, the last axis first."""
        axes = len(self.sides)
        matrix = torch.eye(axes).repeat(n, 1, 1)
        if "rotate" in self.names:
            matrix = _rotations(n, self.sides, generator)
        if "scale" in self.names:
            matrix = matrix * torch.exp(_even(n, math.log(1 + _SCALE), generator))[:, None, None]
        lengths = torch.tensor(self.sides[::-1])
        matrix = matrix * lengths / lengths[:, None]
        shift = torch.zeros(n, axes, 1)
        if "shift" in self.names:
            shift = (2 * _SHIFT * (2 * torch.rand(n, axes, generator=generator) - 1))[:, :, None]
        return torch.cat([matrix, shift], dim=2)

    def _regrey(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        n, shape = len(images), (-1, *(1,) * (images.dim() - 1))
        if "contrast" in self.names:
            factor = 1 + _even(n, _CONTRAST, generator) * _chosen(n, generator)
            images = images * factor.view(shape)
        if "gamma" in self.names:
            power = torch.exp(_even(n, _GAMMA, generator) * _chosen(n, generator)).view(shape)
            low = images.amin(dim=tuple(range(1, images.dim())), keepdim=True)
            span = images.amax(dim=tuple(range(1, images.dim())), keepdim=True) - low + 1e-6
            images = ((images - low) / span).clamp_min(1e-6) ** power * span + low
        if "noise" in self.names:
            size = (_NOISE * torch.rand(n, generator=generator) * _chosen(n, generator)).view(shape)
            images = images + size * torch.randn(images.shape, generator=generator)
        return images


def _flipped(
    images: torch.Tensor, masks: torch.Tensor, axis: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    turned = torch.rand(len(images), generator=generator) < 0.5
    images, masks = images.clone(), masks.clone()
    images[turned] = images[turned].flip(2 + axis)
    masks[turned] = masks[turned].flip(1 + axis)
    return images, masks


def _rotations(n: int, sides: tuple[float, ...], generator: torch.Generator) -> torch.Tensor:
    """Rotations (n, axes, axes) about every axis, for a thin slab in its own plane only."""
    axes = len(sides)
    planes = [(0, 1)] if axes == 2 or 3 * min(sides) < max(sides) else [(0, 1), (0, 2), (1, 2)]
    whole = torch.eye(axes).repeat(n, 1, 1)
    for first, second in planes:
        angle = _even(n, _RADIANS, generator)
        turn = torch.eye(axes).repeat(n, 1, 1)
        turn[:, first, first] = turn[:, second, second] = torch.cos(angle)
        turn[:, first, second], turn[:, second, first] = -torch.sin(angle), torch.sin(angle)
        whole = whole @ turn
    return whole


def _even(n: int, most: float, generator: torch.Generator) -> torch.Tensor:
    return most * (2 * torch.rand(n, generator=generator) - 1)


def _chosen(n: int, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(n, generator=generator) < _SHARE).float()
