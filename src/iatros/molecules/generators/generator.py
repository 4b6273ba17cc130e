"""What a generator is: something that learns from a library of compounds, and something that writes new ones.

An estimator is a class with `name`, `Params` (a frozen pydantic model) and `fit`. What it returns can be stored in a
bundle and writes compounds with numpy alone, or onnxruntime: no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from pydantic import Field

from iatros.core.checkpoint import Checkpoint
from iatros.core.engine import Engine, SerialEngine
from iatros.core.errors import BundleFormatError, RequestError
from iatros.core.progress import Progress
from iatros.core.registry import Registry
from iatros.learners.compounds.tokens import Notation
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.library import Library
from iatros.molecules.models.estimator import CompoundParams


class GeneratorParams(CompoundParams):
    """What every generator has: how compounds are written, how long a text may be, how long and fast it learns."""

    notation: Notation = Field(default="smiles", description="how a compound is written: smiles or selfies")
    max_length: int = Field(default=120, ge=16, le=1000, description="tokens of the longest text")
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="passes over the library; where not given, enough to show 3 million compounds, at least 3 and at "
        "most 60, or with seconds as many of 60 as fit into them",
    )
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="largest step size of AdamW")
    weight_decay: float = Field(default=1e-4, ge=0, le=10, description="decay of the weights by AdamW")


Params = TypeVar("Params", bound=GeneratorParams)


def taken_over(params: Params, fixed: Mapping[str, Any]) -> Params:
    """`params` with what is `fixed` by the generator that learning starts from.

    RequestError where something else was asked for.
    """
    for name, value in fixed.items():
        asked = getattr(params, name)
        if name in params.model_fields_set and asked != value:
            raise RequestError(
                f"{name} is {asked}, and start was trained with {value}",
                where="param",
                hint=f"leave {name} out, or train without start",
            )
    return params.model_copy(update=dict(fixed))


@dataclass(frozen=True)
class Draw:
    """How tokens are drawn.

    At `temperature` 1 as the network has learned; below, likelier tokens more often. Of the tokens only the
    likeliest that together reach a probability of `nucleus` are drawn (Holtzman et al. 2020, arXiv:1904.09751).
    """

    temperature: float = 1.0
    nucleus: float = 1.0


AS_LEARNED = Draw()


class Generator(Protocol):
    """A trained generator as it is stored and used."""

    kind: ClassVar[str]

    def sample(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """`n` new texts in SMILES, in no order; not all of them need to be molecules."""
        ...

    def save(self) -> Saved:
        """A JSON-ready document with `kind`, and files, from which `load_generator` gives an equal generator."""
        ...


@dataclass(frozen=True)
class Training:
    """The means of a training: they may change how long it takes, never what comes of it, but for `seconds`."""

    checkpoint: Checkpoint
    progress: Progress
    seconds: float | None = None
    """Time to learn in; epochs that do not fit into it are left out, so the result is that of this machine."""
    engine: Engine = field(default_factory=SerialEngine)
    """Where compounds are written anew before learning."""


class Estimator(Protocol):
    """A generator that can be trained."""

    name: ClassVar[str]
    Params: ClassVar[type[GeneratorParams]]

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[Generator, dict[str, Any]]:
        """The trained generator, and plain notes about the training: `history` (losses by epoch) and sizes.

        With `start`, a generator of the same kind, learning goes on from there, with its vocabulary and sizes.
        """
        ...


KINDS = Registry("generator", group="iatros.molecules.generator_kinds")


def load_generator(document: dict[str, Any], read: Read) -> Generator:
    """The generator that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in KINDS.names():
        raise BundleFormatError(
            f"the bundle holds a generator of kind {kind!r}; known: {', '.join(KINDS.names())}",
            hint="open it with the version of iatros that wrote it",
        )
    load: Callable[[dict[str, Any], Read], Generator] = KINDS.load(kind).load
    return load(document, read)


_HERE = "iatros.molecules.generators"
KINDS.add(
    "recurrent", f"{_HERE}.language.recurrent:RecurrentGenerator", "a language model of gated recurrent units"
)
KINDS.add(
    "transformer",
    f"{_HERE}.language.transformer:TransformerGenerator",
    "a language model of causal attention",
)
KINDS.add(
    "variational", f"{_HERE}.latent.vae:VariationalGenerator", "a latent space with a prior, and its decoder"
)
KINDS.add(
    "latent-gan",
    f"{_HERE}.adversarial.latent_gan:LatentGanGenerator",
    "latent vectors of noise, and their decoder",
)
