"""Two convolutions and a dense layer: the classic network for small images, kept as the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from iatros.imaging.models.params import AnswerParams, Learning
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

_SIDE = 7  # what two poolings leave of 28 pixels


class CnnParams(AnswerParams):
    """Parameters of the classic network."""

    width: int = Field(
        default=32, ge=4, le=256, description="filters of the first convolution; the second has twice as many"
    )
    dense: int = Field(default=128, ge=8, le=2048, description="units of the dense layer")


class Cnn:
    """Convolution 3 x 3, pooling, convolution 3 x 3, pooling, dense layer, softmax."""

    kinds: ClassVar[tuple[str, ...]] = ("image",)
    Params: ClassVar[type[CnnParams]] = CnnParams
    learning: ClassVar[Learning] = Learning(learning_rate=2e-3)

    @staticmethod
    def build(params: CnnParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0) -> torch.nn.Module:
        """The network; maps larger than 7 x 7 are averaged down to about that before the dense layer."""
        from torch import nn

        from iatros.imaging.models.network import ImageNetwork

        width = params.width
        encoder = nn.Sequential(
            nn.Conv2d(spec.channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
        )
        # two poolings with rounding up, and then as coarse a grid as the dense layer can take
        sides = [-(-side // 4) for side in spec.size]
        coarse = [max(1, round(side / _SIDE)) for side in sides]
        n_cells = (sides[0] // coarse[0]) * (sides[1] // coarse[1])
        neck = nn.Sequential(
            nn.MaxPool2d(2, ceil_mode=True),
            nn.AvgPool2d((coarse[0], coarse[1])),
            nn.Flatten(),
            nn.Linear(2 * width * n_cells, params.dense),
            nn.ReLU(),
        )
        return ImageNetwork(
            encoder,
            neck,
            params.dense,
            n_outputs,
            channels=spec.channels,
            dropout=params.dropout,
            standardise=params.standardise,
        )
