"""A recurrent language model of compounds: after every token it says what may follow.

As in Segler et al. 2018 (ACS Cent. Sci. 4:120) and the CharRNN of MOSES (Polykovskiy et al. 2020), with gated recurrent
units, a random writing of each compound where asked (Arús-Pous et al. 2019), and lengths in buckets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import RequestError
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import Notation, Vocabulary, to_selfies, to_smiles, writings
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.decoding import Decoder
from iatros.molecules.generators.generator import AS_LEARNED, Draw, Generator, GeneratorParams, Training
from iatros.molecules.generators.learning import Schedule, learn
from iatros.molecules.generators.library import Library

if TYPE_CHECKING:
    import torch

_ARRAYS = "weights.safetensors"
_CHUNK = 512


class RnnParams(GeneratorParams):
    """Parameters of the recurrent language model."""

    notation: Notation = Field(default="smiles", description="how a compound is written: smiles or selfies")
    units: int = Field(default=512, ge=8, le=4096, description="gated units of each layer")
    layers: int = Field(default=1, ge=1, le=8, description="layers of gated units")
    embedding: int = Field(default=64, ge=4, le=1024, description="length of the vector of a token")
    dropout: float = Field(default=0.0, ge=0, lt=0.9, description="share of units left out while training")
    max_length: int = Field(default=120, ge=16, le=1000, description="tokens of the longest text")
    randomise: int = Field(
        default=0, ge=0, le=64, description="random writings of each compound that the epochs take turns with"
    )
    epochs: int = Field(default=10, ge=1, le=10_000, description="passes over the library")
    batch_size: int = Field(default=256, ge=2, le=65_536, description="compounds of a step")
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="largest step size of AdamW")
    weight_decay: float = Field(default=1e-4, ge=0, le=10, description="decay of the weights by AdamW")


@dataclass(frozen=True)
class RecurrentGenerator:
    """The trained language model: its weights by name (float32), and its vocabulary."""

    kind: ClassVar[str] = "recurrent"
    weights: dict[str, np.ndarray] = field(repr=False)
    vocabulary: Vocabulary
    max_length: int

    def sample(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """`n` new texts in SMILES; see `Generator`."""
        codes = self.decoder.write(n, rng=rng, draw=draw, longest=self.max_length)
        texts = self.vocabulary.decode(codes)
        return [to_smiles(text) for text in texts] if self.vocabulary.notation == "selfies" else texts

    @cached_property
    def decoder(self) -> Decoder:
        """The network that writes."""
        return Decoder(self.weights)

    def save(self) -> Saved:
        """The document, in which the vocabulary is, and the weights."""
        document = {
            "kind": self.kind,
            "notation": self.vocabulary.notation,
            "tokens": list(self.vocabulary.tokens),
            "max_length": self.max_length,
        }
        return document, {_ARRAYS: pack_arrays(self.weights)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> RecurrentGenerator:
        """The generator that `save` described."""
        vocabulary = Vocabulary(tuple(document["tokens"]), document["notation"])
        return cls(unpack_arrays(read(_ARRAYS)), vocabulary, document["max_length"])


class Rnn:
    """The language model that can be trained."""

    name: ClassVar[str] = "rnn"
    Params: ClassVar[type[RnnParams]] = RnnParams

    def __init__(self, params: RnnParams | None = None) -> None:
        self.params = params or RnnParams()

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[RecurrentGenerator, dict[str, Any]]:
        """The trained language model; see `Estimator`."""
        import torch

        params = self.params
        if start is not None and not isinstance(start, RecurrentGenerator):
            raise RequestError("start holds another kind of generator", where="start")
        with training.progress.step("tokens", None):
            texts = _texts(library, params, seed)
            vocabulary = (
                start.vocabulary
                if start
                else Vocabulary.learn((text for ways in texts for text in ways), params.notation)
            )
            codes = [_codes(ways, vocabulary, params.max_length) for ways in texts]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _network_class()(params, len(vocabulary))
        if start is not None:
            network.load_state_dict({name: torch.from_numpy(value) for name, value in start.weights.items()})
        lengths = (codes[0] != 0).sum(axis=1)
        fits = np.flatnonzero(lengths <= params.max_length + 1)
        rows, tuning = (np.intersect1d(side, fits) for side in library.sides())

        def loss(batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
            return nll(network, codes[int(rng.integers(len(codes)))][batch])

        def tuning_loss() -> float:
            found = [
                (float(nll(network, codes[0][tuning[at : at + _CHUNK]])), len(tuning[at : at + _CHUNK]))
                for at in range(0, len(tuning), _CHUNK)
            ]
            return sum(value * n for value, n in found) / len(tuning)

        schedule = Schedule(params.epochs, params.batch_size, params.learning_rate, params.weight_decay)
        history = learn(network, rows, lengths[rows], loss, tuning_loss, schedule, training, seed=seed)
        weights = {name: value.numpy().copy() for name, value in network.state_dict().items()}
        generator = RecurrentGenerator(weights, vocabulary, params.max_length)
        notes = {
            "history": history,
            "n_weights": sum(value.size for value in weights.values()),
            "n_tokens": len(vocabulary),
            "n_learned": len(rows),
            "n_tuning": len(tuning),
            "n_too_long": len(library) - len(fits),
        }
        return generator, notes


def _texts(library: Library, params: RnnParams, seed: int) -> list[list[str]]:
    """The library once for each way to write it: first canonical, then at random."""
    if params.randomise:
        several = [
            [
                one.text
                for one in writings(
                    read_molecule(text), params.randomise, seed=seed, notation=params.notation
                )
            ]
            for text in library.smiles
        ]
        return [list(way) for way in zip(*several, strict=True)]
    if params.notation == "selfies":
        return [[to_selfies(text) for text in library.smiles]]
    return [list(library.smiles)]


def _codes(texts: list[str], vocabulary: Vocabulary, longest: int) -> np.ndarray:
    """Codes between begin and end, in as few bytes as they need; longer texts are cut, and not learned from."""
    codes, _ = vocabulary.encode(texts, ends=True, longest=longest + 3)
    return codes.astype(np.min_scalar_type(len(vocabulary)))


def nll(network: Any, codes: np.ndarray) -> torch.Tensor:
    """Mean negative log-likelihood of a token of `codes` (n, length), filling left out."""
    import torch
    from torch.nn import functional

    longest = int((codes != 0).sum(axis=1).max())
    known = torch.from_numpy(codes[:, :longest].astype(np.int64))
    odds = network(known[:, :-1])
    return functional.cross_entropy(odds.flatten(0, 1), known[:, 1:].flatten(), ignore_index=0)


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    from torch import nn

    class Network(nn.Module):
        """Log-odds (n, length, tokens) of what follows each of `codes` (n, length)."""

        def __init__(self, params: RnnParams, n_tokens: int) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, params.embedding)
            self.cells = nn.GRU(
                params.embedding,
                params.units,
                num_layers=params.layers,
                dropout=params.dropout if params.layers > 1 else 0.0,
                batch_first=True,
            )
            self.dropout = nn.Dropout(params.dropout)
            self.last = nn.Linear(params.units, n_tokens)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            states, _ = self.cells(self.embedding(codes))
            return self.last(self.dropout(states))

    return Network
