"""How a language model learns a library: its compounds as codes, the likelihood of each token, and the notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import Field

from iatros.core.errors import RequestError
from iatros.learners.compounds.tokens import PAD, Vocabulary
from iatros.molecules.generators.generator import Generator, GeneratorParams, Training, taken_over
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.dropout import drawn_from
from iatros.molecules.generators.texts.coded_library import code_library
from iatros.molecules.generators.training.learning import (
    SHARDS,
    TOLD_EVERY,
    Schedule,
    device,
    epochs_for,
    learn,
)

if TYPE_CHECKING:
    import torch

_CHUNK = 512
"""Lines that are judged at once."""
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256


class LanguageParams(GeneratorParams):
    """Parameters that all language models share."""

    randomise: int = Field(
        default=0, ge=0, le=64, description="random writings of each compound that the epochs take turns with"
    )
    dropout: float = Field(default=0.0, ge=0, lt=0.9, description="share of units left out while training")
    batch_size: int | None = Field(
        default=None,
        ge=2,
        le=65_536,
        description="compounds of a step; where not given, a hundredth of the library, at least 32 and at most 256",
    )


Model = TypeVar("Model", bound=LanguageModel)


def fit(
    kind: type[Model],
    new: Callable[[Vocabulary], Model],
    params: LanguageParams,
    library: Library,
    training: Training,
    *,
    seed: int,
    start: Generator | None,
) -> tuple[Model, dict[str, Any]]:
    """A language model of `kind` that has learned `library`, and the notes; see `Estimator`.

    `new` makes one that has learned nothing, with torch's random state. With `start` its weights, vocabulary and sizes
    are taken instead, and compounds with a token that it does not know are left out.
    """
    import torch

    if start is not None and not isinstance(start, kind):
        raise RequestError(
            f"start holds a generator of kind {start.kind!r}, and {kind.kind!r} is to be trained",
            where="start",
            hint="name the model that start was trained as",
        )
    if start is not None:
        params = taken_over(params, start.sizes())
    coded = code_library(
        library,
        training,
        notation=params.notation,
        max_length=params.max_length,
        randomise=params.randomise,
        seed=seed,
        vocabulary=None if start is None else start.vocabulary,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        begun = new(coded.vocabulary) if start is None else start
    network = begun.network(params.dropout).to(device())
    schedule = _schedule(params, len(coded.rows), training)
    tuned = coded.written[coded.tuning]

    def loss(batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        with drawn_from(rng, device()):
            return nll(network, coded.lines.batch(batch, rng))

    history = learn(
        network,
        coded.rows,
        coded.lines.lengths[coded.rows],
        loss,
        lambda: mean_nll(network, tuned),
        schedule,
        training,
        seed=seed,
    )
    generator = begun.learned(network)
    notes = {
        "history": history,
        "n_weights": sum(value.size for value in generator.weights.values()),
        **coded.notes(),
        "epochs": history[-1]["epoch"],
        "batch_size": schedule.batch_size,
        "device": device(),
        "params": params.model_dump(),
    }
    return generator, notes


def _schedule(params: LanguageParams, n: int, training: Training) -> Schedule:
    """How long and how fast `n` compounds are learned."""
    return Schedule(
        epochs_for(n, params.epochs, training),
        params.batch_size or min(_LARGEST_BATCH, max(_SMALLEST_BATCH, n // 100)),
        params.learning_rate,
        params.weight_decay,
        shards=SHARDS,
        told_every=TOLD_EVERY,
    )


def nll(network: Any, codes: np.ndarray) -> torch.Tensor:
    """Mean negative log-likelihood of a token of `codes` (n, length), filling left out; in nats."""
    import torch
    from torch.nn import functional

    longest = int((codes != PAD).sum(axis=1).max())
    place = next(network.parameters()).device
    known = torch.from_numpy(codes[:, :longest].astype(np.int64)).to(place)
    odds = network(known[:, :-1])
    return functional.cross_entropy(odds.flatten(0, 1), known[:, 1:].flatten(), ignore_index=PAD)


def mean_nll(network: Any, codes: np.ndarray) -> float:
    """The same over any number of lines, as a number and without a gradient."""
    import torch

    order = np.argsort((codes != PAD).sum(axis=1), kind="stable")
    total = n_tokens = 0.0
    with torch.no_grad():
        for begin in range(0, len(order), _CHUNK):
            part = codes[order[begin : begin + _CHUNK]]
            n = float((part[:, 1:] != PAD).sum())
            total, n_tokens = total + float(nll(network, part)) * n, n_tokens + n
    return total / n_tokens
