"""Residual network: a compact one for small images and volumes, or the published depths from MONAI."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from iatros.imaging.models.params import AnswerParams, Learning
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

_LAYERS = {"10": (1, 1, 1, 1), "18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 6, 3)}
_LEAST_PUBLISHED = 16


class ResNetParams(AnswerParams):
    """Parameters of the residual network."""

    depth: Literal["compact", "10", "18", "34", "50"] = Field(
        default="compact",
        description="compact (five residual blocks in three scales), or the published depth, built by MONAI",
    )
    width: int = Field(
        default=32, ge=4, le=256, description="filters of the first scale; doubled at each further one"
    )
    stem: Literal["auto", "small", "half", "large"] = Field(
        default="auto",
        description="how the network begins: small (3 wide, every pixel), half (3 wide, every second), large (7 "
        "wide, every second, then pooled); auto takes small up to 64 pixels",
    )

    @model_validator(mode="after")
    def _wide_enough(self) -> ResNetParams:
        # see residual.py: the backward pass of narrower strided 1-wide convolutions corrupts memory
        if self.depth != "compact" and self.width < _LEAST_PUBLISHED:
            raise ValueError(f"width: at least {_LEAST_PUBLISHED} with a published depth")
        return self


class ResNet:
    """Convolutions around shortcuts (He et al., 2016), averaged over the image."""

    kinds: ClassVar[tuple[str, ...]] = ("image", "volume")
    Params: ClassVar[type[ResNetParams]] = ResNetParams
    learning: ClassVar[Learning] = Learning(learning_rate=4e-3)

    @staticmethod
    def build(
        params: ResNetParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0
    ) -> torch.nn.Module:
        """The network, with weights drawn by torch's generator."""
        from iatros.imaging.models.network import ImageNetwork, MeanOverSpace
        from iatros.imaging.models.residual import compact_encoder

        encoder: torch.nn.Module
        if params.depth == "compact":
            encoder = compact_encoder(spec, params.width, params.stem)
            n_features = 4 * params.width
        else:
            encoder, n_features = _monai_encoder(params, spec)
        return ImageNetwork(
            encoder,
            MeanOverSpace(),
            n_features,
            n_outputs,
            channels=spec.channels,
            dropout=params.dropout,
            standardise=params.standardise,
        )


def _monai_encoder(params: ResNetParams, spec: InputSpec) -> tuple[torch.nn.Module, int]:
    """MONAI's ResNet up to its last map, and how many features that has."""
    from collections import OrderedDict

    from monai.networks.nets import ResNet as MonaiResNet
    from torch import nn

    from iatros.imaging.models.network import dimensions
    from iatros.imaging.models.residual import choose_stem

    stem = choose_stem(spec, params.stem)
    widths = [params.width * factor for factor in (1, 2, 4, 8)]
    block = "bottleneck" if params.depth == "50" else "basic"
    whole = MonaiResNet(
        block,
        list(_LAYERS[params.depth]),
        widths,
        spatial_dims=dimensions(spec),
        n_input_channels=spec.channels,
        conv1_t_size=7 if stem == "large" else 3,
        conv1_t_stride=1 if stem == "small" else 2,
        no_max_pool=stem != "large",
        feed_forward=False,
        bias_downsample=False,
    )
    names = [
        "conv1",
        "bn1",
        "act",
        *(["maxpool"] if stem == "large" else []),
        "layer1",
        "layer2",
        "layer3",
        "layer4",
    ]
    encoder = nn.Sequential(OrderedDict((name, getattr(whole, name)) for name in names))
    return encoder, widths[-1] * (4 if block == "bottleneck" else 1)
