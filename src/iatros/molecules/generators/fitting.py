"""How a language model learns a library: its compounds as codes, the likelihood of each token, and the notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import Field

from iatros.core.errors import OutcomeError, RequestError
from iatros.learners.compounds.tokens import PAD, Notation, Vocabulary
from iatros.molecules.generators.codes import encode, learn_vocabulary
from iatros.molecules.generators.generator import Generator, GeneratorParams, Training
from iatros.molecules.generators.language import LanguageModel
from iatros.molecules.generators.learning import Schedule, device, epochs_for, learn
from iatros.molecules.generators.leaving import drawn_from
from iatros.molecules.generators.library import FEWEST, Library
from iatros.molecules.generators.rewriting import ways_to_write

if TYPE_CHECKING:
    import torch

_CHUNK = 512
"""Lines that are judged at once."""
_SHARDS = 2
"""Parts of a batch that are learned side by side."""
_TOLD_EVERY = 1000
"""Steps after which the losses are told."""
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 256


class LanguageParams(GeneratorParams):
    """Parameters that all language models share."""

    notation: Notation = Field(default="smiles", description="how a compound is written: smiles or selfies")
    max_length: int = Field(default=120, ge=16, le=1000, description="tokens of the longest text")
    randomise: int = Field(
        default=0, ge=0, le=64, description="random writings of each compound that the epochs take turns with"
    )
    dropout: float = Field(default=0.0, ge=0, lt=0.9, description="share of units left out while training")
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="passes over the library; where not given, enough to show 3 million compounds, at least 3 and at "
        "most 60, or with seconds as many of 60 as fit into them",
    )
    batch_size: int | None = Field(
        default=None,
        ge=2,
        le=65_536,
        description="compounds of a step; where not given, a hundredth of the library, at least 32 and at most 256",
    )
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="largest step size of AdamW")
    weight_decay: float = Field(default=1e-4, ge=0, le=10, description="decay of the weights by AdamW")


Model = TypeVar("Model", bound=LanguageModel)


@dataclass(frozen=True)
class Lines:
    """A library as codes, uint8 or uint16 (ways, n, length): each compound's canonical writing, then random ones."""

    codes: np.ndarray
    lengths: np.ndarray
    """Codes of the canonical writings, int64 (n,)."""
    usable: np.ndarray
    """Whether each compound can be learned, bool (n,)."""
    unknown: np.ndarray
    """Whether a token of it is unknown, bool (n,)."""
    too_long: np.ndarray
    """Whether one of its writings is, bool (n,)."""
    unwritten: np.ndarray
    """Whether it cannot be written in the notation, bool (n,)."""

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes (n, length) of some rows, each in one of its writings."""
        way = rng.integers(len(self.codes), size=len(rows)) if len(self.codes) > 1 else 0
        found: np.ndarray = self.codes[way, rows]
        return found


def lines_of(several: list[list[str]], vocabulary: Vocabulary, longest: int) -> Lines:
    """The codes of `several` writings of each compound; those that cannot be learned are marked."""
    found = [encode(texts, vocabulary, longest=longest) for texts in several]
    width = max(one.codes.shape[1] for one in found)
    codes = np.stack([np.pad(one.codes, ((0, 0), (0, width - one.codes.shape[1]))) for one in found])
    known = np.all([one.known for one in found], axis=0)
    fits = np.all([one.lengths <= longest + 2 for one in found], axis=0)
    written = found[0].lengths > 2
    return Lines(codes, found[0].lengths, known & fits & written, ~known, ~fits, ~written)


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
        params = _as_begun(params, start)
    with training.progress.step("tokens"):
        several = ways_to_write(
            library.smiles, params.randomise, notation=params.notation, seed=seed, engine=training.engine
        )
        vocabulary = (
            start.vocabulary
            if start is not None
            else learn_vocabulary([text for texts in several for text in texts], params.notation)
        )
        lines = lines_of(several, vocabulary, params.max_length)
        del several
    rows, tuning = _sides(library, lines)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        begun = new(vocabulary) if start is None else start
    network = begun.network(params.dropout).to(device())
    schedule = _schedule(params, len(rows), training)
    tuned = lines.codes[0][tuning]

    def loss(batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        with drawn_from(rng, device()):
            return nll(network, lines.batch(batch, rng))

    history = learn(
        network,
        rows,
        lines.lengths[rows],
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
        "n_tokens": len(vocabulary),
        "n_learned": len(rows),
        "n_tuning": len(tuning),
        "n_unknown_tokens": int(lines.unknown.sum()),
        "n_too_long": int(lines.too_long.sum()),
        "n_unwritten": int(lines.unwritten.sum()),
        "epochs": schedule.epochs,
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
        shards=_SHARDS,
        told_every=_TOLD_EVERY,
    )


def _as_begun(params: LanguageParams, start: LanguageModel) -> LanguageParams:
    """`params` with the sizes of `start`; RequestError where one was asked for that differs."""
    fixed = start.sizes()
    for name, value in fixed.items():
        asked = getattr(params, name)
        if name in params.model_fields_set and asked != value:
            raise RequestError(
                f"{name} is {asked}, and start was trained with {value}",
                where="param",
                hint=f"leave {name} out, or train without start",
            )
    return params.model_copy(update=fixed)


def _sides(library: Library, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to tune on, of those that can be learned."""
    rows, tuning = (side[lines.usable[side]] for side in library.sides())
    if len(rows) + len(tuning) < FEWEST or not len(tuning):
        raise OutcomeError(
            f"holds {int(lines.usable.sum()):,} compounds that the model can write, and {FEWEST} are needed; "
            f"{int(lines.unknown.sum()):,} hold a token that it does not know, and {int(lines.too_long.sum()):,} are "
            "too long",
            where=library.source,
            hint="give a larger library, raise max_length, or train without start",
        )
    return rows, tuning


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
