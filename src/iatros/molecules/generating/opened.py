"""The generator in a bundle."""

from __future__ import annotations

from iatros.core.bundle import Bundle
from iatros.core.errors import BundleError
from iatros.molecules.generators.generator import Generator, load_generator


def is_of_generation(bundle: Bundle) -> bool:
    """Whether the bundle holds a generator."""
    return bundle.manifest.get("question") == "generation"


def open_generator(bundle: Bundle) -> Generator:
    """The generator; BundleError where the bundle holds another kind of model."""
    if not is_of_generation(bundle):
        raise BundleError(
            "the bundle holds no generator",
            where=bundle.name,
            hint="train one with iatros molecules train LIBRARY --model rnn",
        )
    return load_generator(bundle.manifest["predictor"], bundle.read)
