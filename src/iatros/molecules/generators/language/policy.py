"""A language model that is taught by what its own compounds are worth: samples, and likelihoods with a gradient."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from iatros.core.errors import RequestError
from iatros.learners.compounds.tokens import BEGIN, PAD, to_selfies
from iatros.molecules.generators.generator import AS_LEARNED, Draw, Generator
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.texts.codes import encode

if TYPE_CHECKING:
    import torch


class Policy:
    """A trainable copy of a language model, as policy gradients want it.

    `codes` are int64 (n, length): the tokens of each line, then `END` and filling, with no `BEGIN`, as `sample` and
    `encode` give them.
    """

    def __init__(self, model: LanguageModel, network: torch.nn.Module) -> None:
        self.model, self.network = model, network

    @classmethod
    def from_generator(cls, generator: Generator) -> Self:
        """A policy with the weights of `generator`; RequestError where it is no language model."""
        if not isinstance(generator, LanguageModel):
            raise RequestError(
                f"a generator of kind {generator.kind!r} does not tell how likely a text is",
                hint="train an rnn or a transformer",
            )
        return cls(generator, generator.network())

    def sample(
        self, n: int, rng: np.random.Generator, draw: Draw = AS_LEARNED
    ) -> tuple[list[str], np.ndarray]:
        """`n` new SMILES, not each of them valid, and their codes without columns that are all filling."""
        model = self.generator()
        codes = _trimmed(model.write(n, rng=rng, draw=draw))
        return model.texts(codes), codes

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Codes of SMILES that came from elsewhere, and which of them, bool (n,), the network can write.

        It cannot write a text with a token that it does not know, or with more than `max_length` tokens.
        """
        vocabulary, longest = self.model.vocabulary, self.model.max_length
        if vocabulary.notation == "selfies":
            texts = [to_selfies(text) for text in texts]
        found = encode(texts, vocabulary, longest=longest)
        return _trimmed(found.codes[:, 1:].astype(np.int64)), found.known & (found.lengths <= longest + 2)

    def log_likelihood(self, codes: np.ndarray) -> torch.Tensor:
        """The natural logarithm of the probability of each line of `codes`, float32 (n,), with a gradient.

        It is that of drawing at temperature 1 with a nucleus of 1, whatever the line was drawn with.
        """
        import torch
        from torch.nn import functional

        codes = _trimmed(codes)
        begun = np.concatenate([np.full((len(codes), 1), BEGIN), codes], axis=1)
        known = torch.from_numpy(begun.astype(np.int64))
        odds = self.network(known[:, :-1])
        surprise = functional.cross_entropy(
            odds.flatten(0, 1), known[:, 1:].flatten(), ignore_index=PAD, reduction="none"
        )
        return -surprise.view(len(codes), -1).sum(dim=1)

    def parameters(self) -> Iterator[Any]:
        """The network's parameters, for an optimiser."""
        return self.network.parameters()

    def generator(self) -> LanguageModel:
        """A generator with the weights as they are now; it does not change when the policy learns on."""
        return self.model.learned(self.network)

    def copy(self) -> Self:
        """A policy that starts equal and learns on its own."""
        return type(self)(self.model, copy.deepcopy(self.network))


def _trimmed(codes: np.ndarray) -> np.ndarray:
    longest = int((codes != PAD).sum(axis=1).max(initial=1))
    return codes[:, :longest]
