"""Recurrent layers as ONNX's own GRU and LSTM nodes, for any number of steps.

torch unrolls its recurrent layers while it exports them and then, depending on what was exported before in the
same process, writes down the length of the example as if it were the only one (torch 2.13).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from iatros.core.errors import FitError

_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""For each of ONNX's gates (GRU z r h, LSTM i o f c) its place in torch's order (r z n, i f g o)."""


def with_onnx_cells(network: nn.Module) -> nn.Module:
    """A copy of `network` whose GRU and LSTM layers are ONNX nodes: it can be exported, but not run."""
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, (nn.GRU, nn.LSTM)):
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, _OnnxCells(module))
    return network


class _OnnxCells(nn.Module):
    """The layers of one GRU or LSTM; called as torch's are, without a state to begin from."""

    def __init__(self, layers: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.operation = type(layers).__name__
        if getattr(layers, "proj_size", 0):
            raise FitError("an LSTM with projections cannot be stored", hint="leave proj_size at 0")
        self.batch_first = layers.batch_first
        self.hidden = layers.hidden_size
        self.directions = 1 + layers.bidirectional
        self.layers = layers.num_layers
        for layer in range(self.layers):
            for name, value in _packed(layers, layer, self.operation).items():
                self.register_buffer(f"{name}{layer}", value)

    def forward(self, steps: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        if state is not None:
            raise FitError("a recurrent layer with a given first state cannot be stored")
        values = steps.transpose(0, 1) if self.batch_first else steps
        last: list[tuple[torch.Tensor, ...]] = []
        for layer in range(self.layers):
            values, *ends = self._layer(values, layer)
            last.append(tuple(ends))
        state = tuple(torch.cat(parts) for parts in zip(*last, strict=True))
        out = values.transpose(0, 1) if self.batch_first else values
        return out, state[0] if self.operation == "GRU" else state

    def _layer(self, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, ...]:
        """All steps (steps, n, directions x hidden) and the last ones (directions, n, hidden) of one layer."""
        steps, n = values.shape[:2]
        gru = self.operation == "GRU"
        end = (self.directions, n, self.hidden)
        attributes: dict[str, Any] = {
            "hidden_size": self.hidden,
            "direction": "bidirectional" if self.directions == 2 else "forward",
        }
        shapes = [(steps, self.directions, n, self.hidden), end, *([] if gru else [end])]
        every, *ends = torch.onnx.ops.symbolic_multi_out(
            self.operation,
            [values, *(getattr(self, f"{name}{layer}") for name in ("input", "recurrent", "bias"))],
            attributes | ({"linear_before_reset": 1} if gru else {}),
            dtypes=[values.dtype] * len(shapes),
            shapes=shapes,
        )
        joined = every.transpose(1, 2).reshape(steps, n, self.directions * self.hidden)
        return joined, *ends


def _packed(layers: nn.GRU | nn.LSTM, layer: int, operation: str) -> dict[str, torch.Tensor]:
    """Weights of one layer as ONNX has them: (directions, gates x hidden, ...), both biases behind each other."""
    suffixes = [f"_l{layer}", f"_l{layer}_reverse"][: 1 + layers.bidirectional]
    inputs = [_reordered(layers.get_parameter(f"weight_ih{end}"), operation) for end in suffixes]
    recurrents = [_reordered(layers.get_parameter(f"weight_hh{end}"), operation) for end in suffixes]
    if layers.bias:
        biases = [
            torch.cat(
                [
                    _reordered(layers.get_parameter(f"{name}{end}"), operation)
                    for name in ("bias_ih", "bias_hh")
                ]
            )
            for end in suffixes
        ]
    else:
        biases = [torch.zeros(2 * len(each)) for each in inputs]
    return {
        "input": torch.stack(inputs),
        "recurrent": torch.stack(recurrents),
        "bias": torch.stack(biases),
    }


def _reordered(weight: torch.Tensor, operation: str) -> torch.Tensor:
    gates = weight.detach().chunk(len(_GATES[operation]))
    return torch.cat([gates[place] for place in _GATES[operation]])
