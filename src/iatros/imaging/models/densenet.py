"""Densely connected network, from MONAI's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iatros.imaging.models.params import AnswerParams, Learning
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

_BLOCKS = {"compact": (4, 6, 8), "121": (6, 12, 24, 16), "169": (6, 12, 32, 32)}


class DenseNetParams(AnswerParams):
    """Parameters of the densely connected network."""

    depth: Literal["compact", "121", "169"] = Field(
        default="compact", description="compact (18 layers in three blocks) or the published depth"
    )
    growth: int = Field(default=16, ge=4, le=64, description="filters that each layer adds")
    width: int = Field(default=32, ge=4, le=256, description="filters of the first convolution")
    layer_dropout: float = Field(
        default=0.0, ge=0.0, lt=0.9, description="share of a layer's filters left out while training"
    )
    stem: Literal["auto", "small", "half", "large"] = Field(
        default="auto",
        description="how the network begins: small (3 wide, every pixel), half (3 wide, every second), large (7 "
        "wide, every second, then pooled); auto takes small up to 64 pixels",
    )


class DenseNet:
    """Every layer sees the maps of all layers before it (Huang et al., 2017)."""

    kinds: ClassVar[tuple[str, ...]] = ("image", "volume")
    Params: ClassVar[type[DenseNetParams]] = DenseNetParams
    learning: ClassVar[Learning] = Learning(learning_rate=4e-3)

    @staticmethod
    def build(
        params: DenseNetParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0
    ) -> torch.nn.Module:
        """The network, with weights drawn by torch's generator."""
        from monai.networks.nets import DenseNet as MonaiDenseNet
        from torch import nn

        from iatros.imaging.models.network import ImageNetwork, MeanOverSpace, dimensions
        from iatros.imaging.models.residual import build_stem, choose_stem, initialise

        blocks = _BLOCKS[params.depth]
        whole = MonaiDenseNet(
            dimensions(spec),
            spec.channels,
            n_outputs,
            init_features=params.width,
            growth_rate=params.growth,
            block_config=blocks,
            dropout_prob=params.layer_dropout,
        )
        # MONAI's own stem quarters the image at once, which leaves little of a small one
        trunk = nn.Sequential(*(m for name, m in whole.features.named_children() if name[-1:] != "0"))
        stem = build_stem(dimensions(spec), spec.channels, params.width, choose_stem(spec, params.stem))
        encoder = nn.Sequential(stem, trunk, nn.ReLU())
        initialise(encoder)
        return ImageNetwork(
            encoder,
            MeanOverSpace(),
            _n_features(params.width, params.growth, blocks),
            n_outputs,
            channels=spec.channels,
            dropout=params.dropout,
            standardise=params.standardise,
        )


def _n_features(width: int, growth: int, blocks: tuple[int, ...]) -> int:
    """Filters after the last block: each layer adds `growth`, each transition between blocks halves."""
    for number, n_layers in enumerate(blocks):
        width += n_layers * growth
        if number < len(blocks) - 1:
            width //= 2
    return width
