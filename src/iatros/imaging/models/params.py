"""What the parameters of every network have in common, and what a network is to be trained with by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class NetworkParams(BaseModel):
    """Parameters shared by all networks; each adds its own in a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dropout: float = Field(
        default=0.1, ge=0.0, lt=0.9, description="share of features left out before the answer while training"
    )


class AnswerParams(NetworkParams):
    """Parameters shared by the networks that give one answer for an image, volume or study."""

    standardise: Literal["training", "image"] = Field(
        default="training",
        description="what brings grey values to mean 0 and spread 1: those of the training images, or each image's own "
        "(each slice's of a series), which takes out how bright and rich in contrast a scanner makes its images",
    )


@dataclass(frozen=True)
class Learning:
    """What a network learns best with where the request leaves it open.

    `learning_rate` is the highest of the one-cycle schedule. `pixels_per_step` is how many pixels (or voxels,
    over all slices) one step of training takes, from which the number of images per step follows.
    """

    learning_rate: float
    pixels_per_step: int = 64 * 28 * 28
    least: int = 8
    most: int = 64
