"""A language model of compounds that learns from a discriminator, and from an objective where one is given.

As in ORGAN (Guimaraes et al. 2017, arXiv:1705.10843) after SeqGAN (Yu et al. 2017, arXiv:1609.05473): it learns the
library's compounds first; then it writes, a discriminator that learns to tell its texts from the library's says how
real each is, and the policy's gradient follows (Williams 1992). What half a text is worth, its completions tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, PAD
from iatros.molecules.generators.adversarial.collapse import JUDGED, LOOKED_AT, WRITTEN, Yardstick
from iatros.molecules.generators.adversarial.rollouts import values_at
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.language.policy import Policy
from iatros.molecules.generators.language.recurrent import RecurrentGenerator, Rnn, RnnParams
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.texts.reading import read_all
from iatros.molecules.generators.training.learning import device, finite
from iatros.molecules.generators.training.stages import in_two
from iatros.molecules.generators.training.turns import take_turns

if TYPE_CHECKING:
    import torch

_KERNELS = (3, 5, 7)
_EMBEDDING = 32
_DROPOUT = 0.25
_FASTER = 10.0
"""How much faster than the policy the discriminator learns: it has to be right about texts as they are now."""
_WARM = 50
"""Steps that the discriminator makes before it is first asked."""

Judge = Callable[[RecurrentGenerator], dict[str, float]]
"""The numbers called `collapse.JUDGED` of what a language model writes."""


@dataclass(frozen=True)
class Rounds:
    """How the adversaries take turns; see `GanParams`."""

    rounds: int
    batch_size: int
    learning_rate: float
    channels: int
    objective: Literal["none", "qed"]
    objective_weight: float
    rollouts: int
    discriminator_steps: int
    likelihood_steps: int


@cache
def discriminator_class() -> Any:
    """The class of the discriminator, made when torch is wanted for the first time."""
    import torch
    from torch import nn

    class Discriminator(nn.Module):
        """Log-odds (n,) that lines of codes (n, length), without a beginning, were not written by the generator."""

        def __init__(self, n_tokens: int, channels: int) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, _EMBEDDING, padding_idx=PAD)
            self.convolutions = nn.ModuleList(
                nn.Conv1d(_EMBEDDING, channels, kernel, padding=kernel // 2) for kernel in _KERNELS
            )
            self.dropout = nn.Dropout(_DROPOUT)
            self.last = nn.Linear(len(_KERNELS) * channels, 1)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            there = (codes != PAD)[:, None]
            seen = self.embedding(codes).transpose(1, 2)
            pooled = [(one(seen).relu() * there).amax(dim=2) for one in self.convolutions]
            return self.last(self.dropout(torch.cat(pooled, dim=1)))[:, 0]

    return Discriminator


def objective_of(name: str) -> Callable[[Sequence[str]], np.ndarray]:
    """What gives each of some canonical SMILES a number from 0 to 1; of an empty text it is 0."""

    def qed(smiles: Sequence[str]) -> np.ndarray:
        from rdkit import Chem
        from rdkit.Chem import QED

        return np.array([QED.qed(Chem.MolFromSmiles(text)) if text else 0.0 for text in smiles])

    def none(smiles: Sequence[str]) -> np.ndarray:
        return np.zeros(len(smiles))

    return {"qed": qed, "none": none}[name]


class Adversaries:
    """The language model and its discriminator; `Opponents` of `turns`."""

    told: ClassVar[tuple[str, ...]] = ("policy_loss", "discriminator_loss", "likelihood_loss", "reward")
    seen: ClassVar[tuple[str, ...]] = JUDGED

    def __init__(
        self, model: RecurrentGenerator, turns: Rounds, library: Library, judge: Judge, seed: int
    ) -> None:
        import torch

        self.turns, self.library, self.judge, self.rows = turns, library, judge, library.sides()[0]
        self.policy = Policy.from_generator(model)
        self.policy.network.to(device())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            discriminator = discriminator_class()(len(model.vocabulary), turns.channels)
        self.discriminator = discriminator.to(device())
        self.objective = objective_of(turns.objective)
        self.rates = {"policy": turns.learning_rate, "discriminator": _FASTER * turns.learning_rate}
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(network.parameters(), lr=self.rates[name])
            for name, network in self.networks.items()
        }

    @property
    def networks(self) -> dict[str, torch.nn.Module]:
        """All that learns, by name."""
        return {"policy": self.policy.network, "discriminator": self.discriminator}

    def model(self) -> RecurrentGenerator:
        """The language model as it is now."""
        found = self.policy.generator()
        assert isinstance(found, RecurrentGenerator)
        return found

    def look(self, _: np.random.Generator) -> dict[str, float]:
        """Measures of mode collapse of what it writes now."""
        return self.judge(self.model())

    def turn(self, number: int, share: float, rng: np.random.Generator) -> Sequence[float]:
        """Write, judge, and learn from it; the rate falls with the `share` of the way."""
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self.rates[name] * (1.0 - share)
        model = self.model()
        texts, codes = self.policy.sample(self.turns.batch_size, rng)
        if not number:
            for _ in range(_WARM):
                self._discriminator_step(codes, rng)
        rewards = self.rewards(texts, codes)
        advantages = self._advantages(model, codes, rewards, rng)
        policy_loss = self._policy_step(codes, advantages)
        told = [self._discriminator_step(codes, rng) for _ in range(self.turns.discriminator_steps)]
        liked = [self._likelihood_step(rng) for _ in range(self.turns.likelihood_steps)] or [0.0]
        return policy_loss, float(np.mean(told)), float(np.mean(liked)), float(rewards.mean())

    def rewards(self, texts: Sequence[str], codes: np.ndarray) -> np.ndarray:
        """What each text is worth, 0 to 1 (n,): how real it looks, and the objective by its weight.

        A text that was written several times is worth as many times less, so that no single one is learned by heart.
        """
        import torch

        self.discriminator.eval()
        with torch.no_grad():
            real = torch.sigmoid(self.discriminator(self._tensor(codes))).cpu().numpy().astype(np.float64)
        canonical = read_all(texts)
        weight = self.turns.objective_weight
        worth = (1.0 - weight) * real + weight * self.objective(canonical)
        named = [found or text for found, text in zip(canonical, texts, strict=True)]
        times = Counter(named)
        return np.asarray(worth / [times[name] for name in named])

    def _advantages(
        self, model: RecurrentGenerator, codes: np.ndarray, rewards: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """How much better each token (n, length) was than what was to be expected, in deviations of the rewards."""
        n = len(codes)
        before = np.full(n, rewards.mean())
        advantages = np.zeros(codes.shape)
        begun = np.zeros(n, dtype=np.int64)
        places = np.arange(codes.shape[1])
        if self.turns.rollouts:
            for cut, values in values_at(model, codes, self.turns.rollouts, self.rewards, rng):
                advantages += np.where(
                    (places >= begun[:, None]) & (places < cut[:, None]), (values - before)[:, None], 0.0
                )
                begun, before = cut, values
        advantages += np.where(places >= begun[:, None], (rewards - before)[:, None], 0.0)
        return np.asarray(advantages / (rewards.std() + 1e-6))

    def _policy_step(self, codes: np.ndarray, advantages: np.ndarray) -> float:
        import torch

        self.policy.network.train()
        surprise, there = self._surprise(codes)
        wanted = torch.from_numpy(advantages.astype(np.float32)).to(surprise.device)
        loss = (surprise * wanted * there).sum() / there.sum()
        return self._learn("policy", finite(loss, "the policy's loss"))

    def _likelihood_step(self, rng: np.random.Generator) -> float:
        surprise, there = self._surprise(self._real(rng))
        loss = (surprise * there).sum() / there.sum()
        return self._learn("policy", finite(loss, "the likelihood's loss"))

    def _discriminator_step(self, codes: np.ndarray, rng: np.random.Generator) -> float:
        """Binary cross-entropy of real texts and written ones."""
        from torch.nn import functional

        self.discriminator.train()
        real, written = (
            self.discriminator(self._tensor(self._real(rng))),
            self.discriminator(self._tensor(codes)),
        )
        loss = 0.5 * (functional.softplus(-real).mean() + functional.softplus(written).mean())
        return self._learn("discriminator", finite(loss, "the discriminator's loss"))

    def _real(self, rng: np.random.Generator) -> np.ndarray:
        rows = rng.choice(self.rows, min(self.turns.batch_size, len(self.rows)), replace=False)
        codes, can_be_written = self.policy.encode([self.library.smiles[row] for row in rows])
        return codes[can_be_written]

    def _surprise(self, codes: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log-likelihood of each token (n, length), and where there is one."""
        import torch
        from torch.nn import functional

        begun = self._tensor(np.concatenate([np.full((len(codes), 1), BEGIN), codes], axis=1))
        odds = self.policy.network(begun[:, :-1])
        after = begun[:, 1:]
        surprise = functional.cross_entropy(odds.flatten(0, 1), after.flatten(), reduction="none")
        return surprise.view(after.shape), (after != PAD).to(torch.float32)

    def _tensor(self, codes: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(codes.astype(np.int64)).to(device())

    def _learn(self, name: str, loss: Any) -> float:
        import torch

        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.networks[name].parameters(), 1.0)
        self.optimisers[name].step()
        return float(loss.detach())


def fit_sequence(
    params: RnnParams,
    turns: Rounds,
    library: Library,
    training: Training,
    *,
    share: float,
    seed: int,
    start: RecurrentGenerator | None,
) -> tuple[RecurrentGenerator, dict[str, Any]]:
    """The trained language model and its notes; of the time given, `share` is for what the discriminator teaches.

    A run that was killed goes on in the stage in which it was. FitError where a loss is not finite.
    """
    first, second = in_two(training, share, "likelihood", "adversaries")
    model, notes = Rnn(params).fit(library, first, seed=seed, start=start)
    yardstick = Yardstick(library, *library.sides(), seed)

    def judge(model: RecurrentGenerator, n: int = LOOKED_AT) -> dict[str, float]:
        return yardstick.measures(model.sample(n, rng=np.random.default_rng([seed, 31])))

    adversaries = Adversaries(model, turns, library, judge, seed)
    looks = take_turns(adversaries, turns.rounds, second, "learning from the discriminator", seed=seed)
    model = adversaries.model()
    with training.progress.step("writing many to see whether they differ"):
        collapse = {"n": WRITTEN, "written": judge(model, WRITTEN), "library": yardstick.of_library(WRITTEN)}
    told = {
        "adversarial_history": looks,
        "mode_collapse": collapse,
        "seconds": None if training.seconds is None else {"first": first.seconds, "second": second.seconds},
    }
    return model, {**notes, **told}
