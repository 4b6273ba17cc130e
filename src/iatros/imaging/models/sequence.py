"""The modules of cnn-rnn: slices encoded alike, read in both directions, and weighed into one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from iatros.imaging.models.network import ImageNetwork, MeanOverSpace
from iatros.imaging.models.residual import compact_encoder
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    from iatros.imaging.models.cnn_rnn import CnnRnnParams

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class SequenceNetwork(ImageNetwork):
    """One answer per study of slices (n, slices, channels, rows, columns), and how much each slice counts.

    `lengths` (n,) says how many slices of each study are real, the others being padding at its end; without
    it all are. A study's answer does not depend on the padding.
    """

    def __init__(self, params: CnnRnnParams, spec: InputSpec, n_outputs: int) -> None:
        n_seen = 4 * params.width
        n_features = n_seen if params.cell == "none" else 2 * params.units
        super().__init__(
            compact_encoder(spec, params.width, params.stem),
            MeanOverSpace(),
            n_features,
            n_outputs,
            channels=spec.channels,
            dropout=params.dropout,
            standardise=params.standardise,
        )
        self.cell: nn.Module | None = None
        if params.cell != "none":
            self.cell = _CELLS[params.cell](n_seen, params.units, batch_first=True, bidirectional=True)
        self.attention: nn.Module | None = None
        if params.pooling == "attention":
            self.attention = nn.Sequential(
                nn.Linear(n_features, n_features // 2), nn.Tanh(), nn.Linear(n_features // 2, 1)
            )

    def parts(
        self, images: torch.Tensor, table: torch.Tensor | None = None, lengths: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """`logits` (n, n_outputs), `features` (n, n_features) and `slice_weights` (n, slices) that sum to 1."""
        read = self._read(self._encoded(images, lengths), lengths)
        weights = self._weights(read, lengths)
        features = (weights.unsqueeze(2) * read).sum(dim=1)
        return {
            "logits": self.head(self.dropout(features)),
            "features": features,
            "slice_weights": weights,
        }

    def _encoded(self, images: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Features of each slice (n, slices, f); padding never passes the encoder, and is 0."""
        n, slices = images.shape[:2]
        flat = images.flatten(0, 1)
        if lengths is None:
            return self.neck(self.encoder(self.normalised(flat))).reshape(n, slices, -1)
        real = _real(lengths, slices).flatten()
        seen = self.neck(self.encoder(self.normalised(flat[real])))
        placed = seen.new_zeros(n * slices, seen.shape[1])
        placed[real] = seen
        return placed.reshape(n, slices, -1)

    def _read(self, seen: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """What the cell makes of each slice, given those before and after it."""
        if self.cell is None:
            return seen
        # sums over many steps keep their precision, whatever the convolutions run in
        with torch.autocast(seen.device.type, enabled=False):
            seen = seen.float()
            if lengths is None:
                return self.cell(seen)[0]
            packed = pack_padded_sequence(seen, lengths.cpu(), batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self.cell(packed)[0], batch_first=True, total_length=seen.shape[1])[0]

    def _weights(self, read: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Shares (n, slices) of the real slices in the answer."""
        scores = read.new_zeros(read.shape[:2]) if self.attention is None else self.attention(read).squeeze(2)
        if lengths is not None:
            scores = scores.masked_fill(~_real(lengths, read.shape[1]), float("-inf"))
        return torch.softmax(scores.float(), dim=1)


def _real(lengths: torch.Tensor, slices: int) -> torch.Tensor:
    """Which of (n, slices) are no padding."""
    return torch.arange(slices, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)
