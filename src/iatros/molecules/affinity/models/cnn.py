"""Convolutions over the letters of SMILES and of the protein (DeepDTA; Ozturk, Ozgur and Ozkirimli 2018).

A table of affinities has few drugs and few targets for its many pairs. So a batch is a few targets with all of their
pairs, and each letter string in it goes through its convolutions once, not once for each pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from iatros.core.errors import InputError
from iatros.learners.proteins.sequences import codes as protein_codes
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import Read, Saved, open_session
from iatros.molecules.affinity.estimator import AffinityParams, Newness
from iatros.molecules.affinity.schema import Pairs

if TYPE_CHECKING:
    import torch

SMILES_LETTERS = "#%()*+-./0123456789:=@ABCDEFGHIKLMNOPRSTUVWXYZ[\\]abcdefghiklmnoprstuy"
"""What SMILES are written in; a letter's code is its place, from 1; 0 is the end, one more is any other letter."""
_PARTS = ("drug", "target", "pair")
_BLOCK = 4096


class CnnParams(AffinityParams):
    """Parameters of the networks."""

    n_filters: int = Field(
        default=32, ge=4, le=256, description="filters of the first layer; then twice and thrice"
    )
    smiles_length: int = Field(default=100, ge=20, le=1000, description="letters of SMILES that are read")
    protein_length: int = Field(default=1000, ge=50, le=10_000, description="residues that are read")
    smiles_width: int = Field(default=6, ge=2, le=20, description="letters of SMILES that a filter spans")
    protein_width: int = Field(default=8, ge=2, le=20, description="residues that a filter spans")
    n_epochs: int = Field(default=60, ge=1, le=1000, description="times that every pair is learned from")
    targets_in_batch: int = Field(
        default=16, ge=1, le=1000, description="targets in a batch, with all their pairs"
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="largest step of the optimiser")
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of the dense layers that is hidden at random"
    )

    @model_validator(mode="after")
    def _fits(self) -> CnnParams:
        for side in ("smiles", "protein"):
            if 3 * (getattr(self, f"{side}_width") - 1) >= getattr(self, f"{side}_length"):
                raise ValueError(f"three filters of {side}_width are too wide for {side}_length")
        return self


class Cnn:
    """Three convolutions and the maximum over places for each side, three dense layers over both."""

    name: ClassVar[str] = "dti-cnn"
    Params: ClassVar[type[CnnParams]] = CnnParams

    def __init__(self, params: CnnParams | None = None) -> None:
        self.params = params or CnnParams()

    def fit(
        self, pairs: Pairs, *, newness: Newness, groups: np.ndarray, seed: int
    ) -> tuple[CnnPredictor, dict[str, Any]]:
        """The networks after the last epoch; notes: epochs, batches, the error on what was learned from."""
        from iatros.molecules.affinity.models.cnn_training import answer, train

        mean, spread = float(pairs.y.mean()), max(float(pairs.y.std()), 1e-6)
        networks, loss, n_batches = train(pairs, (pairs.y - mean) / spread, self.params, seed)
        graphs = {part: _exported(networks, part, self.params) for part in _PARTS}
        notes = {
            "epochs": self.params.n_epochs,
            "batches_per_epoch": n_batches,
            "mse_while_learning": loss * spread**2,
        }
        fitted = CnnPredictor(graphs, mean, spread, self.params.smiles_length, self.params.protein_length)
        some = pairs.take(np.arange(min(len(pairs), 200)))
        assert_equal(
            answer(networks, some, self.params) * spread + mean, fitted.predict(some), tolerance=1e-4
        )
        return fitted, notes


def smiles_codes(smiles: str, length: int) -> np.ndarray:
    """The letters of `smiles` as codes, cut or filled with 0 to `length`, int64 (length,)."""
    line = np.zeros(length, dtype=np.int64)
    for place, letter in enumerate(smiles[:length]):
        found = SMILES_LETTERS.find(letter)
        line[place] = found + 1 if found >= 0 else len(SMILES_LETTERS) + 1
    return line


def sequence_codes(sequence: str, length: int) -> np.ndarray:
    """The residues of a clean sequence as codes from 1, cut or filled with 0 to `length`, int64 (length,)."""
    line = np.zeros(length, dtype=np.int64)
    given = protein_codes(sequence[:length])
    line[: len(given)] = given.astype(np.int64) + 1
    return line


@dataclass(frozen=True)
class CnnPredictor:
    """Three ONNX graphs: of a drug's letters, of a target's, and of what both give together."""

    kind: ClassVar[str] = "dti-cnn"
    graphs: dict[str, bytes]
    mean: float
    spread: float
    smiles_length: int
    protein_length: int

    def predict(self, pairs: Pairs) -> np.ndarray:
        """The affinity of each pair (n,)."""
        if not len(pairs):
            raise InputError("there are no pairs")
        drugs = self._encoded("drug", [smiles_codes(one, self.smiles_length) for one in pairs.smiles])
        targets = self._encoded(
            "target", [sequence_codes(one, self.protein_length) for one in pairs.sequences]
        )
        session = open_session(self.graphs["pair"])
        parts = []
        for at in range(0, len(pairs), _BLOCK):
            rows = slice(at, at + _BLOCK)
            both = np.hstack([drugs[pairs.drug[rows]], targets[pairs.target[rows]]])
            parts.append(session.run(None, {"X": both})[0][:, 0])
        return np.concatenate(parts).astype(float) * self.spread + self.mean

    def _encoded(self, part: str, lines: list[np.ndarray]) -> np.ndarray:
        session = open_session(self.graphs[part])
        found = [session.run(None, {"X": line[None]})[0] for line in lines]
        return np.concatenate(found)

    def save(self) -> Saved:
        """The document, and the graphs."""
        document = {
            "kind": self.kind,
            "mean": self.mean,
            "spread": self.spread,
            "smiles_length": self.smiles_length,
            "protein_length": self.protein_length,
        }
        return document, {f"{part}.onnx": graph for part, graph in self.graphs.items()}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> CnnPredictor:
        """The predictor that `save` described."""
        graphs = {part: read(f"{part}.onnx") for part in _PARTS}
        fields = {name: document[name] for name in ("mean", "spread", "smiles_length", "protein_length")}
        return cls(graphs, **fields)


def _exported(networks: torch.nn.ModuleDict, part: str, params: CnnParams) -> bytes:
    """One of the networks as an ONNX graph, written node by node: the same weights give the same bytes."""
    weights = {name: value.detach().numpy() for name, value in networks[part].state_dict().items()}
    graph = _Writer()
    if part == "pair":
        x = "X"
        layers = sorted({int(name.split(".")[0]) for name in weights})
        for place, layer in enumerate(layers):
            x = graph.add("Gemm", [x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]], transB=1)
            if place < len(layers) - 1:
                x = graph.add("Relu", [x])
        return graph.model(x, "X", np.float32, [None, weights["0.weight"].shape[1]], f"affinity of a {part}")
    x = graph.add("Gather", [weights["letters.weight"], "X"])
    x = graph.add("Transpose", [x], perm=[0, 2, 1])
    for layer in range(3):
        x = graph.add("Conv", [x, weights[f"layers.{layer}.weight"], weights[f"layers.{layer}.bias"]])
        x = graph.add("Relu", [x])
    x = graph.add("ReduceMax", [x], axes=[2], keepdims=0)
    length = params.smiles_length if part == "drug" else params.protein_length
    return graph.model(x, "X", np.int64, [None, length], f"letters of a {part}")


class _Writer:
    """An ONNX graph that grows by one operation at a time."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def add(self, operation: str, inputs: list[str | np.ndarray], **attributes: Any) -> str:
        from onnx import helper, numpy_helper

        names = []
        for value in inputs:
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"w{len(self._weights)}")
            self._weights.append(numpy_helper.from_array(np.array(value, order="C"), names[-1]))
        output = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, names, [output], **attributes))
        return output

    def model(self, last: str, entry: str, dtype: Any, shape: list[int | None], name: str) -> bytes:
        from onnx import TensorProto, helper

        kind = TensorProto.INT64 if dtype is np.int64 else TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(entry, kind, shape)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
            initializer=self._weights,
        )
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, producer_name="iatros", ir_version=8, opset_imports=opsets)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def rate_at(step: int, n_steps: int) -> float:
    """Share of the largest step: rising over the first twentieth, then falling along a cosine to nothing."""
    rise = max(1, n_steps // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(1, n_steps - rise)))
