"""Learning few compounds after many: a language model is led to what a handful of actives have in common.

As in Segler et al. 2018 (ACS Cent. Sci. 4:120): the whole network learns on, at a small rate. Each compound is shown in
many random writings, and where there are enough, some are held out to tell when it begins to learn by heart.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
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
from iatros.molecules.generators.training.learning import Gradients, batches_of, device, in_shards
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch

FEWEST = 5
"""Compounds below which there is nothing in common to be learned."""
_ENOUGH, _HELD_OUT = 20, 0.2
"""Compounds from which on some are held out, and which share."""
_SHARDS = 2
_COMPARED = 1000
"""Texts that are written before and after, to see what has changed."""

Model = TypeVar("Model", bound=LanguageModel)


@dataclass(frozen=True)
class Course:
    """How few compounds are learned.

    Where some are held out, until they have not become likelier for `patience` epochs of at most `most`; otherwise for
    `fixed` epochs. In an epoch each compound is shown once for each of its writings.
    """

    learning_rate: float = 1e-4
    batch_size: int = 32
    writings: int = 8
    fixed: int = 5
    most: int = 30
    patience: int = 3


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
    are left. `before` and `after` tell of 1,000 written texts how many are valid and how like the actives they are.
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
    learned, held = _sides(actives, usable)
    network = model.network().to(device())
    with training.progress.step("learning the actives"), torch.random.fork_rng(devices=[]):
        history = _learn(network, lines, learned, held, course, seed)
    after = model.learned(network)
    with training.progress.step("comparing before and after"):
        notes = {
            "history": history,
            "n_learned": len(learned),
            "n_held_out": len(held),
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


def _sides(actives: Sequence[str], usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and those held out: of every compound a hash decides."""
    if len(usable) < _ENOUGH:
        return usable, usable[:0]
    order = usable[np.argsort([zlib.crc32(actives[row].encode()) for row in usable], kind="stable")]
    n_held = round(len(usable) * _HELD_OUT)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def _learn(
    network: torch.nn.Module, lines: Lines, learned: np.ndarray, held: np.ndarray, course: Course, seed: int
) -> list[dict[str, float]]:
    """Leaves in `network` the weights under which what is held out is likeliest; the losses of each epoch."""
    import torch

    def loss(batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        with drawn_from(rng, device()):
            return nll(network, lines.codes[batch % len(lines.codes), batch // len(lines.codes)])

    shown = (learned[:, None] * len(lines.codes) + np.arange(len(lines.codes))).ravel()
    lengths = lines.lengths[shown // len(lines.codes)]
    optimiser = torch.optim.AdamW(network.parameters(), lr=course.learning_rate, weight_decay=0.0)
    history: list[dict[str, float]] = []
    kept = weights_of(network)
    with in_shards(network, loss, _SHARDS) as gradients:
        best = mean_nll(network, lines.codes[0][held]) if len(held) else np.inf
        for epoch in range(1, (course.most if len(held) else course.fixed) + 1):
            network.train()
            batches = [shown[rows] for rows in batches_of(lengths, course.batch_size, seed=seed, epoch=epoch)]
            one = {"epoch": float(epoch), "loss": _epoch(batches, gradients, optimiser, [seed, epoch, 13])}
            network.eval()
            if len(held):
                one["tuning_loss"] = mean_nll(network, lines.codes[0][held])
                if one["tuning_loss"] < best:
                    best, kept = one["tuning_loss"], weights_of(network)
            history.append(one)
            if (
                len(held)
                and epoch - 1 - int(np.argmin([past["tuning_loss"] for past in history])) >= course.patience
            ):
                break
    if len(held):
        network.load_state_dict({name: torch.from_numpy(value) for name, value in kept.items()})
    return history


def _epoch(
    batches: list[np.ndarray], gradients: Gradients, optimiser: torch.optim.Optimizer, seed: list[int]
) -> float:
    """The mean loss of the steps."""
    import torch

    losses = []
    for place, batch in enumerate(batches):
        optimiser.zero_grad(set_to_none=True)
        losses.append(gradients(batch, [*seed, place]))
        for group in optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        optimiser.step()
    return float(np.mean(losses))
