"""One question to a network: how much speaks for these outputs of these images, and with which gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Asked:
    """A torch `network` (put into evaluation mode), the explained output of each image, and the patient table."""

    network: Any
    answer: np.ndarray
    """(n,) numbers of outputs."""
    table: np.ndarray | None = None
    """(n, columns) of a network that takes one."""

    def __post_init__(self) -> None:
        """Batch statistics and drop-out would make the map of one image depend on the others."""
        self.network.eval()

    @property
    def targets(self) -> torch.Tensor:
        """The answers as an index."""
        return torch.as_tensor(self.answer, dtype=torch.int64)

    @property
    def tables(self) -> torch.Tensor | None:
        """The patient table as float32."""
        return None if self.table is None else torch.as_tensor(self.table, dtype=torch.float32)

    def logits(self, images: torch.Tensor, table: torch.Tensor | None = None) -> torch.Tensor:
        """All outputs (n, n_outputs)."""
        outputs: torch.Tensor = self.network.parts(images, table)["logits"]
        return outputs

    def scores(self, images: torch.Tensor, rows: slice = slice(None)) -> torch.Tensor:
        """The explained output (n,) of each image, those of `rows`, before softmax or sigmoid."""
        table = None if self.tables is None else self.tables[rows]
        return self.logits(images, table).gather(1, self.targets[rows, None])[:, 0]

    def slice_weights(self, images: np.ndarray) -> np.ndarray | None:
        """The weight of each slice (n, slices), None for a network that weighs none."""
        with torch.no_grad():
            parts = self.network.parts(as_tensor(images), self.tables)
        weights = parts.get("slice_weights")
        return None if weights is None else weights.numpy().astype(np.float32)


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """A float32 tensor of its own."""
    return torch.tensor(np.ascontiguousarray(images), dtype=torch.float32)
