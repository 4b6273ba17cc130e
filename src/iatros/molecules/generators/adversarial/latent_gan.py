"""A generator of compounds that was taught by a critic in the latent space of a heteroencoder.

As in LatentGAN (Prykhodko et al. 2019, J Cheminform 11:74): first a network learns to write each compound canonically
when it has read it in a random writing (Bjerrum and Sattarov 2018, Biomolecules 8:131); then another learns to make
latent vectors that a critic cannot tell from those of the library.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.adversarial.collapse import LOOKED_AT, WRITTEN, Yardstick
from iatros.molecules.generators.adversarial.contest import Adversaries, Latents, sizes_of
from iatros.molecules.generators.adversarial.params import GanParams
from iatros.molecules.generators.generator import AS_LEARNED, Draw, Training, taken_over
from iatros.molecules.generators.latent.preparation import (
    as_begun,
    coded_library_for,
    network_of,
    schedule_of,
    watched_by,
)
from iatros.molecules.generators.latent.space import LatentSpace
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.autoencoder import (
    as_tensor,
    hidden_tokens,
    normal_like,
    reconstruction,
    stored_weights,
)
from iatros.molecules.generators.networks.dense import Dense, scale_of
from iatros.molecules.generators.texts.coded_library import CodedLibrary
from iatros.molecules.generators.training.learning import device, finite, learn
from iatros.molecules.generators.training.log import Watched
from iatros.molecules.generators.training.stages import as_columns, in_two
from iatros.molecules.generators.training.turns import take_turns

if TYPE_CHECKING:
    import torch

_ARRAYS = {
    "space": "weights.safetensors",
    "dense": "generator.safetensors",
    "opponents": "adversaries.safetensors",
}
_CHUNK = 256
_EPSILON = 1e-5
_RISING = 0.25
"""Share of the way over which the noise rises: at first the decoder has to find something to read."""
_ENCODED = 200_000
"""Compounds of a large library whose latent vectors the critic sees."""
_HISTORY = ("epoch", "loss", "tuning_loss", "reconstruction")


@dataclass(frozen=True)
class LatentGanGenerator:
    """The trained generator of latent vectors, and the space that they are written from.

    As much `noise` is added to them as the decoder learned with: from exact vectors it would not write what it learned.
    `opponents` are the networks as they were left, so that learning can go on; nothing is written with them.
    """

    kind: ClassVar[str] = "latent-gan"
    space: LatentSpace
    dense: dict[str, np.ndarray] = field(repr=False)
    opponents: dict[str, np.ndarray] = field(repr=False)
    noise: float

    def sample(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """`n` new texts in SMILES; see `Generator`."""
        latents = Dense(self.dense).make(n, rng)
        latents += np.float32(self.noise) * rng.standard_normal(latents.shape, dtype=np.float32)
        return self.decode(latents, rng=rng, draw=draw)

    def encode(self, smiles: Sequence[str]) -> np.ndarray:
        """Latent vectors, float32 (n, latent), of compounds; InputError as in `LatentSpace.encode`."""
        return normalised(self.space.encode(smiles)[0])

    def decode(self, latents: np.ndarray, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """One text in SMILES for each of `latents` (n, latent)."""
        return self.space.decode(latents, rng=rng, draw=draw)

    def save(self) -> Saved:
        """The document, in which vocabulary and sizes are, and the weights of the three parts."""
        parts = {"space": self.space.weights, "dense": self.dense, "opponents": self.opponents}
        files = {_ARRAYS[name]: pack_arrays(arrays) for name, arrays in parts.items()}
        return {"kind": self.kind, "noise": self.noise, **self.space.document()}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> LatentGanGenerator:
        """The generator that `save` described."""
        space, dense, opponents = (unpack_arrays(read(_ARRAYS[name])) for name in _ARRAYS)
        return cls(LatentSpace.read(document, space), dense, opponents, document["noise"])


def normalised(mean: np.ndarray) -> np.ndarray:
    """`mean` (n, latent) with mean 0 and variance 1 in each row: an encoder cannot outgrow the noise that is added."""
    deviation = np.sqrt(mean.var(axis=1, keepdims=True) + np.float32(_EPSILON))
    return np.asarray((mean - mean.mean(axis=1, keepdims=True)) / deviation)


def fit_latent(
    params: GanParams,
    library: Library,
    training: Training,
    *,
    seed: int,
    start: LatentGanGenerator | None,
) -> tuple[LatentGanGenerator, dict[str, Any]]:
    """The trained generator and its notes; a run that was killed goes on in the stage in which it was.

    Of the time given, `adversarial_share` is for what the critic teaches. FitError where a loss is not finite.
    """
    if start is not None:
        params = taken_over(as_begun(params, start.space), sizes_of(start.opponents))
    coded = coded_library_for(library, params, training, seed, None if start is None else start.space)
    first, second = in_two(training, params.adversarial_share, "heteroencoder", "adversaries")
    space, history = _heteroencoder(params, coded, first, seed, None if start is None else start.space)
    begun = time.monotonic()
    with training.progress.step("reading the library into the latent space"):
        latents = _latents(space, coded, seed)
    if second.seconds is not None:
        second = replace(second, seconds=max(1.0, second.seconds - (time.monotonic() - begun)))
    yardstick = Yardstick(library, coded.rows, coded.tuning, seed)

    def judge(dense: dict[str, np.ndarray], n: int = LOOKED_AT) -> Mapping[str, float]:
        generator = LatentGanGenerator(space, dense, {}, params.latent_noise)
        return yardstick.measures(generator.sample(n, rng=np.random.default_rng([seed, 31])))

    adversaries = Adversaries(params.contest(), latents, judge, seed)
    if start is not None:
        adversaries.begin_with(start.opponents)
    looks = take_turns(adversaries, params.steps, second, "learning from the critic", seed=seed)
    generator = LatentGanGenerator(space, adversaries.folded(), adversaries.kept(), params.latent_noise)
    with training.progress.step("writing many to see whether they differ"):
        written = judge(generator.dense, WRITTEN)
    notes = {
        "history": history,
        "adversarial_history": looks,
        "mode_collapse": {"n": WRITTEN, "written": dict(written), "library": yardstick.of_library(WRITTEN)},
        "seconds": None if training.seconds is None else {"first": first.seconds, "second": second.seconds},
        "n_weights": sum(v.size for part in (space.weights, generator.dense) for v in part.values()),
        "n_latents": len(latents.real),
        **coded.notes(),
        "device": device(),
        "params": params.model_dump(),
    }
    return generator, notes


def _heteroencoder(
    params: GanParams,
    coded: CodedLibrary,
    training: Training,
    seed: int,
    start: LatentSpace | None,
) -> tuple[LatentSpace, list[dict[str, float]]]:
    """The first stage: the space and what was noted on the way; found in the checkpoint once it is done."""
    sizes = params.sizes(len(coded.vocabulary))
    done = training.checkpoint.get("done")
    if done is not None:
        rows = done.pop("history").tolist()
        history = [dict(zip(_HISTORY, row, strict=True)) for row in rows]
        return LatentSpace(done, coded.vocabulary, sizes), history
    schedule = schedule_of(params, coded, training)
    network = network_of(params, ("reconstruction",), coded, schedule, seed, start)
    watched = watched_by(network, coded, schedule, training)
    task = _Task(network, coded, watched, params.token_dropout, params.latent_noise)
    learned = learn(
        network,
        coded.rows,
        coded.lines.lengths[coded.rows],
        task.loss,
        task.tuning_loss,
        schedule,
        replace(training, progress=watched),
        seed=seed,
    )
    history = [{**one, **more} for one, more in zip(learned, network.log.history(), strict=True)]
    weights = stored_weights(network)
    training.checkpoint.put("done", {**weights, "history": as_columns(history, _HISTORY)})
    return LatentSpace(weights, coded.vocabulary, sizes), history


class _Task:
    """What the heteroencoder is to learn: to write what it has read, from a latent vector that noise was added to."""

    def __init__(
        self, network: Any, coded: CodedLibrary, watched: Watched, token_dropout: float, noise: float
    ) -> None:
        self.network, self.coded, self.watched = network, coded, watched
        self.token_dropout, self.noise = token_dropout, noise

    def loss(self, batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Nats of a token."""
        codes = self.coded.written[batch]
        noise = self.noise * min(1.0, self.watched.share() / _RISING)
        latents = self._latents(self.coded.given(batch, rng))
        latents = latents + noise * normal_like(latents, rng)
        shown = hidden_tokens(codes, self.token_dropout, rng)
        nats, n_tokens = reconstruction(self.network, codes, latents, shown)
        return finite(nats / n_tokens, "the heteroencoder's loss")

    def tuning_loss(self) -> float:
        """The same of the tuning compounds with all of the noise; what each costs is recorded."""
        tuning, rng = self.coded.tuning, np.random.default_rng(1)
        total, n_tokens = 0.0, 0
        for at in range(0, len(tuning), _CHUNK):
            part = tuning[at : at + _CHUNK]
            latents = self._latents(self.coded.given(part, rng))
            latents = latents + self.noise * normal_like(latents, rng)
            nats, n = reconstruction(self.network, self.coded.written[part], latents)
            total, n_tokens = total + float(nats), n_tokens + n
        self.network.log.record({"reconstruction": total / len(tuning)})
        return total / n_tokens

    def _latents(self, given: np.ndarray) -> torch.Tensor:
        from torch.nn import functional

        mean, _ = self.network.encoder(as_tensor(given, self.network))
        return functional.layer_norm(mean, mean.shape[1:], eps=_EPSILON)


def _latents(space: LatentSpace, coded: CodedLibrary, seed: int) -> Latents:
    """The latent vectors of the library and of its tuning compounds, on the scale that is learned on."""
    rng = np.random.default_rng([seed, 37])
    rows = coded.rows
    if len(rows) > _ENCODED:
        rows = np.sort(rng.choice(rows, _ENCODED, replace=False))
    real, tuning = (
        normalised(space.encoder.encode(coded.given(some, rng))[0]) for some in (rows, coded.tuning)
    )
    centre, spread, reach = scale_of(real)
    return Latents((real - centre) / spread, (tuning - centre) / spread, centre, spread, reach)
