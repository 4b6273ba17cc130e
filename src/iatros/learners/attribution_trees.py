"""Tree ensembles read back from their ONNX graph, and their interventional SHAP values by shap's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import MissingExtraError
from iatros.learners.tabular.scorers import Link, OnnxScorer, apply_link, as_float32, open_session

_AGREEMENT = 1e-4


@dataclass(frozen=True)
class TreePart:
    """The trees of a scorer: features of X (p), appended features (a look-up in the graph), and outputs (k)."""

    session: Any
    input_name: str
    double: bool
    explainer: Any
    offset: np.ndarray
    appended: np.ndarray
    """For each appended feature the feature of X that it is made from."""
    link: Link
    n_outputs: int
    kind = "tree"

    def features(self, X: np.ndarray) -> np.ndarray:
        """What the trees compare (n, p + appended), float64 rounded as the stored model rounds it."""
        given = as_float32(X)
        feed = given.astype(np.float64) if self.double else given
        if self.session is None:
            return given.astype(np.float64)
        (answer,) = self.session.run(None, {self.input_name: feed})
        return np.asarray(answer, dtype=np.float64)

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Sums of the leaves (n, k)."""
        return self._tree_sums(self.features(X))

    def _tree_sums(self, F: np.ndarray) -> np.ndarray:
        return np.asarray(self.explainer.model.predict(F)).reshape(len(F), self.n_outputs) + self.offset

    def contributions(self, X: np.ndarray, r: np.ndarray) -> np.ndarray:
        """(n, p, k): SHAP values of the sums against the one reference row r (1, p)."""
        F, reference = self.features(X), self.features(r)
        self.explainer.data, self.explainer.data_missing = reference, np.isnan(reference)
        values = np.asarray(self.explainer.shap_values(F, check_additivity=False))
        values = values.reshape(len(F), F.shape[1], self.n_outputs)
        p = X.shape[1]
        shares = values[:, :p].copy()
        for j, source in enumerate(self.appended):
            shares[:, source] += values[:, p + j]
        return shares


def tree_part(scorer: OnnxScorer, X: np.ndarray) -> TreePart | None:
    """The trees of `scorer`, or None where the graph is something else; X (m, p) are rows to compare on.

    What is read back must give the scorer's answers on X, or it is not used.
    """
    try:
        import onnx
        import shap  # noqa: F401
    except ImportError as error:
        message = f"explaining trees needs the package {error.name}"
        raise MissingExtraError(message, hint="pip install 'iatros[risk]'") from error

    model = onnx.load_from_string(scorer.model)
    ensembles = [node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor"]
    if len(ensembles) != 1:
        return None
    attributes = _attributes(ensembles[0])
    trees = _trees(attributes)
    if trees is None:
        return None
    entry = model.graph.input[0]
    session = appended = None
    if ensembles[0].input[0] != entry.name:
        session, appended = _before_trees(model, ensembles[0].input[0], X.shape[1])
        if session is None:
            return None
    n_outputs = int(attributes.get("n_targets", 1))
    offset = np.asarray(attributes.get("base_values", np.zeros(n_outputs)), dtype=np.float64)
    double = entry.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    links: tuple[Link, ...] = ("identity", "sigmoid") if n_outputs == 1 else ("identity", "softmax")
    made_from = np.zeros(0, dtype=np.int64) if appended is None else appended
    explainer = _explainer(trees, X.shape[1] + len(made_from))
    wanted = scorer.score(X)
    for link in links:
        part = TreePart(session, entry.name, double, explainer, offset, made_from, link, n_outputs)
        margin = part.margin(X)
        got = margin if link == "identity" and n_outputs > 1 else apply_link(link, margin)
        if got.shape == wanted.shape and np.allclose(got, wanted, rtol=_AGREEMENT, atol=_AGREEMENT):
            return part
    return None


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper, numpy_helper

    answer: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        name = attribute.name.removesuffix("_as_tensor")
        answer[name] = numpy_helper.to_array(value) if attribute.name.endswith("_as_tensor") else value
    return answer


def _trees(attributes: dict[str, Any]) -> list[dict[str, np.ndarray]] | None:
    """The trees as shap takes them; None where a split is of another kind than "at most" or "less than"."""
    summed = attributes.get("aggregate_function", b"SUM") == b"SUM"
    if not summed or attributes.get("post_transform", b"NONE") != b"NONE":
        return None
    modes = np.array(attributes["nodes_modes"])
    if not set(modes.tolist()) <= {b"LEAF", b"BRANCH_LEQ", b"BRANCH_LT"}:
        return None
    leaf = modes == b"LEAF"
    threshold = np.asarray(attributes["nodes_values"], dtype=np.float64)
    left = np.where(leaf, -1, np.asarray(attributes["nodes_truenodeids"]))
    right = np.where(leaf, -1, np.asarray(attributes["nodes_falsenodeids"]))
    tracks = attributes.get("nodes_missing_value_tracks_true")
    missing_left = np.zeros(len(leaf), dtype=bool) if tracks is None else np.asarray(tracks) == 1
    columns = {
        "children_left": left,
        "children_right": right,
        "children_default": np.where(missing_left, left, right),
        "features": np.where(leaf, -1, np.asarray(attributes["nodes_featureids"])),
        "thresholds": np.where(modes == b"BRANCH_LT", np.nextafter(threshold, -np.inf), threshold),
    }
    return _one_by_one(columns, attributes)


def _one_by_one(columns: dict[str, np.ndarray], attributes: dict[str, Any]) -> list[dict[str, np.ndarray]]:
    """The nodes of all trees, taken apart and put in the order of their numbers."""
    node = np.asarray(attributes["nodes_nodeids"])
    output, weight = np.asarray(attributes["target_ids"]), np.asarray(attributes["target_weights"])
    leaf_node = np.asarray(attributes["target_nodeids"])
    n_outputs = int(attributes.get("n_targets", 1))
    leaves = dict(_members(np.asarray(attributes["target_treeids"])))
    found = []
    for number, members in _members(np.asarray(attributes["nodes_treeids"])):
        place = node[members]
        size = int(place.max()) + 1
        tree: dict[str, np.ndarray] = {
            "node_sample_weight": np.ones(size),
            "values": np.zeros((size, n_outputs)),
        }
        for name, column in columns.items():
            tree[name] = np.zeros(size, dtype=np.float64 if name == "thresholds" else np.int32)
            tree[name][place] = column[members]
        mine = leaves[number]
        np.add.at(tree["values"], (leaf_node[mine], output[mine]), weight[mine])
        found.append(tree)
    return found


def _members(tree: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Each tree's number with the positions of its entries."""
    order = np.argsort(tree, kind="stable")
    numbers, begin = np.unique(tree[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(order, begin[1:]), strict=True))


def _explainer(trees: list[dict[str, np.ndarray]], n_features: int) -> Any:
    import shap

    model = {
        "trees": trees,
        "internal_dtype": np.float64,
        "input_dtype": np.float64,
        "objective": "squared_error",
        "tree_output": "raw_value",
        "base_offset": 0.0,
    }
    return shap.TreeExplainer(model, data=np.zeros((1, n_features)), feature_perturbation="interventional")


def _before_trees(model: Any, name: str, p: int) -> tuple[Any, np.ndarray | None]:
    """A session that gives what the trees see, and for each feature appended to X the one it is made from."""
    import onnx
    from onnx import numpy_helper

    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    if "columns" not in known or "table" not in known:
        return None, None
    columns = known["columns"].astype(np.int64)
    appended = np.repeat(columns, known["table"].shape[1])
    shorter = onnx.ModelProto()
    shorter.CopyFrom(model)
    kept = []
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            break
        kept.append(node)
    del shorter.graph.node[:]
    shorter.graph.node.extend(kept)
    del shorter.graph.output[:]
    kind = model.graph.input[0].type.tensor_type.elem_type
    shorter.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, [None, p + len(appended)]))
    return open_session(shorter.SerializeToString()), appended
