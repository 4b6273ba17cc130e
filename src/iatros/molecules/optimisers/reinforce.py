"""A language model that is rewarded for what it writes, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.population import Population
from iatros.molecules.optimisers.teaching import LanguageParams, Pupil, prior_of

_IDLE = 50
"""Rounds without anything new after which a search ends: the model writes nothing else any more."""


class Reinforce:
    """The search: write, ask, learn from what was written, and from the best so far."""

    name: ClassVar[str] = "reinforce"
    Params: ClassVar[type[LanguageParams]] = LanguageParams

    def __init__(self, params: LanguageParams | None = None) -> None:
        self.params = params or LanguageParams()

    def run(self, ledger: Ledger, start: Sequence[str], means: Means) -> None:
        """See `Optimiser`."""
        pupil = Pupil(prior_of(means, start, self.params), self.params)
        rng, drawing = random.Random(means.seed), np.random.default_rng(means.seed)
        memory = Population(self.params.memory)
        idle = 0
        while not ledger.over and idle < _IDLE:
            texts = pupil.write(self.params.samples, drawing)
            answers = ledger.ask(texts, origin="reinforce")
            idle = 0 if memory.take(answers) else idle + 1
            # What was written before brings nothing again, so that the model moves on.
            rewards = np.where(answers.fresh, answers.rewards, 0.0)
            written = [text for text, smiles in zip(texts, answers.smiles, strict=True) if smiles]
            pupil.learn(written, rewards[[bool(smiles) for smiles in answers.smiles]])
            pupil.revise(memory.ranked, memory.rewards, rng)
