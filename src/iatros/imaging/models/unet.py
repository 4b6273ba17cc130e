"""U-Net: an encoder and a decoder with connections at every scale, for masks of images and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from iatros.imaging.models.params import Learning, NetworkParams
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

GROUPS = 4
"""Groups of filters that are normalised together with norm group."""
_SMALLEST = 4
"""Rows, columns or slices below which a scale is not halved again."""


class UNetParams(NetworkParams):
    """Parameters of the U-Net."""

    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=0.9,
        description="share of filters left out after each convolution while training",
    )
    channels: tuple[int, ...] = Field(
        default=(16, 32, 64, 128),
        min_length=2,
        max_length=7,
        description="filters of each scale, the full one first; the network halves once less than there are numbers",
    )
    residual: bool = Field(default=False, description="shortcuts around the convolutions of the encoder")
    norm: Literal["instance", "group", "batch"] = Field(
        default="instance", description="normalisation after each convolution"
    )
    patch: tuple[int, ...] = Field(
        default=(),
        max_length=3,
        description="slices, rows and columns (rows and columns for images) that the network sees at once; read off "
        "the training images where not given",
    )
    patches: int = Field(
        default=1, ge=1, le=64, description="patches drawn from each training image or volume in an epoch"
    )
    foreground: float = Field(
        default=0.33, ge=0.0, le=1.0, description="share of the patches that are centred on a structure"
    )
    overlap: float = Field(
        default=0.5, ge=0.0, le=0.9, description="share of a patch that neighbouring patches have in common"
    )

    @model_validator(mode="after")
    def _grouped(self) -> UNetParams:
        if self.norm == "group" and any(width % GROUPS for width in self.channels):
            raise ValueError(f"with norm group, channels must be multiples of {GROUPS}")
        return self

    @field_validator("channels", "patch")
    @classmethod
    def _plausible(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= value <= 1024 for value in values):
            raise ValueError("each number must lie between 1 and 1024")
        return values


class UNet:
    """Encoder, decoder and connections between them (Ronneberger et al., 2015), of MONAI's blocks."""

    kinds: ClassVar[tuple[str, ...]] = ("image", "volume")
    Params: ClassVar[type[UNetParams]] = UNetParams
    learning: ClassVar[Learning] = Learning(
        learning_rate=3e-3, pixels_per_step=2 * 40 * 56 * 40, least=2, most=32
    )

    @staticmethod
    def build(params: UNetParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0) -> torch.nn.Module:
        """The network for patches of `spec.size`, with `n_outputs` logits (background first) at every pixel."""
        from iatros.imaging.models.encoder_decoder import EncoderDecoder

        return EncoderDecoder(
            channels=spec.channels,
            n_outputs=n_outputs,
            widths=params.channels,
            strides=halvings(spec.size, len(params.channels) - 1),
            residual=params.residual,
            norm=params.norm,
            dropout=params.dropout,
        )


def halvings(size: tuple[int, ...], most: int) -> tuple[tuple[int, ...], ...]:
    """Which axes each further scale halves (2) or leaves (1), for a patch of `size`; at most `most` scales.

    An axis much shorter than the longest waits until the others have come down to it, as thick slices ask for
    (Isensee et al., 2021).

    >>> halvings((12, 64, 48), 3)
    ((1, 2, 2), (1, 2, 2), (2, 2, 2))
    """
    current, strides = list(size), []
    for _ in range(most):
        longest = max(current)
        factors = [
            2 if length % 2 == 0 and length // 2 >= _SMALLEST and 2 * length > longest else 1
            for length in current
        ]
        if max(factors) == 1:
            break
        strides.append(tuple(factors))
        current = [length // factor for length, factor in zip(current, factors, strict=True)]
    return tuple(strides)
