"""A variational autoencoder of compounds: convolutions read them into a latent space, gated units write from there.

As in Gómez-Bombarelli et al. 2018 (ACS Cent. Sci. 4:268). So that the decoder uses the latent vector, tokens are hidden
from it, the weight of the divergence rises in cycles (Fu et al. 2019), and each latent unit has some nats free of
charge (Kingma et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import InputError, RequestError
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.generators.generator import AS_LEARNED, Draw, Generator, Training
from iatros.molecules.generators.latent.preparation import (
    AutoencoderParams,
    as_begun,
    coded_library_for,
    network_of,
    schedule_of,
    watched_by,
)
from iatros.molecules.generators.latent.space import LIKELIEST, LatentSpace, Path, path_between
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.autoencoder import (
    as_tensor,
    cyclical,
    divergence,
    hidden_tokens,
    normal_like,
    reconstruction,
    stored_weights,
    with_free_bits,
)
from iatros.molecules.generators.texts.coded_library import CodedLibrary
from iatros.molecules.generators.texts.reading import read_all
from iatros.molecules.generators.training.learning import device, finite, learn
from iatros.molecules.generators.training.log import Watched

if TYPE_CHECKING:
    import torch

RECORDED = ("reconstruction", "divergence", "active_units", "kl_weight")
_ARRAYS = "weights.safetensors"
_CHUNK = 256
_CHECKED = 500
_ACTIVE = 0.01
"""Variance of a latent unit's mean over the compounds from which on it tells them apart (Burda et al. 2016)."""


class VaeParams(AutoencoderParams):
    """Parameters of the variational autoencoder."""

    variational: ClassVar[bool] = True
    kl_weight: float = Field(
        default=1.0, ge=0, le=100, description="largest weight of the divergence from the prior; 1 as derived"
    )
    kl_cycles: int = Field(
        default=4, ge=0, le=1000, description="cycles in which that weight rises; 0: it is the largest always"
    )
    kl_annealed: float = Field(
        default=0.5, gt=0, le=1, description="share of the training in which the cycles are"
    )
    free_bits: float = Field(
        default=0.1, ge=0, le=10, description="nats of information in each latent unit that cost nothing"
    )


@dataclass(frozen=True)
class VariationalGenerator:
    """The trained autoencoder; new compounds are written from standard normal latent vectors."""

    kind: ClassVar[str] = "variational"
    space: LatentSpace

    def sample(self, n: int, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """`n` new texts in SMILES; see `Generator`."""
        latents = rng.standard_normal((n, self.space.sizes.latent), dtype=np.float32)
        return self.decode(latents, rng=rng, draw=draw)

    def encode(self, smiles: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (one standard deviation), float32 (n, latent), of each compound's latent vector.

        InputError for what is no SMILES, a compound that is too long, or one with a token that was never learned.
        """
        mean, log_variance = self.space.encode(smiles)
        return mean, np.exp(0.5 * log_variance)

    def decode(self, latents: np.ndarray, *, rng: np.random.Generator, draw: Draw = AS_LEARNED) -> list[str]:
        """One text in SMILES for each of `latents` (n, latent)."""
        return self.space.decode(latents, rng=rng, draw=draw)

    def between(
        self,
        a: str,
        b: str,
        n: int,
        *,
        steps: int,
        rng: np.random.Generator,
        path: Path = "spherical",
        draw: Draw = AS_LEARNED,
    ) -> list[list[str]]:
        """`n` texts in SMILES at each of `steps` points on the way from compound `a` to `b`, both ends included."""
        (first, last), _ = self.encode([a, b])
        points = path_between(first, last, steps, path)
        texts = self.decode(np.repeat(points, n, axis=0), rng=rng, draw=draw)
        return [texts[at : at + n] for at in range(0, len(texts), n)]

    def near(
        self, smiles: str, n: int, *, radius: float, rng: np.random.Generator, draw: Draw = AS_LEARNED
    ) -> list[str]:
        """`n` texts in SMILES from around a compound: its latent vector, each unit moved by a normal draw.

        `radius` is the standard deviation of that draw; that of all compounds together is 1.
        """
        if not radius >= 0:
            raise InputError(f"the radius must be at least 0, got {radius}", where="radius")
        mean, _ = self.encode([smiles])
        moved = mean + radius * rng.standard_normal((n, mean.shape[1]), dtype=np.float32)
        return self.decode(moved, rng=rng, draw=draw)

    def save(self) -> Saved:
        """The document, in which vocabulary and sizes are, and the weights."""
        return {"kind": self.kind, **self.space.document()}, {_ARRAYS: pack_arrays(self.space.weights)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> VariationalGenerator:
        """The generator that `save` described."""
        return cls(LatentSpace.read(document, unpack_arrays(read(_ARRAYS))))


class Vae:
    """The variational autoencoder that can be trained."""

    name: ClassVar[str] = "vae"
    Params: ClassVar[type[VaeParams]] = VaeParams

    def __init__(self, params: VaeParams | None = None) -> None:
        self.params = params or VaeParams()

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[VariationalGenerator, dict[str, Any]]:
        """The trained autoencoder; see `Estimator`. FitError where the loss is no longer finite.

        The notes hold, after each thousand steps, what the tuning compounds cost to write (`reconstruction`) and their
        `divergence` from the prior, both in nats each, how many latent units are active and the weight then; and at
        the end what share of them is written again exactly.
        """
        if start is not None and not isinstance(start, VariationalGenerator):
            raise RequestError(
                f"start holds a generator of kind {start.kind!r}, and {VariationalGenerator.kind!r} is to be trained",
                where="start",
                hint="name the model that start was trained as",
            )
        params = self.params if start is None else as_begun(self.params, start.space)
        space = None if start is None else start.space
        coded = coded_library_for(library, params, training, seed, space)
        schedule = schedule_of(params, coded, training)
        network = network_of(params, RECORDED, coded, schedule, seed, space)
        task = _Task(params, network, coded, watched_by(network, coded, schedule, training))
        history = learn(
            network,
            coded.rows,
            coded.lines.lengths[coded.rows],
            task.loss,
            task.tuning_loss,
            schedule,
            replace(training, progress=task.watched),
            seed=seed,
        )
        sizes = params.sizes(len(coded.vocabulary))
        generator = VariationalGenerator(LatentSpace(stored_weights(network), coded.vocabulary, sizes))
        with training.progress.step("writing the tuning compounds again"):
            checked = _checked(generator, coded, library, seed)
        recorded = network.log.history()
        notes = {
            "history": [{**one, **more} for one, more in zip(history, recorded, strict=True)],
            "n_weights": sum(value.size for value in generator.space.weights.values()),
            **coded.notes(),
            **checked,
            "epochs": history[-1]["epoch"],
            "device": device(),
            "params": params.model_dump(),
        }
        return generator, notes


class _Task:
    """What the autoencoder is to learn: the loss of a batch, and that of the tuning compounds."""

    def __init__(self, params: VaeParams, network: Any, coded: CodedLibrary, watched: Watched) -> None:
        self.params, self.network, self.coded, self.watched = params, network, coded, watched

    def weight(self) -> float:
        """That of the divergence at this point of the way."""
        params = self.params
        return params.kl_weight * cyclical(self.watched.share(), params.kl_cycles, params.kl_annealed)

    def loss(self, batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """The negative lower bound of the likelihood, nats of a token, as it is charged at this point of the way."""
        given, codes = self.coded.given(batch, rng), self.coded.written[batch]
        mean, log_variance = self.network.encoder(as_tensor(given, self.network))
        latents = mean + (0.5 * log_variance).exp() * normal_like(mean, rng)
        shown = hidden_tokens(codes, self.params.token_dropout, rng)
        nats, n_tokens = reconstruction(self.network, codes, latents, shown)
        charged = with_free_bits(mean, log_variance, self.params.free_bits) * len(batch)
        return finite((nats + self.weight() * charged) / n_tokens, "the loss")

    def tuning_loss(self) -> float:
        """The negative lower bound itself, nats of a token; its parts are recorded."""
        tuning, rng = self.coded.tuning, np.random.default_rng(1)
        all_nats = costs = 0.0
        n_tokens, means = 0, []
        for at in range(0, len(tuning), _CHUNK):
            codes = self.coded.written[tuning[at : at + _CHUNK]]
            mean, log_variance = self.network.encoder(as_tensor(codes, self.network))
            latents = mean + (0.5 * log_variance).exp() * normal_like(mean, rng)
            nats, n = reconstruction(self.network, codes, latents)
            all_nats, n_tokens = all_nats + float(nats), n_tokens + n
            costs += float(divergence(mean, log_variance).sum())
            means.append(mean.cpu().numpy())
        active = np.concatenate(means).var(axis=0) > _ACTIVE
        numbers = (all_nats / len(tuning), costs / len(tuning), float(active.sum()), self.weight())
        self.network.log.record(dict(zip(RECORDED, numbers, strict=True)))
        return (all_nats + costs) / n_tokens


def _checked(
    generator: VariationalGenerator, coded: CodedLibrary, library: Library, seed: int
) -> dict[str, Any]:
    """What share of the tuning compounds comes back, and how valid is what is written around them.

    `reconstructions_valid` is of one draw from each compound's latent vector, `prior_valid` of one from the prior.
    """
    rng, rows = np.random.default_rng([seed, 17]), coded.tuning[:_CHECKED]
    mean, _ = generator.space.encoder.encode(coded.written[rows])
    again = read_all(generator.decode(mean, rng=rng, draw=LIKELIEST))
    drawn = read_all(generator.decode(mean, rng=rng))
    new = read_all(generator.sample(len(rows), rng=rng))
    shares = {
        "exact": sum(text == library.smiles[row] for text, row in zip(again, rows.tolist(), strict=True)),
        "reconstructions_valid": sum(map(bool, drawn)),
        "prior_valid": sum(map(bool, new)),
    }
    return {name: {"value": n / len(rows), "n": len(rows)} for name, n in shares.items()}
