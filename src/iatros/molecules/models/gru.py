"""A recurrent network that reads the letters of a compound from both ends and weighs what it saw at each.

Gated recurrent units (Cho et al. 2014, arXiv:1406.1078) in both directions; the compound is the mean of what they hold
at each token, with weights that are learned too (attention; Yang et al. 2016, "Hierarchical attention networks").
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.molecules.assay import Assay
from iatros.molecules.models.tokens import TokenGraph, TokenParams, TokenPredictor, fit_tokens

_FAR = 1e9


class GruParams(TokenParams):
    """Parameters of the recurrent network."""

    units: int = Field(default=96, ge=4, le=2048, description="gated units of each direction")


class Gru:
    """The network, one for all endpoints."""

    name: ClassVar[str] = "gru"
    Params: ClassVar[type[GruParams]] = GruParams

    def __init__(self, params: GruParams | None = None) -> None:
        self.params = params or GruParams()

    def fit(self, assay: Assay, *, seed: int) -> tuple[TokenPredictor, dict[str, Any]]:
        """The network after all epochs; see `fit_tokens`."""
        return fit_tokens(assay, self.params, _network_class(), to_onnx, seed=seed)


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class Network(nn.Module):
        """What fills up a line is not read, and has no weight."""

        def __init__(self, params: GruParams, n_tokens: int, n_outputs: int) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, params.embedding, padding_idx=0)
            self.cells = nn.GRU(params.embedding, params.units, batch_first=True, bidirectional=True)
            self.weigh = nn.Linear(2 * params.units, 1, bias=False)
            self.dense = nn.Linear(2 * params.units, params.dense)
            self.last = nn.Linear(params.dense, n_outputs)
            self.dropout = nn.Dropout(params.dropout)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            seen = codes > 0
            packed = pack_padded_sequence(
                self.dropout(self.embedding(codes)), seen.sum(dim=1), batch_first=True, enforce_sorted=False
            )
            states, _ = pad_packed_sequence(
                self.cells(packed)[0], batch_first=True, total_length=codes.shape[1]
            )
            scores = self.weigh(states).masked_fill(~seen[:, :, None], -_FAR)
            vector = self.dropout((states * scores.softmax(dim=1)).sum(dim=1))
            return self.last(self.dropout(self.dense(vector).relu()))

    return Network


def to_onnx(network: Any) -> bytes:
    """The graph of a trained network."""
    graph = TokenGraph(network.embedding.weight.detach().numpy())
    count = graph.add("ReduceSum", graph.seen, np.array([1, 2]), keepdims=0)
    states = graph.add(
        "GRU",
        graph.add("Transpose", graph.embedded, perm=[1, 0, 2]),
        *_packed(network.cells),
        graph.add("Cast", count, to=6),
        direction="bidirectional",
        hidden_size=network.cells.hidden_size,
        linear_before_reset=1,  # as torch does
    )
    # from (length, directions, n, units) to (n, length, directions x units)
    states = graph.add("Transpose", states, perm=[2, 0, 1, 3])
    states = graph.add("Reshape", states, np.array([0, 0, 2 * network.cells.hidden_size]))
    scores = graph.add("MatMul", states, network.weigh.weight.detach().numpy().T)
    away = graph.add("Mul", graph.add("Sub", np.float32(1.0), graph.seen), np.float32(_FAR))
    weights = graph.add("Softmax", graph.add("Sub", scores, away), axis=1)
    vector = graph.add("ReduceSum", graph.add("Mul", states, weights), np.array([1]), keepdims=0)
    graph.dense(graph.add("Relu", graph.dense(vector, network.dense)), network.last, output="prediction")
    return graph.finish(network.last.out_features, name="gru")


def _packed(cells: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of both directions as ONNX has them: gates z, r, h where torch has r, z, h; both biases in one."""
    ends = ("_l0", "_l0_reverse")

    def stacked(*names: str) -> np.ndarray:
        return np.stack([np.concatenate([_gates(cells, name + end) for name in names]) for end in ends])

    return stacked("weight_ih"), stacked("weight_hh"), stacked("bias_ih", "bias_hh")


def _gates(cells: Any, name: str) -> np.ndarray:
    reset, update, new = np.split(cells.get_parameter(name).detach().numpy(), 3)
    return np.concatenate([update, reset, new])
