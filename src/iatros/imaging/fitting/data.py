"""What training is given and what it hands back: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iatros.imaging.schema import Objective

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Settings:
    """How a network is trained; the fields of TrainRequest that its training reads.

    `batch_size` 0 goes by the size of the images, `learning_rate` 0 is the model's own. `patience` is epochs
    without a better tuning score before it stops, 0 never. `ema` is the decay of the moving average of the
    weights, 0 none. `augment` names augmentations (see `augmentation.AUGMENTATIONS`).
    """

    objective: Objective
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    class_balanced: bool
    label_smoothing: float
    augment: tuple[str, ...]
    ema: float
    seed: int
    test_time: bool


@dataclass(frozen=True)
class TrainingData:
    """Inputs with their labels, and which rows are for what.

    `inputs`: one array (n, *shape of the spec), possibly memory-mapped, or a list of studies (slices, channels,
    rows, columns); float from 0 to 1, or uint8 / uint16 from black to white. `y`: class or grade indices (n,)
    for cross-entropy and ordinal; values (n,) for squared-error; 0 / 1 / NaN (n, labels) for
    binary-cross-entropy, NaN where it is not known. `train` and `tuning` are row numbers. `table` is the
    encoded patient table (n, columns) of fusion.
    """

    inputs: np.ndarray | list[np.ndarray]
    y: np.ndarray
    train: np.ndarray
    tuning: np.ndarray
    table: np.ndarray | None = None


@dataclass
class Fitted:
    """A trained network, in evaluation mode with the averaged weights of its best epoch.

    `history` has one entry per epoch: `epoch` (from 1), `train_loss`, `tuning_loss`, `tuning_score`,
    `learning_rate` (at the end of the epoch) and `seconds`. `tuning_score` is NaN where there was no tuning
    side. `images_per_second` counts training alone, all epochs of this process.
    """

    network: torch.nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    tuning_score: float
    seconds: float
    images_per_second: float
    threads: int
    precision: str = "32-true"
    """bf16-mixed where the processor multiplies bfloat16 itself, else 32-true, as for volumes of few slices."""
    notes: list[str] = field(default_factory=list)
