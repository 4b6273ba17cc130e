"""What the language models of compounds share: how they are stored and write, whatever network says what may follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.compounds.tokens import Vocabulary, to_smiles
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.generator import AS_LEARNED, Draw
from iatros.molecules.generators.language.growing import Around, around
from iatros.molecules.generators.networks.stepping import Steps, in_batches, written
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch

_ARRAYS = "weights.safetensors"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class LanguageModel(ABC):
    """A trained language model: its weights by name (float32), its vocabulary, and the tokens of the longest text."""

    kind: ClassVar[str]
    weights: dict[str, np.ndarray] = field(repr=False)
    vocabulary: Vocabulary
    max_length: int

    @cached_property
    def steps(self) -> Steps:
        """The network that writes, in numpy."""
        return self.make_steps()

    @abstractmethod
    def make_steps(self) -> Steps:
        """The network that writes, made anew."""
        ...

    def sizes(self) -> dict[str, Any]:
        """The parameters of training that are fixed by what it has learned."""
        return {"notation": self.vocabulary.notation, "max_length": self.max_length}

    @abstractmethod
    def network(self, dropout: float = 0.0) -> torch.nn.Module:
        """The network with these weights, to learn on: codes (n, length) to log-odds (n, length, tokens)."""
        ...

    def learned(self, network: torch.nn.Module) -> Self:
        """The generator with the weights that `network`, once made by `network()`, now has."""
        return self.with_weights(weights_of(network))

    @abstractmethod
    def with_weights(self, weights: dict[str, np.ndarray]) -> Self:
        """The same model with other weights."""
        ...

    def write(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> np.ndarray:
        """Codes, int64 (n, max_length), of `n` new lines; `END` and filling stand behind the last token."""
        parts = self._written(n, rng, draw, lambda codes: codes)
        return np.concatenate(parts) if parts else np.zeros((0, self.max_length), dtype=np.int64)

    def _written(
        self, n: int, rng: np.random.Generator, draw: Draw, then: Callable[[np.ndarray], Answer]
    ) -> list[Answer]:
        """What `then` makes of the codes of each batch of `n` new lines."""
        steps = self.steps

        def batch(begin: int, end: int, own: np.random.Generator) -> Answer:
            return then(written(steps, end - begin, rng=own, draw=draw, longest=self.max_length))

        return in_batches(batch, n, rng)

    def texts(self, codes: np.ndarray) -> list[str]:
        """The SMILES of lines of codes (n, length)."""
        texts = self.vocabulary.decode(codes)
        return [to_smiles(text) for text in texts] if self.vocabulary.notation == "selfies" else texts

    def sample(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """`n` new texts in SMILES; see `Generator`."""
        return [text for part in self._written(n, rng, draw, self.texts) for text in part]

    def write_around(
        self, scaffold: str, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED
    ) -> Around:
        """What became of `n` lines written around `scaffold`, a SMILES; see `growing.around`."""
        return around(self.steps, self.vocabulary, scaffold, n, rng=rng, draw=draw, longest=self.max_length)

    def sample_around(
        self, scaffold: str, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED
    ) -> list[str]:
        """`n` new texts in SMILES; every one that is a molecule holds `scaffold`, the others are empty."""
        found = self.write_around(scaffold, n, rng=rng, draw=draw)
        return [*found.texts, *[""] * (n - len(found.texts))]

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
    def load(cls, document: dict[str, Any], read: Read) -> Self:
        """The generator that `save` described."""
        return cls(*read_weights(document, read))


def read_weights(document: dict[str, Any], read: Read) -> tuple[dict[str, np.ndarray], Vocabulary, int]:
    """Weights, vocabulary and longest text of the language model that `document` describes."""
    vocabulary = Vocabulary(tuple(document["tokens"]), document["notation"])
    return unpack_arrays(read(_ARRAYS)), vocabulary, document["max_length"]
