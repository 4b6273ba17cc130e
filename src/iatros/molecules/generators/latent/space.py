"""A latent space as it is stored, in numpy: what reads compounds into it, writes them from it, and ways through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import UNKNOWN, Vocabulary, to_selfies, to_smiles
from iatros.learners.threads import one_blas_thread
from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.networks.autoencoder import Sizes
from iatros.molecules.generators.networks.convolving import Encoder
from iatros.molecules.generators.networks.decoding import Decoder

Path = Literal["spherical", "linear"]

LIKELIEST = Draw(temperature=0.01)
"""Nearly always the likeliest token: what a latent vector stands for."""
_LEAST_SINE = 1e-6
_AT_ONCE = 25_600
"""Latent vectors whose gates are computed at once, which bounds the memory; a multiple of what is written at once."""


@dataclass(frozen=True)
class LatentSpace:
    """Weights by name (float32) of an `autoencoder.Network`, its vocabulary and its sizes."""

    weights: dict[str, np.ndarray] = field(repr=False)
    vocabulary: Vocabulary
    sizes: Sizes

    @cached_property
    def encoder(self) -> Encoder:
        """The part that reads."""
        return Encoder(self._part("encoder"))

    @cached_property
    def decoder(self) -> Decoder:
        """The part that writes."""
        return Decoder(self._part("decoder"))

    def encode(self, smiles: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances, float32 (n, latent), of compounds, however their SMILES are written.

        InputError for what is no SMILES, a compound that is too long, or one with a token that was never learned.
        """
        from rdkit import Chem

        written = [Chem.MolToSmiles(read_molecule(text, place)) for place, text in enumerate(smiles)]
        if self.vocabulary.notation == "selfies":
            written = [to_selfies(text) for text in written]
        codes, lengths = self.vocabulary.encode(written, ends=True)
        for place in np.flatnonzero((lengths > self.sizes.longest) | (codes == UNKNOWN).any(axis=1))[:1]:
            long = lengths[place] > self.sizes.longest
            raise InputError(
                f"longer than the {self.sizes.longest - 2} tokens that the generator has learned"
                if long
                else "holds a token that the generator has not learned",
                where=f"compound {place + 1}",
                cell=smiles[place],
                hint="train with a larger max_length" if long else "train on a library with such compounds",
            )
        return self.encoder.encode(codes)

    def decode(self, latents: np.ndarray, *, rng: np.random.Generator, draw: Draw) -> list[str]:
        """One text in SMILES for each of `latents` (n, latent)."""
        first = self.decoder.layers[0].of_input[:, self.sizes.embedding :]
        texts: list[str] = []
        for begin in range(0, len(latents), _AT_ONCE):
            with one_blas_thread():
                given = latents[begin : begin + _AT_ONCE].astype(np.float32) @ first.T
            longest = self.sizes.longest - 2
            codes = self.decoder.write(len(given), rng=rng, draw=draw, longest=longest, given=given)
            texts += self.vocabulary.decode(codes)
        return [to_smiles(text) for text in texts] if self.vocabulary.notation == "selfies" else texts

    def document(self) -> dict[str, Any]:
        """The vocabulary and the sizes as JSON can hold them."""
        return {
            "notation": self.vocabulary.notation,
            "tokens": list(self.vocabulary.tokens),
            "sizes": self.sizes.document(),
        }

    @classmethod
    def read(cls, document: dict[str, Any], weights: dict[str, np.ndarray]) -> LatentSpace:
        """The space that `document` described."""
        vocabulary = Vocabulary(tuple(document["tokens"]), document["notation"])
        return cls(weights, vocabulary, Sizes(**document["sizes"]))

    def _part(self, name: str) -> dict[str, np.ndarray]:
        start = f"{name}."
        return {k.removeprefix(start): value for k, value in self.weights.items() if k.startswith(start)}


def path_between(a: np.ndarray, b: np.ndarray, steps: int, path: Path = "spherical") -> np.ndarray:
    """Points (steps, latent) on the way from `a` (latent,) to `b`, both ends included.

    A spherical path turns from one to the other and keeps their length, about which a standard normal distribution of
    many dimensions has all its mass (White 2016, arXiv:1609.04468); where the two point the same or the
    opposite way it is linear.

    >>> path_between(np.array([2.0, 0.0]), np.array([0.0, 2.0]), 3).round(3).tolist()
    [[2.0, 0.0], [1.414, 1.414], [0.0, 2.0]]
    """
    if steps < 2:
        raise InputError(f"a path has at least its two ends, got {steps} steps", where="steps")
    share = np.linspace(0.0, 1.0, steps)[:, None]
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = float(np.arccos(np.clip(a @ b / lengths, -1.0, 1.0))) if lengths else 0.0
    if path == "linear" or np.sin(angle) < _LEAST_SINE:
        return np.asarray((1.0 - share) * a + share * b)
    return np.asarray((np.sin((1.0 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle))
