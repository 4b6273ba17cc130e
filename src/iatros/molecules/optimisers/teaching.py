"""A language model that learns from rewards, and the compounds that it learns from again and again.

The loss is the augmented likelihood (Olivecrona et al. 2017, J. Cheminform. 9:48): what the model says of a text is
drawn to what the untaught model says of it plus `sigma` times the reward. Rewarded compounds are kept and learned from
in several steps for each batch, each time written another way (Guo and Schwaller 2024, JACS Au 4:2160), the better ones
more often, by their rank (Kim et al. 2024, arXiv:2402.05961).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from iatros.core.errors import InputError, OutcomeError
from iatros.learners.compounds.tokens import to_selfies
from iatros.learners.training import one_thread
from iatros.molecules.generators.generator import Draw, Generator, Training
from iatros.molecules.generators.texts.reading import parsed
from iatros.molecules.optimisers.optimiser import Means, OptimiserParams

if TYPE_CHECKING:
    from iatros.molecules.generators.language.policy import Policy

_LONGEST_STEP = 1.0
"""Norm beyond which a gradient is shortened."""
_SEVERAL = 500_000
"""Compounds that a model is shown where one is trained here: so many epochs, at most 100, as that makes."""


class LanguageParams(OptimiserParams):
    """Parameters of what is taught."""

    samples: int = Field(default=64, ge=1, le=100_000, description="texts that the model writes in a round")
    steps: int = Field(default=4, ge=0, le=1000, description="steps of learning in a round")
    taught_at_once: int = Field(default=64, ge=1, le=100_000, description="compounds of such a step")
    memory: int = Field(
        default=1000, ge=1, le=1_000_000, description="best compounds that are learned from again"
    )
    rank_weight: float = Field(
        default=0.01,
        gt=0,
        le=10,
        description="a compound of rank r of n is learned from as 1 / (this x n + r): less favours the best",
    )
    sigma: float = Field(
        default=500.0, ge=0, le=1e6, description="what a reward of 1 adds to the log-likelihood"
    )
    learning_rate: float = Field(default=5e-4, gt=0, le=1, description="step size of Adam")
    temperature: float = Field(default=1.0, gt=0, le=10, description="of the texts that the model writes")
    prior_units: int = Field(
        default=256,
        ge=8,
        le=4096,
        description="gated units of the model, where none is given and one is trained",
    )


class Pupil:
    """The language model while it is taught; whatever the number of cores it computes on one thread, and equally."""

    def __init__(self, prior: Generator, params: LanguageParams) -> None:
        import torch

        from iatros.molecules.generators.language.policy import Policy

        self._params = params
        self.policy: Policy = Policy.from_generator(prior)
        self._untaught: Policy = self.policy.copy()
        self._adam = torch.optim.Adam(list(self.policy.parameters()), lr=params.learning_rate)

    def write(self, n: int, rng: np.random.Generator) -> list[str]:
        """`n` texts, not all of them molecules."""
        texts, _ = self.policy.sample(n, rng, Draw(self._params.temperature))
        return texts

    def learn(self, texts: Sequence[str], rewards: np.ndarray) -> None:
        """One step towards the augmented likelihood of `texts`; those that the model cannot write are left out."""
        import torch

        kept = [row for row, text in enumerate(texts) if self._can_be_written(text)]
        if not kept:
            return
        codes, known = self.policy.encode([texts[row] for row in kept])
        rewards = rewards[kept]
        if not known.any():
            return
        with one_thread(0):
            codes = codes[known]
            with torch.no_grad():
                untaught = self._untaught.log_likelihood(codes)
            wanted = untaught + self._params.sigma * torch.from_numpy(rewards[known].astype(np.float32))
            loss: Any = ((wanted - self.policy.log_likelihood(codes)) ** 2).mean()
            self._adam.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), _LONGEST_STEP)
            self._adam.step()

    def _can_be_written(self, text: str) -> bool:
        """Whether a compound has a text in the model's notation: a few have no SELFIES."""
        if self.policy.model.vocabulary.notation == "smiles":
            return True
        try:
            to_selfies(text)
        except InputError:
            return False
        return True

    def revise(self, ranked: Sequence[str], rewards: Sequence[float], rng: random.Random) -> None:
        """A round of steps on the best compounds so far, `ranked`, each time in another writing."""
        params = self._params
        best, worth = list(ranked[: params.memory]), np.array(rewards[: params.memory])
        if not best:
            return
        weights = [1.0 / (params.rank_weight * len(best) + place) for place in range(1, len(best) + 1)]
        for _ in range(params.steps):
            rows = rng.choices(range(len(best)), weights, k=params.taught_at_once)
            self.learn([written_anew(best[row], rng) for row in rows], worth[rows])


def prior_of(means: Means, start: Sequence[str], params: LanguageParams) -> Generator:
    """The generator that was given, or one that learns the start library, which takes some minutes."""
    if means.prior is not None:
        return means.prior
    from iatros.molecules.generators import GENERATORS
    from iatros.molecules.generators.library import FEWEST, Library

    if len(start) < FEWEST:
        raise OutcomeError(
            f"a language model needs {FEWEST:,} start compounds to learn how compounds are written, got {len(start):,}",
            hint="give a larger start library, or a trained generator as prior",
        )
    estimator = GENERATORS.load("rnn")
    epochs = max(1, min(100, round(_SEVERAL / len(start))))
    settings = estimator.Params(units=params.prior_units, epochs=epochs)
    training = Training(means.checkpoint, means.progress)
    with one_thread(means.seed):
        generator, _ = estimator(settings).fit(Library(tuple(start)), training, seed=means.seed)
    trained: Generator = generator
    return trained


def written_anew(smiles: str, rng: random.Random) -> str:
    """The same compound as a SMILES that begins and branches at random; what cannot be read stays as it is."""
    from rdkit import Chem

    molecule = parsed(smiles)
    if molecule is None:
        return smiles
    order = list(range(molecule.GetNumAtoms()))
    rng.shuffle(order)
    return str(Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False))
