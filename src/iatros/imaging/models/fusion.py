"""An image and a row of the patient table, each encoded by itself and then joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iatros.core.errors import RequestError
from iatros.imaging.models.params import AnswerParams, Learning
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch


class FusionParams(AnswerParams):
    """Parameters of the joint network."""

    width: int = Field(
        default=32, ge=4, le=256, description="filters of the first scale of the image's encoder"
    )
    stem: Literal["auto", "small", "half", "large"] = Field(
        default="auto", description="how the image's encoder begins, as for resnet"
    )
    image_dropout: float = Field(
        default=0.2, ge=0.0, lt=0.9, description="share of the image's features left out while training"
    )
    table_dropout: float = Field(
        default=0.1, ge=0.0, lt=0.9, description="share of the table's features left out while training"
    )
    table_units: int = Field(default=32, ge=4, le=512, description="units of the layer over the table's row")
    joint_units: int = Field(default=64, ge=4, le=1024, description="units of the layer over both")


class Fusion:
    """Late fusion: residual encoder of the image, dense layer over the table, dense layer over both."""

    kinds: ClassVar[tuple[str, ...]] = ("image", "volume")
    Params: ClassVar[type[FusionParams]] = FusionParams
    learning: ClassVar[Learning] = Learning(learning_rate=4e-3)

    @staticmethod
    def build(
        params: FusionParams, spec: InputSpec, n_outputs: int, *, n_columns: int = 0
    ) -> torch.nn.Module:
        """The network over images and a table (n, n_columns); RequestError where there is no table."""
        if n_columns < 1:
            raise RequestError(
                "fusion learns from a patient table as well, and none was given",
                where="table",
                hint="give a table with columns beside the label, or train resnet",
            )
        from iatros.imaging.models.joint import JointNetwork

        return JointNetwork(params, spec, n_outputs, n_columns)
