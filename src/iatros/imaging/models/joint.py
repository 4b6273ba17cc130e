"""The modules of fusion: image and table, encoded apart and joined late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from iatros.imaging.models.network import ImageNetwork, MeanOverSpace
from iatros.imaging.models.residual import compact_encoder
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    from iatros.imaging.models.fusion import FusionParams


class JointNetwork(ImageNetwork):
    """Features of the image and of the table's row, joined by a dense layer before the head."""

    def __init__(self, params: FusionParams, spec: InputSpec, n_outputs: int, n_columns: int) -> None:
        super().__init__(
            compact_encoder(spec, params.width, params.stem),
            MeanOverSpace(),
            params.joint_units,
            n_outputs,
            channels=spec.channels,
            dropout=params.dropout,
            standardise=params.standardise,
        )
        self.n_columns = n_columns
        self.image_dropout = nn.Dropout(params.image_dropout)
        self.rows = nn.Sequential(
            nn.Linear(n_columns, params.table_units), nn.ReLU(), nn.Dropout(params.table_dropout)
        )
        self.joint = nn.Sequential(
            nn.Linear(4 * params.width + params.table_units, params.joint_units), nn.ReLU()
        )

    def parts(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """`logits` (n, n_outputs) and `features` (n, joint_units) from images and a table (n, n_columns)."""
        if table is None:
            raise ValueError("a joint network needs the table")
        seen = self.image_dropout(self.neck(self.encoder(self.normalised(images))))
        features = self.joint(torch.cat([seen, self.rows(table)], dim=1))
        return {"logits": self.head(self.dropout(features)), "features": features}
