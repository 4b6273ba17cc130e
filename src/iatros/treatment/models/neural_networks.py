"""The towers as they learn, in torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from iatros.treatment.models.neural import NeuralParams
    from iatros.treatment.models.neural_batches import Batch

_START = 0.1
"""Standard deviation of embeddings before the first step."""


class Tower(nn.Module):
    """Layers with a path around each: `own` (n, d) and features (n, f) to vectors (n, factors) and offsets (n,)."""

    def __init__(self, n_features: int, width: int, params: NeuralParams) -> None:
        super().__init__()
        if n_features:
            reach = 0.5 / math.sqrt(n_features)
            self.features = nn.Parameter(torch.empty(width, n_features).uniform_(-reach, reach))
            self.features_offset = nn.Parameter(torch.zeros(n_features))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(params.layers))
        if params.layers:
            self.last = nn.Parameter(torch.empty(params.factors, width).uniform_(-1, 1) / math.sqrt(width))
        self.dropout = params.dropout

    def forward(self, own: torch.Tensor, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors and offsets."""
        x, offset = own, torch.zeros(len(own))
        if X.shape[1]:
            X = functional.dropout(X, self.dropout, self.training)
            x, offset = x + X @ self.features.T, X @ self.features_offset
        for layer in self.layers:
            x = x + functional.dropout(torch.relu(layer(x)), self.dropout, self.training)
        return (x @ self.last.T if len(self.layers) else x), offset


class Names(nn.Module):
    """The tower of a side with the embeddings and offsets of its names."""

    def __init__(self, n: int, n_features: int, params: NeuralParams) -> None:
        super().__init__()
        width = params.units if params.layers else params.factors
        self.embedding = nn.Parameter(_START * torch.randn(n, width))
        self.offset = nn.Parameter(torch.zeros(n))
        self.tower = Tower(n_features, width, params)


class Towers(nn.Module):
    """Both sides; see `iatros.treatment.models.neural`."""

    def __init__(self, shape: tuple[int, int], widths: tuple[int, int], params: NeuralParams) -> None:
        super().__init__()
        self.subject = Names(shape[0], widths[0], params)
        self.treatment = Names(shape[1], widths[1], params)
        self.mean = nn.Parameter(torch.zeros(1))
        if params.history:
            self.history = nn.Parameter(0.1 * _START * torch.randn(shape[1], self.subject.embedding.shape[1]))
            self.level = nn.Parameter(torch.ones(1))

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """What is learned (n,) for each pair, and the squared embeddings and offsets of each (n,)."""
        s, t = batch.subject, batch.treatment
        sizes = torch.zeros(len(s))
        sides = []
        for names, at, kept in ((self.subject, s, batch.kept[0]), (self.treatment, t, batch.kept[1])):
            own, offset = names.embedding[at] * kept[at, None], names.offset[at] * kept[at]
            sizes = sizes + (own**2).sum(dim=1) + offset**2
            sides.append((own, offset))
        (own, offset), (other, other_offset) = sides
        if batch.past is not None:
            pooled, level = batch.past(self.history)
            own, offset = own + pooled, offset + self.level * level
        vectors, extra = self.subject.tower(own, batch.X[0][s])
        others, other_extra = self.treatment.tower(other, batch.X[1][t])
        both = (vectors * others).sum(dim=1)
        return self.mean + offset + extra + other_offset + other_extra + both, sizes
