"""Directed message passing over the bonds of a compound (D-MPNN), trained with torch and answered with numpy.

Yang et al. 2019, "Analyzing Learned Molecular Representations for Property Prediction", J Chem Inf Model 59, 3370,
equations 3 to 7. Weights, features and schedule are those of the authors' package, chemprop, as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.graphs import ATOM_WIDTH, BOND_WIDTH, Graphs, compute_graphs, hidden_graphs
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import Read, Saved
from iatros.learners.threads import one_blas_thread
from iatros.molecules.assay import Assay
from iatros.molecules.models.estimator import CompoundParams
from iatros.molecules.models.featured import Inputs, fit_inputs, prepare
from iatros.molecules.models.hiding import each_atom_hidden
from iatros.molecules.models.neural import TOLERANCE, Course, answers, epochs_for, learn, outcome_of

if TYPE_CHECKING:
    import torch

Aggregation = Literal["mean", "sum", "norm"]
Descriptors = Literal["none", "joined", "both"]

_ARRAYS = "arrays.safetensors"
_NORM = 100.0
_EPOCHS = 50
_CHUNK = 128
"""Compounds answered at once: more need memory and bring no speed."""
_DESCRIPTORS = (Fingerprint("descriptors"),)
_CHECKED = 64


class DmpnnParams(CompoundParams):
    """Parameters of the message passing network."""

    hidden: int = Field(
        default=300, ge=8, le=4096, description="length of the vector of a bond and of an atom"
    )
    depth: int = Field(default=3, ge=1, le=16, description="bonds that a message travels, its own included")
    layers: int = Field(default=1, ge=0, le=8, description="hidden layers behind the compound's vector")
    dropout: float = Field(default=0.0, ge=0, lt=0.9, description="share of units left out while training")
    aggregation: Aggregation = Field(
        default="mean",
        description="how atoms become a compound: their mean, their sum, or norm (sum over 100)",
    )
    descriptors: Descriptors = Field(
        default="both",
        description="RDKit's 2-D descriptors, standardised: none, joined to the compound's vector, or both: two "
        "answers from one vector, with and without them, learned beside each other and averaged",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="passes over the training compounds; where not given, 50, and fewer above 10 000 compounds",
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="compounds of a step")
    learning_rate: float = Field(
        default=1e-3, gt=0, le=1, description="largest step size of Adam; it begins and ends at a tenth of it"
    )
    weight_decay: float = Field(default=0.0, ge=0, le=10, description="decay of the weights")


class Dmpnn:
    """The network, one for all endpoints."""

    name: ClassVar[str] = "dmpnn"
    Params: ClassVar[type[DmpnnParams]] = DmpnnParams

    def __init__(self, params: DmpnnParams | None = None) -> None:
        self.params = params or DmpnnParams()

    def prepare(self, compounds: Compounds) -> None:
        """Compute the features that `fit` needs."""
        if self.params.descriptors != "none":
            prepare(compounds, _DESCRIPTORS)

    def fit(self, assay: Assay, *, seed: int) -> tuple[GraphPredictor, dict[str, Any]]:
        """The network after all epochs; notes: epochs, weights, descriptors joined.

        Values known only as bounds cost nothing on their side. FitError where an endpoint has no value, one class
        only, or where the numbers of the network have grown so large that its stored form answers otherwise.
        """
        import torch

        params = self.params
        outcome = outcome_of(assay)
        graphs = compute_graphs(assay.compounds.smiles)
        inputs, joined = None, np.empty((len(assay), 0), dtype=np.float32)
        if params.descriptors != "none":
            inputs, joined = fit_inputs(assay.compounds, _DESCRIPTORS, scale=True)

        def build() -> torch.nn.Module:
            network = build_network(params, n_outputs=outcome.labels.shape[1], n_joined=joined.shape[1])
            with torch.no_grad():
                for answer in network.answers():
                    answer[-1].bias.copy_(torch.from_numpy(outcome.start))
            return network

        epochs = epochs_for(len(assay), params.epochs, _EPOCHS)
        course = Course(epochs, params.batch_size, params.learning_rate, params.weight_decay)
        network = learn(build, _batches(graphs, joined), outcome, course, seed=seed, bfloat16=True)
        predictor = GraphPredictor(
            {name: value.numpy().copy() for name, value in network.state_dict().items()},
            params.depth,
            params.aggregation,
            outcome.binary,
            outcome.centre,
            outcome.spread,
            inputs,
        )
        rows = np.arange(min(_CHECKED, len(assay)))
        with torch.no_grad():
            trained = network(batch_of(graphs.take(rows), joined[rows])).mean(dim=1).numpy()
        assert_equal(trained, predictor.output(graphs.take(rows), joined[rows]), tolerance=TOLERANCE)
        notes = {
            "epochs": epochs,
            "n_weights": sum(value.size for value in predictor.weights.values()),
            "n_descriptors": joined.shape[1],
        }
        return predictor, notes


class Batch(NamedTuple):
    """Graphs as tensors, and what is joined to the compounds' vectors; `sizes` (n, 1) are their atoms."""

    atoms: torch.Tensor
    bonds: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    owners: torch.Tensor
    sizes: torch.Tensor
    joined: torch.Tensor


def batch_of(graphs: Graphs, joined: np.ndarray) -> Batch:
    """What `build_network`'s network takes; `joined` (n, p) float32, p may be 0."""
    import torch

    source, target = graphs.edges
    parts = (
        graphs.atom_features,
        graphs.bonds.astype(np.float32),
        source,
        target,
        graphs.owners,
        graphs.n_atoms[:, None].astype(np.float32),
        joined,
    )
    return Batch(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


def _batches(graphs: Graphs, joined: np.ndarray) -> Callable[[np.ndarray, int], Batch]:
    return lambda rows, _: batch_of(graphs.take(rows), joined[rows])


def build_network(params: DmpnnParams, *, n_outputs: int, n_joined: int = 0) -> Any:
    """A fresh network from a `Batch` to (n, answers, n_outputs); draws from torch's random state."""
    return _network_class()(params, n_outputs, n_joined)


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn.functional import linear

    def dense(sizes: list[int]) -> nn.ModuleList:
        return nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def summed(values: torch.Tensor, places: torch.Tensor, n: int) -> torch.Tensor:
        return values.new_zeros(n, values.shape[1]).index_add(0, places, values)

    class Network(nn.Module):
        """Weights by the names of the paper; the vectors of both directions of a bond stand behind each other."""

        def __init__(self, params: DmpnnParams, n_outputs: int, n_joined: int) -> None:
            super().__init__()
            width = params.hidden
            self.depth, self.aggregation = params.depth, params.aggregation
            self.W_i = nn.Linear(ATOM_WIDTH + BOND_WIDTH, width, bias=False)
            self.W_h = nn.Linear(width, width, bias=False)
            self.W_o = nn.Linear(ATOM_WIDTH + width, width)
            behind = [*[width] * params.layers, n_outputs]
            self.ffn = dense([width + n_joined, *behind])
            self.plain = dense([width, *behind] if params.descriptors == "both" else [])
            self.dropout = nn.Dropout(params.dropout)

        def forward(self, batch: Batch) -> torch.Tensor:
            # W_i (x_v, e_vw), but each atom and each bond multiplied once, not once for each direction
            from_atoms = linear(batch.atoms, self.W_i.weight[:, :ATOM_WIDTH])
            from_bonds = linear(batch.bonds, self.W_i.weight[:, ATOM_WIDTH:])
            first = from_atoms[batch.source] + from_bonds.repeat_interleave(2, dim=0)
            state = first.relu()
            n_atoms = len(batch.atoms)
            for _ in range(1, self.depth):
                back = state.view(-1, 2, state.shape[1]).flip(1).view_as(state)
                message = summed(state, batch.target, n_atoms)[batch.source] - back
                state = self.dropout((first + self.W_h(message)).relu())
            arrived = torch.cat([batch.atoms, summed(state, batch.target, n_atoms)], dim=1)
            atoms = self.dropout(self.W_o(arrived).relu())
            vector = summed(atoms, batch.owners, len(batch.sizes)) / self.divisor(batch.sizes)
            inputs = (torch.cat([vector, batch.joined], dim=1), vector)
            answers = [self.answer(layers, one) for layers, one in zip(self.answers(), inputs, strict=False)]
            return torch.stack(answers, dim=1)

        def answers(self) -> list[nn.ModuleList]:
            return [self.ffn, self.plain] if len(self.plain) else [self.ffn]

        def answer(self, layers: nn.ModuleList, vector: torch.Tensor) -> torch.Tensor:
            for layer in layers[:-1]:
                vector = self.dropout(layer(vector).relu())
            return layers[-1](vector)

        def divisor(self, sizes: torch.Tensor) -> Any:
            return sizes if self.aggregation == "mean" else (_NORM if self.aggregation == "norm" else 1.0)

    return Network


@dataclass(frozen=True)
class GraphPredictor:
    """The trained network as named arrays.

    `weights` are those of the network by name, float32; `descriptors` say what is joined to a compound's vector.
    """

    kind: ClassVar[str] = "graph"
    weights: dict[str, np.ndarray]
    depth: int
    aggregation: Aggregation
    binary: bool
    centre: np.ndarray
    spread: np.ndarray
    descriptors: Inputs | None = None

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`."""
        return self._answer(_graphs(compounds.smiles), compounds)

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k): the features of the atom and of its bonds are 0, and descriptors are those without the atom."""
        return self._answer(hidden_graphs(smiles), each_atom_hidden(smiles))

    def _answer(self, graphs: Graphs, compounds: Compounds) -> np.ndarray:
        if self.descriptors is None or not len(compounds):
            joined = np.empty((len(compounds), 0), dtype=np.float32)
        else:
            joined = self.descriptors.of(compounds)
        output = self.output(graphs, joined)
        return answers(output, binary=self.binary, centre=self.centre, spread=self.spread)

    def output(self, graphs: Graphs, joined: np.ndarray) -> np.ndarray:
        """Log-odds or standardised values, float32 (n, k); `joined` (n, p) are the descriptors as they enter."""
        parts = [np.empty((0, len(self.centre)), dtype=np.float32)]
        with one_blas_thread():
            for begin in range(0, len(graphs), _CHUNK):
                rows = np.arange(begin, min(begin + _CHUNK, len(graphs)))
                parts.append(self._chunk(graphs.take(rows), joined[rows]))
        return np.concatenate(parts)

    def _chunk(self, graphs: Graphs, joined: np.ndarray) -> np.ndarray:
        weights, atoms = self.weights, graphs.atom_features
        source, target = graphs.edges
        arriving = _summing(target, len(atoms))
        W_i = weights["W_i.weight"].T
        bonds = graphs.bonds.astype(np.float32) @ W_i[ATOM_WIDTH:]
        first = (atoms @ W_i[:ATOM_WIDTH])[source] + np.repeat(bonds, 2, axis=0)
        state = np.maximum(first, 0.0)
        for _ in range(1, self.depth):
            back = state.reshape(-1, 2, state.shape[1])[:, ::-1].reshape(state.shape)
            message = (arriving @ state)[source] - back
            state = np.maximum(first + message @ weights["W_h.weight"].T, 0.0)
        arrived = np.concatenate([atoms, arriving @ state], axis=1)
        vectors = np.maximum(arrived @ weights["W_o.weight"].T + weights["W_o.bias"], 0.0)
        vector = _summing(graphs.owners, len(graphs)) @ vectors
        if self.aggregation != "sum":
            vector = vector / (graphs.n_atoms[:, None] if self.aggregation == "mean" else _NORM)
        vector = vector.astype(np.float32)
        said = self._dense("ffn", np.concatenate([vector, joined], axis=1))
        return (said + self._dense("plain", vector)) / 2 if "plain.0.weight" in weights else said

    def _dense(self, name: str, vector: np.ndarray) -> np.ndarray:
        last = sum(one.startswith(f"{name}.") for one in self.weights) // 2 - 1
        for layer in range(last + 1):
            vector = vector @ self.weights[f"{name}.{layer}.weight"].T + self.weights[f"{name}.{layer}.bias"]
            vector = vector if layer == last else np.maximum(vector, 0.0)
        return vector

    def save(self) -> Saved:
        """The document, and its arrays."""
        document: dict[str, Any] = {"kind": self.kind, "depth": self.depth, "aggregation": self.aggregation}
        document |= {"binary": self.binary, "descriptors": None}
        arrays = {f"network.{name}": value for name, value in self.weights.items()}
        arrays |= {"centre": self.centre, "spread": self.spread}
        if self.descriptors:
            document["descriptors"] = self.descriptors.document()
            arrays |= self.descriptors.arrays()
        return document, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> GraphPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        prefix = "network."
        weights = {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}
        joined = document["descriptors"]
        return cls(
            weights,
            document["depth"],
            document["aggregation"],
            document["binary"],
            arrays["centre"],
            arrays["spread"],
            Inputs.load(joined, arrays) if joined else None,
        )


@lru_cache(maxsize=2)
def _graphs(smiles: tuple[str, ...]) -> Graphs:
    """The graphs, kept for the next fit of a bag that is asked about the same compounds."""
    return compute_graphs(smiles)


def _summing(places: np.ndarray, n: int) -> Any:
    """A sparse matrix (n, lines) that adds up lines with the same place, first ones first."""
    from scipy.sparse import csr_array

    order = np.argsort(places, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=n))])
    return csr_array((np.ones(len(places), dtype=np.float32), order, starts), shape=(n, len(places)))
