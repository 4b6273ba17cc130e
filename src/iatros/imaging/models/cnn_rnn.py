"""Convolutions over each slice of a study, a recurrent network over the slices, one answer for the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iatros.imaging.models.params import AnswerParams, Learning
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch


class CnnRnnParams(AnswerParams):
    """Parameters of the network over a study."""

    width: int = Field(
        default=16, ge=4, le=256, description="filters of the first scale of the slices' encoder"
    )
    stem: Literal["auto", "small", "half", "large"] = Field(
        default="auto", description="how the slices' encoder begins, as for resnet"
    )
    cell: Literal["gru", "lstm", "none"] = Field(
        default="gru",
        description="what runs over the slices in both directions; none looks at each slice alone",
    )
    units: int = Field(
        default=64, ge=4, le=1024, description="units of the recurrent network in each direction"
    )
    pooling: Literal["attention", "mean"] = Field(
        default="attention",
        description="how slices become one answer: weighed by what they show, or all alike",
    )


class CnnRnn:
    """A two-dimensional residual encoder shared by the slices, a bidirectional cell, and attention."""

    kinds: ClassVar[tuple[str, ...]] = ("sequence",)
    Params: ClassVar[type[CnnRnnParams]] = CnnRnnParams
    learning: ClassVar[Learning] = Learning(learning_rate=3e-3, pixels_per_step=512 * 28 * 28, most=32)

    @staticmethod
    def build(
        params: CnnRnnParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0
    ) -> torch.nn.Module:
        """The network, with weights drawn by torch's generator."""
        from iatros.imaging.models.sequence import SequenceNetwork

        return SequenceNetwork(params, spec, n_outputs)
