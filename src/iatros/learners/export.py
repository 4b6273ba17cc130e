"""Fitted tree ensembles as ONNX graphs, with scikit-learn's own decisions at every split."""

from __future__ import annotations

from typing import Any

import numpy as np

_OPSET_ML = 3  # TreeEnsembleRegressor as every onnxruntime of the last years runs it
_IR_VERSION = 8


def forest_to_onnx(trees: list[Any], n_features: int, values: list[np.ndarray]) -> bytes:
    """The average of fitted scikit-learn `trees` as one TreeEnsembleRegressor, from X (n, p) to (n, k).

    `trees` are `estimator.tree_` objects; `values` gives, for each, the answer (n_nodes, k) of its leaves.
    The graph takes float64 and so sums over the trees in float64, as scikit-learn does, before it answers in
    float32; X must have been rounded to float32, as scikit-learn does before it compares. Missing values go
    where the tree learned to send them.
    """
    from onnx import TensorProto, helper

    attributes = _node_attributes(trees) | _leaf_attributes(trees, values)
    n_outputs = values[0].shape[1]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["prediction"],
        domain="ai.onnx.ml",
        n_targets=n_outputs,
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "forest",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, n_features])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, n_outputs])],
    )
    model = helper.make_model(
        graph,
        producer_name="iatros",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", _OPSET_ML)],
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _node_attributes(trees: list[Any]) -> dict[str, Any]:
    """Where each node splits and which nodes follow; the nodes of all trees behind one another."""
    parts: dict[str, list[np.ndarray]] = {}
    for index, tree in enumerate(trees):
        leaf = tree.children_left < 0
        columns = {
            "nodes_treeids": np.full(tree.node_count, index),
            "nodes_nodeids": np.arange(tree.node_count),
            "nodes_featureids": np.where(leaf, 0, tree.feature),
            "nodes_values_as_tensor": np.where(leaf, 0.0, tree.threshold),
            "nodes_truenodeids": np.where(leaf, 0, tree.children_left),
            "nodes_falsenodeids": np.where(leaf, 0, tree.children_right),
            "nodes_missing_value_tracks_true": np.where(leaf, 0, tree.missing_go_to_left),
            "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ"),
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    return {name: _attribute(name, np.concatenate(columns)) for name, columns in parts.items()}


def _attribute(name: str, column: np.ndarray) -> Any:
    """What onnx takes for an attribute: a float64 tensor where the name says so, else a list."""
    from onnx import numpy_helper

    return numpy_helper.from_array(column, name) if name.endswith("_as_tensor") else column.tolist()


def _leaf_attributes(trees: list[Any], values: list[np.ndarray]) -> dict[str, Any]:
    """What each leaf adds to each output: its answer over the number of trees."""
    n_outputs = values[0].shape[1]
    tree_ids, node_ids, target_ids, weights = [], [], [], []
    for index, (tree, value) in enumerate(zip(trees, values, strict=True)):
        leaves = np.flatnonzero(tree.children_left < 0)
        tree_ids.append(np.full(len(leaves) * n_outputs, index))
        node_ids.append(np.repeat(leaves, n_outputs))
        target_ids.append(np.tile(np.arange(n_outputs), len(leaves)))
        weights.append((value[leaves] / len(trees)).ravel())
    columns = {
        "target_treeids": tree_ids,
        "target_nodeids": node_ids,
        "target_ids": target_ids,
        "target_weights_as_tensor": weights,
    }
    return {name: _attribute(name, np.concatenate(parts)) for name, parts in columns.items()}
