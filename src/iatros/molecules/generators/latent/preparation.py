"""How networks that read and write begin to learn: parameters, the library as codes, weights new or taken over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from iatros.molecules.generators.generator import GeneratorParams, Training, taken_over
from iatros.molecules.generators.latent.space import LatentSpace
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.autoencoder import Sizes, network_class
from iatros.molecules.generators.texts.coded_library import CodedLibrary, code_library
from iatros.molecules.generators.training.learning import SHARDS, TOLD_EVERY, Schedule, device, epochs_for
from iatros.molecules.generators.training.log import Watched
from iatros.molecules.generators.training.weights import put_into


class AutoencoderParams(GeneratorParams):
    """What every network has that reads into a latent space and writes from there."""

    variational: ClassVar[bool]

    latent: int = Field(default=64, ge=2, le=1024, description="length of the latent vector")
    channels: int = Field(default=128, ge=4, le=2048, description="channels of the encoder's convolutions")
    units: int = Field(default=512, ge=8, le=4096, description="gated units of each layer of the decoder")
    layers: int = Field(default=1, ge=1, le=8, description="layers of gated units")
    embedding: int = Field(default=64, ge=4, le=1024, description="length of the vector of a token")
    token_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of tokens hidden from the decoder while training"
    )
    randomise: int = Field(
        default=0, ge=0, le=64, description="random writings of each compound that the encoder is given"
    )
    batch_size: int = Field(default=256, ge=2, le=65_536, description="compounds of a step")

    def sizes(self, n_tokens: int) -> Sizes:
        """The sizes of a network with a vocabulary of `n_tokens` codes."""
        return Sizes(
            n_tokens=n_tokens,
            longest=self.max_length + 2,
            embedding=self.embedding,
            channels=self.channels,
            latent=self.latent,
            units=self.units,
            layers=self.layers,
            variational=self.variational,
        )


Params = TypeVar("Params", bound=AutoencoderParams)


def as_begun(params: Params, start: LatentSpace) -> Params:
    """`params` with the sizes and the notation of `start`; RequestError where one was asked for that differs."""
    sizes = start.sizes
    fixed = {
        "notation": start.vocabulary.notation,
        "max_length": sizes.longest - 2,
        "embedding": sizes.embedding,
        "channels": sizes.channels,
        "latent": sizes.latent,
        "units": sizes.units,
        "layers": sizes.layers,
    }
    return taken_over(params, fixed)


def coded_library_for(
    library: Library, params: AutoencoderParams, training: Training, seed: int, start: LatentSpace | None
) -> CodedLibrary:
    """The library as codes: its own, or those of `start`."""
    return code_library(
        library,
        training,
        notation=params.notation,
        max_length=params.max_length,
        randomise=params.randomise,
        seed=seed,
        vocabulary=None if start is None else start.vocabulary,
        fewest_tuning=2,
    )


def network_of(
    params: AutoencoderParams,
    recorded: Sequence[str],
    coded: CodedLibrary,
    schedule: Schedule,
    seed: int,
    start: LatentSpace | None,
) -> Any:
    """The network before it learns, with weights drawn from `seed` or those of `start`, on the device to learn on.

    It has room for what is `recorded` whenever its losses are told.
    """
    import torch

    per_epoch = math.ceil(len(coded.rows) / schedule.batch_size)
    n_told = schedule.epochs * math.ceil(per_epoch / TOLD_EVERY) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = network_class()(params.sizes(len(coded.vocabulary)), recorded, n_told)
    if start is not None:
        put_into(network, start.weights)
    return network.to(device())


def schedule_of(params: AutoencoderParams, coded: CodedLibrary, training: Training) -> Schedule:
    """How long and how fast the rows of `coded` are learned."""
    return Schedule(
        epochs_for(len(coded.rows), params.epochs, training),
        params.batch_size,
        params.learning_rate,
        params.weight_decay,
        shards=SHARDS,
        told_every=TOLD_EVERY,
    )


def watched_by(network: Any, coded: CodedLibrary, schedule: Schedule, training: Training) -> Watched:
    """The progress of `training`, from which losses learn how far it has come."""
    total = schedule.epochs * math.ceil(len(coded.rows) / schedule.batch_size)
    return Watched(training.progress, network.log, total, training.seconds)
