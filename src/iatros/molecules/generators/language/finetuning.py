"""Learning few compounds after many: a language model is led to what a handful of actives have in common.

As in Segler et al. 2018 (ACS Cent. Sci. 4:120): the whole network learns on, at a small rate. Each compound is shown in
many random writings, and those held out tell when it begins to learn by heart: a fifth, or where there are few, each
third in turn, after which all are learned for as long as was best on average.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.core.intervals import Metric, normal_quantile
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.language.fitting import mean_nll, nll
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.networks.dropout import drawn_from
from iatros.molecules.generators.texts.lines import Lines, lines_of
from iatros.molecules.generators.texts.rewriting import ways_to_write
from iatros.molecules.generators.training.learning import SHARDS, batches_of, device, in_shards
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch

FEWEST = 5
"""Compounds below which there is nothing in common to be learned."""
_ENOUGH, _HELD_OUT, _PARTS = 40, 0.2, 3
"""Compounds from which on some are held out once, and which share; below, each of so many parts is in turn."""
_COMPARED = 1000
"""Texts that are written before and after, to see what has changed."""

Model = TypeVar("Model", bound=LanguageModel)


@dataclass(frozen=True)
class Course:
    """How few compounds are learned: in rounds of `steps` steps, of which there are `most`.

    It ends where what is held out has not become likelier for `patience` rounds.
    """

    learning_rate: float = 5e-4
    batch_size: int = 32
    writings: int = 8
    steps: int = 10
    most: int = 40
    patience: int = 4


def finetune(
    model: Model,
    actives: Sequence[str],
    training: Training,
    *,
    seed: int,
    course: Course | None = None,
    where: str = "finetune",
) -> tuple[Model, dict[str, Any]]:
    """The model after it has learned `actives` (canonical SMILES) as well, and notes: losses, and what has changed.

    Those with a token that it does not know, or longer than it writes, are left out; OutcomeError where fewer than 5
    are left. Where what is held out becomes no likelier at all, the model stays as it is. `before` and `after` tell of
    1,000 written texts how many are valid and how like the actives they are.
    """
    import torch

    course = course or Course()
    several = ways_to_write(
        actives, course.writings, notation=model.vocabulary.notation, seed=seed, engine=training.engine
    )
    lines = lines_of(several, model.vocabulary, model.max_length)
    usable = np.flatnonzero(lines.usable)
    if len(usable) < FEWEST:
        raise OutcomeError(
            f"{len(usable)} compounds can be learned from, and {FEWEST} are needed; {int(lines.unknown.sum())} hold a "
            f"token that the generator never saw, and {int(lines.too_long.sum())} are too long",
            where=where,
            hint="give more actives, or train on a library that holds such compounds",
        )
    with training.progress.step("learning the actives"), torch.random.fork_rng(devices=[]):
        after, history, n_held_out = _learned(model, lines, _hashed(actives, usable), course, seed)
    with training.progress.step("comparing before and after"):
        notes = {
            "history": history,
            "n_learned": len(usable) - n_held_out,
            "n_held_out": n_held_out,
            "n_unknown_tokens": int(lines.unknown.sum()),
            "n_too_long": int(lines.too_long.sum()),
            "before": likeness(model, actives, seed=seed),
            "after": likeness(after, actives, seed=seed),
        }
    return after, notes


def likeness(model: LanguageModel, actives: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Of 1,000 texts that `model` writes, how many are valid, and the mean similarity to the nearest active.

    Tanimoto's coefficient of circular fingerprints (radius 2, 2048 bits).
    """
    from iatros.learners.compounds.fingerprints import compute
    from iatros.learners.compounds.tanimoto import nearest

    written = model.sample(_COMPARED, rng=np.random.default_rng([seed, 3]))
    found = compute([text for text in written if text]).values
    if not len(found):
        return {
            "n_valid": 0,
            "similarity": Metric(np.nan, np.nan, np.nan, 0, None, "none is valid").document(),
        }
    _, alike = nearest(found, compute(list(actives)).values)
    half = normal_quantile(0.95) * float(np.std(alike)) / len(alike) ** 0.5
    mean = float(np.mean(alike))
    similarity = Metric(mean, mean - half, mean + half, len(alike), None, "normal, over written compounds")
    return {"n_valid": len(found), "similarity": similarity.document()}


def _hashed(actives: Sequence[str], usable: np.ndarray) -> np.ndarray:
    """The usable rows in an order that depends on each compound alone."""
    return usable[np.argsort([zlib.crc32(actives[row].encode()) for row in usable], kind="stable")]


def _learned(
    model: Model, lines: Lines, rows: np.ndarray, course: Course, seed: int
) -> tuple[Model, list[dict[str, float]], int]:
    """The model, the losses of its rounds, and how many compounds it never learned."""
    if len(rows) >= _ENOUGH:
        n_held = round(len(rows) * _HELD_OUT)
        rounds = _Rounds(model, lines, np.sort(rows[n_held:]), np.sort(rows[:n_held]), course, seed)
        history = rounds.until_no_better()
        return model.with_weights(rounds.best), history, n_held
    curves = [
        _Rounds(model, lines, np.setdiff1d(rows, held), np.sort(held), course, seed).until_no_better()
        for held in (rows[part::_PARTS] for part in range(_PARTS))
    ]
    common = min(map(len, curves))
    means = np.mean([[one["tuning_loss"] for one in curve[:common]] for curve in curves], axis=0)
    rounds = _Rounds(model, lines, np.sort(rows), rows[:0], course, seed)
    history = [rounds.told()]
    for place in range(int(np.argmin(means))):
        history.append({**rounds.learn(), "tuning_loss": float(means[place + 1])})
    history[0]["tuning_loss"] = float(means[0])
    return model.with_weights(weights_of(rounds.network)), history, 0


class _Rounds:
    """A copy of a model that learns some rows round by round, and is judged by those that are `held`."""

    def __init__(
        self,
        model: LanguageModel,
        lines: Lines,
        rows: np.ndarray,
        held: np.ndarray,
        course: Course,
        seed: int,
    ) -> None:
        import torch

        self.lines, self.held, self.course, self.seed = lines, held, course, seed
        self.network = model.network().to(device())
        self.best = weights_of(self.network)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=course.learning_rate, weight_decay=0.0
        )
        self.shown = (rows[:, None] * len(lines.codes) + np.arange(len(lines.codes))).ravel()
        self.batches = self._batches()
        self.n_learned = 0

    def told(self) -> dict[str, float]:
        """How likely is what is held out, where anything is, and how often each writing was learned."""
        told = {"epoch": self.n_learned / len(self.shown)}
        if len(self.held):
            self.network.eval()
            told["tuning_loss"] = mean_nll(self.network, self.lines.codes[0][self.held])
        return told

    def until_no_better(self) -> list[dict[str, float]]:
        """All rounds, the state before the first among them; `best` are the weights of the best of them."""
        history, best = [self.told()], 0
        while len(history) <= self.course.most and len(history) - 1 - best < self.course.patience:
            history.append(self.learn())
            if history[-1]["tuning_loss"] < history[best]["tuning_loss"]:
                best, self.best = len(history) - 1, weights_of(self.network)
        return history

    def learn(self) -> dict[str, float]:
        """One round; the mean loss of its steps, and what is then told."""
        import torch

        losses = []
        self.network.train()
        with in_shards(self.network, self._loss, SHARDS) as gradients:
            for batch in islice(self.batches, self.course.steps):
                self.optimiser.zero_grad(set_to_none=True)
                losses.append(gradients(batch, [self.seed, 13, self.n_learned]))
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                self.optimiser.step()
                self.n_learned += len(batch)
        return {"loss": float(np.mean(losses)), **self.told()}

    def _batches(self) -> Iterator[np.ndarray]:
        """Writings to show, without end."""
        lengths = self.lines.lengths[self.shown // len(self.lines.codes)]
        for epoch in count():
            for rows in batches_of(lengths, self.course.batch_size, seed=self.seed, epoch=epoch):
                yield self.shown[rows]

    def _loss(self, batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        ways = len(self.lines.codes)
        with drawn_from(rng, device()):
            return nll(self.network, self.lines.codes[batch % ways, batch // ways])
