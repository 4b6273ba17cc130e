"""What the networks over the letters of a compound share: how they learn, how they are stored, how they answer.

A compound is shown to the network in many writings (SMILES enumeration; Bjerrum 2017, arXiv:1703.07076): another one in
each epoch, and several for each answer, which is their mean. The writings of an answer are drawn from the compound
alone, so it depends neither on how the compound was written nor on what else was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import (
    PAD,
    UNKNOWN,
    Notation,
    Vocabulary,
    Writing,
    atom_places,
    split,
    writings,
)
from iatros.learners.export_torch import Graph
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import Read, Saved, open_session
from iatros.molecules.assay import Assay
from iatros.molecules.models.estimator import CompoundParams
from iatros.molecules.models.neural import TOLERANCE, Course, answers, epochs_for, learn, outcome_of

if TYPE_CHECKING:
    import torch

_ARRAYS, _MODEL = "arrays.safetensors", "model.onnx"
_EPOCHS = 60
_POOL = 16
"""Writings of each compound; the epochs take turns with them."""
_CHUNK = 256
"""Texts answered at once."""
_CHECKED = 64


class TokenParams(CompoundParams):
    """The parameters of every network over tokens; a model adds its own and may give these other defaults."""

    notation: Notation = Field(default="smiles", description="how a compound is written: smiles or selfies")
    enumerations: int = Field(
        default=6,
        ge=0,
        le=64,
        description="random writings that an answer averages, beside the canonical one",
    )
    max_length: int = Field(
        default=200, ge=16, le=2000, description="tokens of a compound that are read; the rest is left out"
    )
    hiding: float = Field(
        default=0.02, ge=0, lt=0.5, description="share of tokens that are shown as unknown while training"
    )
    embedding: int = Field(default=64, ge=4, le=1024, description="length of the vector of a token")
    dense: int = Field(default=128, ge=4, le=4096, description="units of the layer before the last")
    dropout: float = Field(default=0.2, ge=0, lt=0.9, description="share of units left out while training")
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="passes over the training compounds; where not given, 60, and fewer above 8 000 compounds",
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="compounds of a step")
    learning_rate: float = Field(
        default=2e-3,
        gt=0,
        le=1,
        description="largest step size of AdamW; it begins and ends at a tenth of it",
    )
    weight_decay: float = Field(default=1e-2, ge=0, le=10, description="decay of the weights by AdamW")


@dataclass(frozen=True)
class TokenPredictor:
    """The trained network as an ONNX graph from codes (n, length) to (n, k), with its vocabulary.

    An answer is the mean of the network's outputs for the canonical writing and `enumerations` others.
    """

    kind: ClassVar[str] = "tokens"
    model: bytes = field(repr=False)
    vocabulary: Vocabulary
    enumerations: int
    max_length: int
    binary: bool
    centre: np.ndarray
    spread: np.ndarray

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`. InputError where a compound cannot be written in the notation."""
        texts = _texts(compounds.smiles, self.enumerations, self.vocabulary.notation)
        return self._mean(self._lines(texts))

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k): the token of the atom is the unknown one, in every writing of the compound.

        An atom of a writing that is longer than `max_length` may lie where nothing is read: hiding it changes nothing
        there.
        """
        molecule = read_molecule(smiles)
        several = writings(molecule, self.enumerations, notation=self.vocabulary.notation)
        lines = self._lines([one.text for one in several])
        shown = []
        for atom in range(molecule.GetNumAtoms()):
            for writing, line in zip(several, lines, strict=True):
                place = self._place(writing, atom)
                shown.append(line.copy())
                shown[-1][place : place + 1] = UNKNOWN
        return self._mean(shown)

    def output(self, codes: np.ndarray) -> np.ndarray:
        """Log-odds or standardised values, float32 (n, k), of lines of codes (n, length)."""
        session = self.__dict__.get("session")
        if session is None:
            session = open_session(self.model)
            object.__setattr__(self, "session", session)
        (found,) = session.run(None, {"X": codes.astype(np.float32)})
        return np.asarray(found)

    def _place(self, writing: Writing, atom: int) -> int:
        notation = self.vocabulary.notation
        return atom_places(split(writing.text, notation), notation)[writing.atoms.index(atom)]

    def _lines(self, texts: Sequence[str]) -> list[np.ndarray]:
        codes, lengths = self.vocabulary.encode(texts, longest=self.max_length)
        return [line[:length] for line, length in zip(codes, lengths, strict=True)]

    def _mean(self, lines: list[np.ndarray]) -> np.ndarray:
        """Answers for lines of codes, of which those of one question, 1 + `enumerations`, stand together."""
        output = np.zeros((len(lines), len(self.centre)))
        order = np.argsort([len(line) for line in lines], kind="stable")
        for begin in range(0, len(order), _CHUNK):
            rows = order[begin : begin + _CHUNK]
            output[rows] = self.output(_filled([lines[row] for row in rows]))
        mean = output.reshape(-1, 1 + self.enumerations, len(self.centre)).mean(axis=1)
        return answers(mean, binary=self.binary, centre=self.centre, spread=self.spread)

    def __getstate__(self) -> dict[str, Any]:
        """Without the session, which cannot cross a process boundary."""
        return {name: value for name, value in self.__dict__.items() if name != "session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def save(self) -> Saved:
        """The document, in which the vocabulary is, the graph, and the scale of the endpoints."""
        document = {
            "kind": self.kind,
            "notation": self.vocabulary.notation,
            "tokens": list(self.vocabulary.tokens),
            "enumerations": self.enumerations,
            "max_length": self.max_length,
            "binary": self.binary,
        }
        arrays = pack_arrays({"centre": self.centre, "spread": self.spread})
        return document, {_MODEL: self.model, _ARRAYS: arrays}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> TokenPredictor:
        """The predictor that `save` described."""
        return cls(
            read(_MODEL),
            Vocabulary(tuple(document["tokens"]), document["notation"]),
            document["enumerations"],
            document["max_length"],
            document["binary"],
            **unpack_arrays(read(_ARRAYS)),
        )


@lru_cache(maxsize=2)
def _texts(smiles: tuple[str, ...], enumerations: int, notation: Notation) -> tuple[str, ...]:
    """The writings of each compound, kept for the next fit of a bag that is asked about the same compounds."""
    molecules = (read_molecule(text, place) for place, text in enumerate(smiles))
    return tuple(one.text for each in molecules for one in writings(each, enumerations, notation=notation))


Build = Callable[[Any, int, int], Any]
"""A fresh torch network for a vocabulary of some size and some endpoints, from int64 (n, length) to (n, k)."""
Store = Callable[[Any], bytes]
"""The ONNX graph of a trained network."""


def fit_tokens(
    assay: Assay, params: TokenParams, build: Build, store: Store, *, seed: int
) -> tuple[TokenPredictor, dict[str, Any]]:
    """The network trained on all endpoints at once; notes: epochs, weights, tokens, and how many compounds were cut.

    Values known only as bounds cost nothing on their side. FitError where an endpoint has no value, or one class
    only; InputError where a compound cannot be read, or not be written in the notation.
    """
    import torch

    outcome = outcome_of(assay)
    epochs = epochs_for(len(assay), params.epochs, _EPOCHS)
    vocabulary, pool, n_cut = _read(assay.compounds, params, min(_POOL, epochs), seed)
    random = np.random.default_rng([seed, 1])

    def shown(rows: np.ndarray, epoch: int) -> torch.Tensor:
        codes = _trimmed(pool[epoch % len(pool)][rows])
        hide = (random.random(codes.shape) < params.hiding) & (codes != PAD)
        return torch.from_numpy(np.where(hide, UNKNOWN, codes))

    def fresh() -> torch.nn.Module:
        network: torch.nn.Module = build(params, len(vocabulary), len(assay.endpoints))
        with torch.no_grad():
            network.get_parameter("last.bias").copy_(torch.from_numpy(outcome.start))
        return network

    course = Course(epochs, params.batch_size, params.learning_rate, params.weight_decay)
    network = learn(fresh, shown, outcome, course, seed=seed)
    predictor = TokenPredictor(
        store(network),
        vocabulary,
        params.enumerations,
        params.max_length,
        outcome.binary,
        outcome.centre,
        outcome.spread,
    )
    sample = _trimmed(pool[0][:_CHECKED])
    with torch.no_grad():
        trained = network(torch.from_numpy(sample)).numpy()
    assert_equal(trained, predictor.output(sample), tolerance=TOLERANCE)
    notes = {
        "epochs": epochs,
        "n_weights": sum(value.numel() for value in network.parameters()),
        "n_tokens": len(vocabulary),
        "n_cut": n_cut,
    }
    return predictor, notes


def _read(
    compounds: Compounds, params: TokenParams, n_writings: int, seed: int
) -> tuple[Vocabulary, np.ndarray, int]:
    """The vocabulary, codes (writings, n, length) of the compounds, and how many have more tokens than are read."""
    notation = params.notation
    several = [
        [
            one.text
            for one in writings(read_molecule(text, place), n_writings - 1, seed=seed, notation=notation)
        ]
        for place, text in enumerate(compounds.smiles)
    ]
    texts = [one for turn in zip(*several, strict=True) for one in turn]
    vocabulary = Vocabulary.learn(texts, notation)
    codes, _ = vocabulary.encode(texts, longest=params.max_length)
    small = codes.astype(np.min_scalar_type(len(vocabulary)))
    cut = sum(len(split(ways[0], notation)) > params.max_length for ways in several)
    return vocabulary, small.reshape(n_writings, len(several), -1), cut


def _trimmed(codes: np.ndarray) -> np.ndarray:
    """int64, without the columns that only fill up."""
    longest = int((codes != PAD).sum(axis=1).max())
    return codes[:, :longest].astype(np.int64)


def _filled(lines: list[np.ndarray]) -> np.ndarray:
    codes = np.full((len(lines), max(map(len, lines))), PAD, dtype=np.int64)
    for row, line in enumerate(lines):
        codes[row, : len(line)] = line
    return codes


class TokenGraph(Graph):
    """An ONNX graph that begins with codes: `embedded` (n, length, width) and `seen` (n, length, 1), 1 for tokens."""

    def __init__(self, embedding: np.ndarray) -> None:
        super().__init__()
        codes = self.add("Cast", "X", to=7)
        self.embedded = self.add("Gather", embedding, codes, axis=0)
        flags = self.add("Cast", self.add("Greater", "X", np.float32(PAD)), to=1)
        self.seen = self.add("Unsqueeze", flags, np.array([2]))

    def dense(self, x: str, layer: Any, *, output: str | None = None) -> str:
        """A torch linear layer on x (n, i)."""
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return self.add("Gemm", x, weight, bias, transB=1, output=output)

    def finish(self, n_outputs: int, *, name: str) -> bytes:
        """The graph as bytes; the length of a line, which `model` takes for the number of features, is free."""
        import onnx

        model = onnx.load_model_from_string(self.model(1, n_outputs, name=name))
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
        content: bytes = model.SerializeToString(deterministic=True)
        return content
