"""A recurrent language model of compounds: after every token it says what may follow.

As in Segler et al. 2018 (ACS Cent. Sci. 4:120) and the CharRNN of MOSES (Polykovskiy et al. 2020), with gated recurrent
units, a random writing of each compound where asked (Arús-Pous et al. 2019), and lengths in buckets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from iatros.learners.compounds.tokens import Vocabulary
from iatros.molecules.generators.generator import Generator, Training
from iatros.molecules.generators.language.fitting import LanguageParams, fit
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.decoding import Decoder
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch


class RnnParams(LanguageParams):
    """Parameters of the recurrent language model."""

    units: int = Field(default=512, ge=8, le=4096, description="gated units of each layer")
    layers: int = Field(default=1, ge=1, le=8, description="layers of gated units")
    embedding: int = Field(default=64, ge=4, le=1024, description="length of the vector of a token")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="largest step size of AdamW")


@dataclass(frozen=True)
class RecurrentGenerator(LanguageModel):
    """The trained language model of gated recurrent units."""

    kind: ClassVar[str] = "recurrent"

    @property
    def decoder(self) -> Decoder:
        """The network that writes."""
        decoder = self.steps
        assert isinstance(decoder, Decoder)
        return decoder

    def make_steps(self) -> Decoder:
        """The network that writes, made anew."""
        return Decoder(self.weights)

    def sizes(self) -> dict[str, Any]:
        """The parameters of `RnnParams` that are fixed by what it has learned."""
        return {
            **super().sizes(),
            "units": self.decoder.layers[0].units,
            "layers": len(self.decoder.layers),
            "embedding": self.weights["embedding.weight"].shape[1],
        }

    def network(self, dropout: float = 0.0) -> torch.nn.Module:
        """The network with these weights, to learn on."""
        import torch

        from iatros.molecules.generators.networks.gated import gated_network

        sizes = {
            name: value for name, value in self.sizes().items() if name in ("units", "layers", "embedding")
        }
        network = gated_network(n_tokens=len(self.vocabulary), dropout=dropout, **sizes)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        return network

    def with_weights(self, weights: dict[str, np.ndarray]) -> Self:
        """The same model with other weights."""
        return type(self)(weights, self.vocabulary, self.max_length)


class Rnn:
    """The recurrent language model that can be trained."""

    name: ClassVar[str] = "rnn"
    Params: ClassVar[type[RnnParams]] = RnnParams

    def __init__(self, params: RnnParams | None = None) -> None:
        self.params = params or RnnParams()

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[RecurrentGenerator, dict[str, Any]]:
        """The trained language model; see `Estimator`."""
        return fit(RecurrentGenerator, self._new, self.params, library, training, seed=seed, start=start)

    def _new(self, vocabulary: Vocabulary) -> RecurrentGenerator:
        from iatros.molecules.generators.networks.gated import gated_network

        params = self.params
        network = gated_network(
            n_tokens=len(vocabulary), embedding=params.embedding, units=params.units, layers=params.layers
        )
        return RecurrentGenerator(weights_of(network), vocabulary, params.max_length)
