"""Fitted LightGBM models as one ONNX graph, with LightGBM's own decisions at every split.

LightGBM compares in float64, and so does the graph: every row takes the same path in both. onnxmltools
rounds the thresholds to float32, which sends rows that lie on one to the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from iatros.core.errors import FitError

_OPSET = 15
_OPSET_ML = 3
_IR_VERSION = 8

_LINKS = {"sigmoid": "Sigmoid", "softmax": "Softmax", "identity": "Identity"}


@dataclass(frozen=True)
class Lookup:
    """Tables whose rows are appended to the features before the trees see them.

    Feature `columns[j]`, less `lows[j]`, picks one of `sizes[j]` rows; one row before them stands for
    anything lower, one behind them for anything higher, and one more for a missing value. `table` holds the
    rows of all columns behind one another, (sum(sizes + 3), k).
    """

    columns: np.ndarray
    lows: np.ndarray
    sizes: np.ndarray
    table: np.ndarray


@dataclass
class _Nodes:
    """The attributes of a TreeEnsembleRegressor, grown tree by tree."""

    nodes: dict[str, list[Any]] = field(default_factory=dict)
    leaves: dict[str, list[Any]] = field(default_factory=dict)

    def add_node(self, **values: Any) -> None:
        for name, value in values.items():
            self.nodes.setdefault(f"nodes_{name}", []).append(value)

    def add_leaf(self, **values: Any) -> None:
        for name, value in values.items():
            self.leaves.setdefault(f"target_{name}", []).append(value)


def lightgbm_to_onnx(
    boosters: list[Any],
    n_features: int,
    *,
    link: str,
    lookup: Lookup | None = None,
) -> bytes:
    """A graph from X (n, n_features) float64 to predictions (n, k) float32: the link of the mean margin.

    `link` is sigmoid, softmax or identity; `boosters` are fitted `lightgbm.Booster`s without categorical
    splits, all with `k` trees per round.
    `lookup` appends columns to X first; the boosters' features are then n_features and these.
    """
    from onnx import TensorProto, helper

    dumps = [booster.dump_model() for booster in boosters]
    n_outputs = int(dumps[0]["num_tree_per_iteration"])
    nodes, initial = _lookup_nodes(lookup) if lookup is not None else ([], [])
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        ["features" if lookup is not None else "X"],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=n_outputs,
        aggregate_function="SUM",
        post_transform="NONE",
        **_tree_attributes(dumps, n_outputs),
    )
    axis = {"axis": 1} if link == "softmax" else {}
    graph = helper.make_graph(
        [*nodes, trees, helper.make_node(_LINKS[link], ["margin"], ["prediction"], **axis)],
        "boosting",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, n_features])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, n_outputs])],
        initializer=initial,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _OPSET_ML)]
    model = helper.make_model(graph, producer_name="iatros", ir_version=_IR_VERSION, opset_imports=opsets)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _tree_attributes(dumps: list[dict[str, Any]], n_outputs: int) -> dict[str, Any]:
    """Every tree of every model; a leaf adds its value over the number of models to its own output."""
    from onnx import numpy_helper

    grown = _Nodes()
    index = 0
    for dump in dumps:
        for position, tree in enumerate(dump["tree_info"]):
            _add_tree(grown, tree["tree_structure"], index, position % n_outputs, len(dumps))
            index += 1
    attributes = {**grown.nodes, **grown.leaves}
    for name in [name for name in attributes if name.endswith("_as_tensor")]:
        attributes[name] = numpy_helper.from_array(np.array(attributes[name], dtype=np.float64), name)
    return attributes


def _add_tree(grown: _Nodes, root: dict[str, Any], tree: int, output: int, n_models: int) -> None:
    for number, node, (left, right) in _numbered(root):
        if "split_feature" not in node:
            grown.add_node(
                treeids=tree, nodeids=number, featureids=0, modes="LEAF", values_as_tensor=0.0,
                truenodeids=0, falsenodeids=0, missing_value_tracks_true=0,
            )  # fmt: skip
            grown.add_leaf(
                treeids=tree,
                nodeids=number,
                ids=output,
                weights_as_tensor=float(node["leaf_value"]) / n_models,
            )
            continue
        towards_left = _missing_goes_left(node)
        grown.add_node(
            treeids=tree, nodeids=number, featureids=int(node["split_feature"]), modes="BRANCH_LEQ",
            values_as_tensor=float(node["threshold"]), truenodeids=left, falsenodeids=right,
            missing_value_tracks_true=int(towards_left),
        )  # fmt: skip


def _missing_goes_left(node: dict[str, Any]) -> bool:
    """Where LightGBM sends NaN: by the split's default if it saw missing values, else as if it were 0."""
    if node["decision_type"] != "<=" or node["missing_type"] not in ("NaN", "None"):
        raise FitError("this LightGBM model has splits that cannot be stored: train it without categories")
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return float(node["threshold"]) >= 0.0


def _numbered(root: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], tuple[int, int]]]:
    """Each node with its number and those of its children (0, 0 for a leaf), the root first."""
    waiting = [(0, root)]
    following = 1
    while waiting:
        number, node = waiting.pop()
        children = (0, 0)
        if "split_feature" in node:
            children = (following, following + 1)
            following += 2
            waiting += [(children[1], node["right_child"]), (children[0], node["left_child"])]
        yield number, node, children


def _lookup_nodes(lookup: Lookup) -> tuple[list[Any], list[Any]]:
    """The nodes that make `features` from `X` as `Lookup` says, and the numbers they need."""
    from onnx import TensorProto, helper, numpy_helper

    m, k = len(lookup.columns), lookup.table.shape[1]
    constants = {
        "columns": lookup.columns.astype(np.int64),
        "less": lookup.lows.astype(float) - 1.0,
        "zero": np.zeros(1),
        "above": lookup.sizes + 1.0,
        "absent": lookup.sizes + 2.0,
        "offsets": np.concatenate([[0], np.cumsum(lookup.sizes + 3)[:-1]]).astype(np.int64),
        "table": lookup.table.astype(float),
        "flat": np.array([-1, m * k], dtype=np.int64),
    }
    initial = [
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()
    ]
    node = helper.make_node
    nodes = [
        node("Gather", ["X", "columns"], ["coded"], axis=1),
        node("IsNaN", ["coded"], ["missing"]),
        node("Where", ["missing", "zero", "coded"], ["known"]),
        node("Sub", ["known", "less"], ["place"]),
        node("Max", ["place", "zero"], ["not_below"]),
        node("Min", ["not_below", "above"], ["not_above"]),
        node("Floor", ["not_above"], ["whole"]),
        node("Where", ["missing", "absent", "whole"], ["chosen"]),
        node("Cast", ["chosen"], ["chosen_integer"], to=TensorProto.INT64),
        node("Add", ["chosen_integer", "offsets"], ["slot"]),
        node("Gather", ["table", "slot"], ["rows"], axis=0),
        node("Reshape", ["rows", "flat"], ["means"]),
        node("Concat", ["X", "means"], ["features"], axis=1),
    ]
    return nodes, initial
