"""The network of the U-Net, put together from MONAI's convolution blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetResBlock, UnetUpBlock
from torch import nn

from iatros.imaging.models.unet import GROUPS


class EncoderDecoder(nn.Module):
    """Scales of convolutions down and up again; each scale down is handed over to its scale up.

    `widths` are the filters of each scale and `strides` how each further scale shrinks each axis, so there is one
    stride less than there are scales in use. Takes patches (n, channels, *size), normalised beforehand,
    because the mean of a whole volume cannot be seen in a patch of it.
    """

    def __init__(
        self,
        *,
        channels: int,
        n_outputs: int,
        widths: Sequence[int],
        strides: Sequence[Sequence[int]],
        residual: bool,
        norm: str,
        dropout: float,
    ) -> None:
        super().__init__()
        if not strides:
            raise ValueError("the patch is too small to be halved once")
        axes = len(strides[0])
        self.widths = tuple(widths[: len(strides) + 1])
        self.steps = tuple(tuple(step) for step in strides)
        kernels = _kernels(self.steps)
        common: dict[str, Any] = {"norm_name": _norm(norm), "dropout": dropout or None}
        block = UnetResBlock if residual else UnetBasicBlock
        into = (channels, *self.widths[:-1])
        self.down = nn.ModuleList(
            block(axes, into[k], self.widths[k], kernel_size=kernels[k], stride=step, **common)
            for k, step in enumerate(((1,) * axes, *self.steps))
        )
        self.up = nn.ModuleList(
            UnetUpBlock(
                axes,
                self.widths[k + 1],
                self.widths[k],
                kernel_size=kernels[k],
                stride=1,
                upsample_kernel_size=self.steps[k],
                **common,
            )
            for k in reversed(range(len(self.steps)))
        )
        self.head = UnetOutBlock(axes, self.widths[0], n_outputs)
        self.apply(_initialise)

    def parts(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """`logits` (n, n_outputs, *size) and `features` (n, widths[-1]), the means of the coarsest map."""
        maps = []
        for block in self.down:
            images = block(images)
            maps.append(images)
        coarsest = current = maps.pop()
        for block in self.up:
            current = block(current, maps.pop())
        return {"logits": self.head(current), "features": coarsest.flatten(2).mean(dim=2)}

    def forward(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits (n, n_outputs, *size)."""
        return self.parts(images, table, lengths)["logits"]

    def heat_layer(self) -> nn.Module:
        """The module whose output is the coarsest map."""
        return self.down[-1]


def _kernels(strides: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The kernel at each scale: 3 along an axis, but 1 where slices are still too thick, before it is first halved."""
    axes = range(len(strides[0]))
    first = [next((k for k, step in enumerate(strides) if step[axis] == 2), 1) for axis in axes]
    return [tuple(3 if k >= first[axis] else 1 for axis in axes) for k in range(len(strides) + 1)]


def _norm(name: str) -> tuple[str, dict[str, Any]]:
    if name == "instance":
        return ("instance", {"affine": True})
    return ("group", {"num_groups": GROUPS}) if name == "group" else ("batch", {})


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
