"""Residual networks as ONNX graphs built node by node: the same weights, the same bytes every time.

torch's exporter needs seconds and onnxscript for each graph, and writes source paths into it; the networks
here are short enough to be written down.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_OPSET = 17  # the first with LayerNormalization
_IR_VERSION = 8


class Graph:
    """An ONNX graph that grows by one operation at a time; names are counted, so they never vary."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._initial: list[Any] = []

    def constant(self, value: np.ndarray | np.generic) -> str:
        """The name under which an array can be used as an input."""
        from onnx import numpy_helper

        name = f"w{len(self._initial)}"
        self._initial.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(
        self,
        operation: str,
        *inputs: str | np.ndarray | np.generic,
        output: str | None = None,
        **attributes: Any,
    ) -> str:
        """Append an operation; arrays among its inputs become constants. Returns the name of its output."""
        from onnx import helper

        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = output or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, names, [output], **attributes))
        return output

    def model(self, n_features: int, n_outputs: int, *, name: str) -> bytes:
        """The graph from X (n, n_features) to prediction (n, n_outputs), both float32, as bytes."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, n_features])],
            [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, n_outputs])],
            initializer=self._initial,
        )
        model = helper.make_model(
            graph,
            producer_name="iatros",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def add_linear(graph: Graph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """`x weight + bias` for each member: x (members, n, i) or (1, n, i), weight (members, i, o)."""
    return graph.add("Add", graph.add("MatMul", x, weight), bias)


def add_layer_norm(graph: Graph, x: str, gain: np.ndarray, shift: np.ndarray) -> str:
    """Each row of x (members, n, o) to mean 0 and variance 1, then each member's gain and shift (members, 1, o)."""
    ones = np.ones(gain.shape[-1], dtype=np.float32)
    normed = graph.add("LayerNormalization", x, ones, 0.0 * ones, axis=-1, epsilon=1e-5)
    return graph.add("Add", graph.add("Mul", normed, gain), shift)
