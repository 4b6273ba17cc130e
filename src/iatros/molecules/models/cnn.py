"""Convolutions over the letters of a compound: what is found anywhere in the text counts (DeepTox, DeepDTA).

Three convolutions behind each other, each wider than the one before, as in Öztürk et al. (2018, "DeepDTA: deep
drug-target binding affinity prediction", Bioinformatics 34, i821); but the strongest answer of each filter is taken
from all three, so that short and long pieces are seen.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from pydantic import Field

from iatros.molecules.assay import Assay
from iatros.molecules.models.tokens import TokenGraph, TokenParams, TokenPredictor, fit_tokens

WIDTHS = (3, 5, 7)
"""Tokens that each convolution looks at."""


class CnnParams(TokenParams):
    """Parameters of the convolutional network."""

    channels: int = Field(default=128, ge=4, le=2048, description="filters of each convolution")


class Cnn:
    """The network, one for all endpoints."""

    name: ClassVar[str] = "cnn"
    Params: ClassVar[type[CnnParams]] = CnnParams

    def __init__(self, params: CnnParams | None = None) -> None:
        self.params = params or CnnParams()

    def fit(self, assay: Assay, *, seed: int) -> tuple[TokenPredictor, dict[str, Any]]:
        """The network after all epochs; see `fit_tokens`."""
        return fit_tokens(assay, self.params, _network_class(), to_onnx, seed=seed)


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """What fills up a line stays 0 behind each convolution, so that its length changes nothing."""

        def __init__(self, params: CnnParams, n_tokens: int, n_outputs: int) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, params.embedding, padding_idx=0)
            sizes = [params.embedding, *[params.channels] * len(WIDTHS)]
            self.convolutions = nn.ModuleList(
                nn.Conv1d(sizes[place], sizes[place + 1], width, padding=width // 2)
                for place, width in enumerate(WIDTHS)
            )
            self.dense = nn.Linear(params.channels * len(WIDTHS), params.dense)
            self.last = nn.Linear(params.dense, n_outputs)
            self.dropout = nn.Dropout(params.dropout)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            seen = (codes > 0).to(torch.float32)[:, None]
            x = self.embedding(codes).transpose(1, 2)
            strongest = []
            for convolution in self.convolutions:
                x = convolution(x).relu() * seen
                strongest.append(x.amax(dim=2))
            vector = self.dropout(torch.cat(strongest, dim=1))
            return self.last(self.dropout(self.dense(vector).relu()))

    return Network


def to_onnx(network: Any) -> bytes:
    """The graph of a trained network."""
    graph = TokenGraph(network.embedding.weight.detach().numpy())
    seen = graph.add("Transpose", graph.seen, perm=[0, 2, 1])
    x = graph.add("Transpose", graph.embedded, perm=[0, 2, 1])
    strongest = []
    for layer in network.convolutions:
        half = layer.kernel_size[0] // 2
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        found = graph.add("Conv", x, weight, bias, pads=[half, half])
        x = graph.add("Mul", graph.add("Relu", found), seen)
        strongest.append(graph.add("ReduceMax", x, axes=[2], keepdims=0))
    vector = graph.add("Concat", *strongest, axis=1)
    graph.dense(graph.add("Relu", graph.dense(vector, network.dense)), network.last, output="prediction")
    return graph.finish(network.last.out_features, name="cnn")
