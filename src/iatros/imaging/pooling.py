"""Average pooling in an ONNX graph as convolutions, which onnxruntime computes many times faster in 8 bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_READ = {"kernel_shape", "strides", "pads", "count_include_pad", "ceil_mode", "dilations", "auto_pad"}


def as_convolutions(model: Any) -> None:
    """Replace each average over windows of rows and columns by one filter for every channel; the answers stay.

    A convolution counts what lies outside the map as 0. Where the average leaves it out, a constant map makes up
    for it. Pooling over volumes stays as it is, and so does one whose size the graph does not say.
    """
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    graph = model.graph
    nodes = [made for node in graph.node for made in _replaced(node, shapes, graph)]
    del graph.node[:]
    graph.node.extend(nodes)


def _replaced(node: Any, shapes: dict[str, list[int]], graph: Any) -> list[Any]:
    """What stands for `node`: itself, or a convolution and what makes up for the border."""
    from onnx import helper, numpy_helper

    if node.op_type != "AveragePool":
        return [node]
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    before, after = (shapes.get(name, []) for name in (node.input[0], node.output[0]))
    sized = len(before) == len(after) == 4 and min(*before[1:], *after[1:]) > 0  # 0 where an axis is free
    plain = (
        given.keys() <= _READ
        and not given.get("ceil_mode")
        and set(given.get("dilations", ())) <= {1}
        and given.get("auto_pad", b"NOTSET") == b"NOTSET"
    )
    if not sized or not plain:
        return [node]
    window, answer = given["kernel_shape"], node.output[0]
    placed = {"strides": given.get("strides", [1, 1]), "pads": given.get("pads", [0] * 4)}
    filters = np.full((before[1], 1, *window), 1 / math.prod(window), dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(filters, f"{answer}_filters"))
    counted = _counted(before[2:], after[2:], window, **placed)
    whole = bool(given.get("count_include_pad")) or bool((counted == math.prod(window)).all())
    summed = answer if whole else f"{answer}_summed"
    convolution = helper.make_node(
        "Conv",
        [node.input[0], f"{answer}_filters"],
        [summed],
        f"{node.name}_convolution",
        kernel_shape=window,
        group=before[1],
        **placed,
    )
    if whole:
        return [convolution]
    missing = (math.prod(window) / counted).astype(np.float32)[np.newaxis, np.newaxis]
    graph.initializer.append(numpy_helper.from_array(missing, f"{answer}_missing"))
    border = helper.make_node("Mul", [summed, f"{answer}_missing"], [answer], f"{node.name}_missing")
    return [convolution, border]


def _counted(
    before: list[int], after: list[int], window: list[int], strides: list[int], pads: list[int]
) -> np.ndarray:
    """How many places inside the map each window covers, (rows, columns) of the answer."""
    along = []
    for axis in range(2):
        first = np.arange(after[axis]) * strides[axis] - pads[axis]
        along.append(np.minimum(first + window[axis], before[axis]) - np.maximum(first, 0))
    return np.multiply.outer(*along)
