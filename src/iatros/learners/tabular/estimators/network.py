"""The residual network of `mlp`: inputs, layers, and the same thing as an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.task import Task
from iatros.learners.export_torch import Graph, add_layer_norm, add_linear

if TYPE_CHECKING:
    import torch

_FAR = 5.0
"""Standard deviations beyond which a number enters as if it lay there: no answer grows without bound."""


@dataclass(frozen=True)
class Inputs:
    """Where the features go: numbers (standardised) and codes, by their column in X.

    `starts` and `widths` (n_intervals,) are quantile intervals of the features `binned` (n_intervals,): each
    enters as how much of the interval lies below the value, 0 to 1 (piecewise-linear encoding, Gorishniy et
    al. 2022, eq. 1, but held in [0, 1] at both ends).
    """

    numbers: np.ndarray
    codes: np.ndarray
    cardinalities: tuple[int, ...]
    binned: np.ndarray
    starts: np.ndarray
    widths: np.ndarray

    @property
    def sizes(self) -> list[int]:
        """Length of the vector that stands for each code."""
        return [int(min(16, np.ceil(1.6 * n**0.5))) for n in self.cardinalities]

    @property
    def n_numeric(self) -> int:
        """Inputs that come from numbers."""
        return len(self.numbers) + len(self.binned)


def prepare_inputs(X: np.ndarray, cardinalities: list[int], *, n_bins: int) -> Inputs:
    """The inputs for X (n, p); `n_bins` 0 leaves out the quantile intervals, as do two-valued features."""
    counts = np.asarray(cardinalities)
    numbers, codes = np.flatnonzero(counts == 0), np.flatnonzero(counts > 0)
    binned, starts, widths = [], [], []
    for column in numbers if n_bins else []:
        edges = np.unique(np.quantile(X[:, column], np.linspace(0, 1, n_bins + 1)).astype(np.float32))
        if len(edges) < 3:
            continue
        binned += [column] * (len(edges) - 1)
        starts += edges[:-1].tolist()
        widths += np.diff(edges).tolist()
    return Inputs(
        numbers,
        codes,
        tuple(int(n) for n in counts[codes]),
        np.array(binned, dtype=np.int64),
        np.array(starts, dtype=np.float32),
        np.array(widths, dtype=np.float32),
    )


def build_network(
    inputs: Inputs, *, n_members: int, width: int, n_blocks: int, dropout: float, n_outputs: int
) -> torch.nn.Module:
    """A fresh network from X (n, p) to margins (members, n, n_outputs); draws from torch's random state."""
    network: torch.nn.Module = _network_class()(inputs, n_members, width, n_blocks, dropout, n_outputs)
    return network


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn.functional import dropout as drop
    from torch.nn.functional import layer_norm, relu

    def weight(members: int, rows: int, columns: int, bound: float) -> nn.Parameter:
        return nn.Parameter(torch.empty(members, rows, columns).uniform_(-bound, bound))

    def dense(members: int, rows: int, columns: int) -> nn.ParameterList:
        bound = max(rows, 1) ** -0.5
        return nn.ParameterList([weight(members, rows, columns, bound), weight(members, 1, columns, bound)])

    def norm(members: int, width: int) -> nn.ParameterList:
        return nn.ParameterList(
            [nn.Parameter(torch.ones(members, 1, width)), nn.Parameter(torch.zeros(members, 1, width))]
        )

    def apply(x: torch.Tensor, layer: Any) -> torch.Tensor:
        return torch.matmul(x, layer[0]) + layer[1]

    def normalise(x: torch.Tensor, layer: Any) -> torch.Tensor:
        return layer_norm(x, x.shape[-1:]) * layer[0] + layer[1]

    class Network(nn.Module):
        """Pre-norm residual blocks; the first axis of every weight counts the members."""

        def __init__(
            self, inputs: Inputs, members: int, width: int, n_blocks: int, dropout: float, n_outputs: int
        ) -> None:
            super().__init__()
            self.inputs, self.members, self.dropout = inputs, members, dropout
            self.embeddings = nn.ParameterList(
                weight(members, n, size, size**-0.5)
                for n, size in zip(inputs.cardinalities, inputs.sizes, strict=True)
            )
            self.entry = dense(members, inputs.n_numeric + sum(inputs.sizes), width)
            self.blocks = nn.ModuleList(
                nn.ModuleList(
                    [norm(members, width), dense(members, width, width), dense(members, width, width)]
                )
                for _ in range(n_blocks)
            )
            self.norm = norm(members, width)
            self.exit = dense(members, width, n_outputs)
            # starts from the same answer for everyone, so that early steps learn rather than unlearn
            nn.init.zeros_(self.exit[0])

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            x = apply(self.features(X), self.entry)
            for block in self.blocks:
                before, inner, outer = block.children()
                hidden = relu(apply(normalise(x, before), inner))
                hidden = drop(hidden, self.dropout, self.training)
                x = x + drop(apply(hidden, outer), self.dropout, self.training)
            return apply(relu(normalise(x, self.norm)), self.exit)

        def features(self, X: torch.Tensor) -> torch.Tensor:
            given = self.inputs
            numbers = X[:, given.numbers].clamp(-_FAR, _FAR)
            parts = (X[:, given.binned] - torch.from_numpy(given.starts)) / torch.from_numpy(given.widths)
            numeric = torch.cat([numbers, parts.clamp(0.0, 1.0)], dim=1).expand(self.members, -1, -1)
            codes = X[:, given.codes].long()
            vectors = [table[:, codes[:, j]] for j, table in enumerate(self.embeddings)]
            return torch.cat([numeric, *vectors], dim=2)

    return Network


def network_to_onnx(network: Any, inputs: Inputs, *, task: Task, centre: float, spread: float) -> bytes:
    """The mean prediction of the members as a graph from X (n, p) to (n, k); `spread` and `centre` undo the
    scaling of a continuous outcome.
    """
    graph = Graph()
    x = add_linear(graph, _features(graph, network, inputs), *_arrays(network.entry))
    for block in network.blocks:
        before, inner, outer = block.children()
        hidden = add_linear(graph, add_layer_norm(graph, x, *_arrays(before)), *_arrays(inner))
        x = graph.add("Add", x, add_linear(graph, graph.add("Relu", hidden), *_arrays(outer)))
    last = graph.add("Relu", add_layer_norm(graph, x, *_arrays(network.norm)))
    margin = add_linear(graph, last, *_arrays(network.exit))
    if task == "continuous":
        scaled = graph.add("Mul", margin, np.float32(spread))
        each = graph.add("Add", scaled, np.float32(centre))
    elif task == "binary":
        each = graph.add("Sigmoid", margin)
    else:
        each = graph.add("Softmax", margin, axis=-1)
    graph.add("ReduceMean", each, axes=[0], keepdims=0, output="prediction")
    p = len(inputs.numbers) + len(inputs.codes)
    return graph.model(p, network.exit[0].shape[2], name="mlp")


def _features(graph: Graph, network: Any, inputs: Inputs) -> str:
    """What enters the first layer, (members, n, i)."""
    parts = []
    if len(inputs.numbers):
        numbers = graph.add("Gather", "X", inputs.numbers, axis=1)
        numeric = graph.add("Clip", numbers, np.float32(-_FAR), np.float32(_FAR))
        if len(inputs.binned):
            gathered = graph.add("Gather", "X", inputs.binned, axis=1)
            place = graph.add("Div", graph.add("Sub", gathered, inputs.starts), inputs.widths)
            held = graph.add("Clip", place, np.float32(0.0), np.float32(1.0))
            numeric = graph.add("Concat", numeric, held, axis=1)
        # repeated for each member, because Concat does not broadcast
        one = np.ones((network.members, 1, 1), dtype=np.float32)
        parts.append(graph.add("Mul", numeric, one))
    for column, table in zip(inputs.codes, network.embeddings, strict=True):
        code = graph.add("Cast", graph.add("Gather", "X", np.int64(column), axis=1), to=7)
        parts.append(graph.add("Gather", table.detach().numpy(), code, axis=1))
    return graph.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]


def _arrays(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    return layer[0].detach().numpy(), layer[1].detach().numpy()
