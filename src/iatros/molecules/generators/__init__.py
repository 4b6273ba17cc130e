"""The networks that learn a chemical space and write new compounds: one line each, imported when asked for."""

from iatros.core.registry import Registry

__all__ = ["GENERATORS"]

GENERATORS = Registry("model", group="iatros.molecules.generator_models")

_HERE = "iatros.molecules.generators"

GENERATORS.add(
    "rnn",
    f"{_HERE}.language.recurrent:Rnn",
    "writes a compound letter by letter with gated recurrent units",
    extra="molecules",
)
GENERATORS.add(
    "transformer",
    f"{_HERE}.language.transformer:Transformer",
    "writes a compound letter by letter with causal attention",
    extra="molecules",
)
GENERATORS.add(
    "vae",
    f"{_HERE}.latent.vae:Vae",
    "reads compounds into a latent space by convolutions and writes from there",
    extra="molecules",
)
GENERATORS.add(
    "gan",
    f"{_HERE}.adversarial.gan:Gan",
    "writes from latent vectors made against a critic, or letter by letter against a discriminator",
    extra="molecules",
)
