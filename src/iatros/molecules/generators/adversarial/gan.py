"""Compounds from two networks that learn from each other: in a latent space, or over the letters themselves."""

from __future__ import annotations

from typing import Any, ClassVar

from iatros.core.errors import RequestError
from iatros.molecules.generators.adversarial.latent_gan import LatentGanGenerator, fit_latent
from iatros.molecules.generators.adversarial.organ import fit_sequence
from iatros.molecules.generators.adversarial.params import GanParams
from iatros.molecules.generators.generator import Generator, Training
from iatros.molecules.generators.language.recurrent import RecurrentGenerator
from iatros.molecules.generators.library import Library


class Gan:
    """The adversarial generators that can be trained."""

    name: ClassVar[str] = "gan"
    Params: ClassVar[type[GanParams]] = GanParams

    def __init__(self, params: GanParams | None = None) -> None:
        self.params = params or GanParams()

    def fit(
        self, library: Library, training: Training, *, seed: int, start: Generator | None = None
    ) -> tuple[Generator, dict[str, Any]]:
        """The trained generator; see `Estimator`. FitError where a loss is no longer finite.

        The notes tell the losses of both stages, and how much of the library's variety is written.
        """
        params = self.params
        kind: type[Generator] = LatentGanGenerator if params.variant == "latent" else RecurrentGenerator
        if start is not None and not isinstance(start, kind):
            raise RequestError(
                f"start holds a generator of kind {start.kind!r}, and {kind.kind!r} is to be trained",
                where="start",
                hint="name the model and the variant that start was trained as",
            )
        if params.variant == "latent":
            assert start is None or isinstance(start, LatentGanGenerator)
            return fit_latent(params, library, training, seed=seed, start=start)
        assert start is None or isinstance(start, RecurrentGenerator)
        model, notes = fit_sequence(
            params.rnn(),
            params.turns(),
            library,
            training,
            share=params.adversarial_share,
            seed=seed,
            start=start,
        )
        return model, {**notes, "params": {**params.model_dump(), **notes["params"]}}
