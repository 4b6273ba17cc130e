"""A transformer as a language model of compounds: a small causal network with the interface of the recurrent one.

As in MolGPT (Bagal et al. 2022, J. Chem. Inf. Model. 62:2064), without its conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from iatros.learners.compounds.tokens import Vocabulary
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.generator import Generator, Training
from iatros.molecules.generators.language.fitting import LanguageParams, fit
from iatros.molecules.generators.language.model import LanguageModel, read_weights
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.attending import Attending
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch


class TransformerParams(LanguageParams):
    """Parameters of the transformer."""

    width: int = Field(
        default=256, ge=8, le=4096, description="length of the vector of a token in every block"
    )
    layers: int = Field(default=4, ge=1, le=64, description="blocks of attention")
    heads: int = Field(default=8, ge=1, le=64, description="parts of the width that attend by themselves")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="largest step size of AdamW")

    @model_validator(mode="after")
    def _divides(self) -> TransformerParams:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")
        return self


@dataclass(frozen=True)
class TransformerGenerator(LanguageModel):
    """The trained transformer."""

    kind: ClassVar[str] = "transformer"
    heads: int = 8

    def make_steps(self) -> Attending:
        """The network that writes, made anew."""
        return Attending(self.weights, self.heads)

    def sizes(self) -> dict[str, Any]:
        """The parameters of `TransformerParams` that are fixed by what it has learned."""
        return {
            **super().sizes(),
            "width": self.weights["embedding.weight"].shape[1],
            "layers": len(Attending(self.weights, self.heads).blocks),
            "heads": self.heads,
        }

    def network(self, dropout: float = 0.0) -> torch.nn.Module:
        """The network with these weights, to learn on."""
        import torch

        from iatros.molecules.generators.networks.attending import attending_network

        sizes = {name: value for name, value in self.sizes().items() if name in ("width", "layers", "heads")}
        network = attending_network(
            n_tokens=len(self.vocabulary), longest=self.max_length + 1, dropout=dropout, **sizes
        )
        network.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        return network

    def with_weights(self, weights: dict[str, np.ndarray]) -> Self:
        """The same model with other weights."""
        return type(self)(weights, self.vocabulary, self.max_length, self.heads)

    def save(self) -> Saved:
        """The document, in which the vocabulary is, and the weights."""
        document, files = super().save()
        return {**document, "heads": self.heads}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> Self:
        """The generator that `save` described."""
        return cls(*read_weights(document, read), document["heads"])


class Transformer:
    """The transformer that can be trained."""

    name: ClassVar[str] = "transformer"
    Params: ClassVar[type[TransformerParams]] = TransformerParams

    def __init__(self, params: TransformerParams | None = None) -> None:
        self.params = params or TransformerParams()

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[TransformerGenerator, dict[str, Any]]:
        """The trained language model; see `Estimator`."""
        return fit(TransformerGenerator, self._new, self.params, library, training, seed=seed, start=start)

    def _new(self, vocabulary: Vocabulary) -> TransformerGenerator:
        from iatros.molecules.generators.networks.attending import attending_network

        params = self.params
        network = attending_network(
            n_tokens=len(vocabulary),
            longest=params.max_length + 1,
            width=params.width,
            layers=params.layers,
            heads=params.heads,
        )
        return TransformerGenerator(weights_of(network), vocabulary, params.max_length, params.heads)
