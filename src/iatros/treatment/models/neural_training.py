"""How the towers learn; the only file of theirs that needs torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from iatros.learners.training import one_thread
from iatros.treatment.models.neural_batches import (
    Inputs,
    batch_of,
    by_subject,
    inputs_of,
    weights_of,
    with_negatives,
)
from iatros.treatment.models.neural_inputs import Scale, Scaling, past_of, tuning_rows
from iatros.treatment.models.neural_networks import Towers
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Responses

if TYPE_CHECKING:
    from iatros.treatment.models.neural import NeuralParams

_NEW_HIDDEN = 0.8
"""Share of names hidden on the side where predictions will be for new names."""


@dataclass(frozen=True)
class TrainedMember:
    """The weights of the best epoch by name, that epoch (from 1), its tuning loss, and the network itself.

    `known` says which subjects and which treatments it had responses of to learn from; `inputs` holds the histories
    that it answers with.
    """

    weights: dict[str, np.ndarray]
    known: tuple[np.ndarray, np.ndarray]
    epoch: int
    loss: float
    towers: Any
    inputs: Inputs


def train_member(
    responses: Responses,
    scale: Scale,
    scalings: tuple[Scaling, Scaling],
    params: NeuralParams,
    newness: Newness,
    seed: int,
) -> TrainedMember:
    """One pair of towers, stopped by the tuning rows that its seed draws; on one thread."""
    tuning = tuning_rows(responses, newness, seed)
    learning = responses.take(np.flatnonzero(~tuning)) if not tuning.all() else responses
    past, order = past_of(learning, scale)
    learning = learning.take(order)
    features = (responses.of_subjects, responses.of_treatments)
    X = [
        torch.from_numpy(one(found, n))
        for one, found, n in zip(scalings, features, responses.shape, strict=True)
    ]
    inputs = inputs_of(learning, scale, (X[0], X[1]), past if params.history else None)
    watched = responses.take(np.flatnonzero(tuning))
    known = _known_names(learning)
    with one_thread(seed):
        rng = np.random.default_rng([seed, 1])
        towers = Towers(responses.shape, (X[0].shape[1], X[1].shape[1]), params)
        _begin(towers, responses.outcome, scale, inputs.y)
        judge = _Judge(watched if len(watched) else learning, scale, inputs, known, params, seed)
        epoch, loss = _loop(towers, inputs, judge, responses, params, newness, rng)
    weights = {name: value.detach().numpy().copy() for name, value in towers.named_parameters()}
    if params.history:
        inputs = replace(inputs, past=past_of(responses, scale)[0])
    return TrainedMember(weights, known, epoch, loss, towers, inputs)


def answers(member: TrainedMember, responses: Responses, rows: np.ndarray) -> np.ndarray:
    """What the network itself says of the pairs at `rows`, (n,), for comparison with its stored form."""
    with torch.no_grad(), one_thread(0):
        batch = batch_of(
            member.inputs, responses.subject[rows], responses.treatment[rows], _shown(member.known)
        )
        return member.towers(batch)[0].numpy().astype(float)


def _loop(
    towers: Towers,
    inputs: Inputs,
    judge: _Judge,
    responses: Responses,
    params: NeuralParams,
    newness: Newness,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """Learn, and leave the weights of the best epoch in `towers`; that epoch and its tuning loss."""
    optimiser = _optimiser(towers, params)
    best, best_epoch, kept = math.inf, 0, [value.detach().clone() for value in towers.parameters()]
    hidden = [max(params.hidden_share, _NEW_HIDDEN) if newness == side else params.hidden_share
              for side in ("subjects", "treatments")]  # fmt: skip
    for epoch in range(1, params.max_epochs + 1):
        towers.train()
        for rows in by_subject(inputs, params.batch_size, rng):
            _step(towers, optimiser, inputs, rows, responses, params, hidden, rng)
        loss = judge(towers)
        if loss < best:
            best, best_epoch = loss, epoch
            kept = [value.detach().clone() for value in towers.parameters()]
        if epoch - best_epoch >= params.patience:
            break
    with torch.no_grad():
        for value, good in zip(towers.parameters(), kept, strict=True):
            value.copy_(good)
    towers.eval()
    return best_epoch, best


def _step(
    towers: Towers,
    optimiser: torch.optim.Optimizer,
    inputs: Inputs,
    rows: np.ndarray,
    responses: Responses,
    params: NeuralParams,
    hidden: list[float],
    rng: np.random.Generator,
) -> None:
    """One step on the responses at `rows` of subjects that are all there."""
    n_subjects, n_treatments = responses.shape
    subject, treatment = inputs.subject.numpy()[rows], inputs.treatment.numpy()[rows]
    y, weight = inputs.y[rows], inputs.weight[rows]
    if responses.outcome == "implicit":
        subject, treatment, y, weight = with_negatives(
            inputs, subject, treatment, weight.numpy(), n_treatments, params.negatives, rng
        )
    kept = [torch.from_numpy((rng.random(n) >= share).astype(np.float32))
            for n, share in zip((n_subjects, n_treatments), hidden, strict=True)]  # fmt: skip
    # of subjects without their embedding half are without their history too: they are answered from features
    remembered = kept[0] + torch.from_numpy((rng.random(n_subjects) < 0.5).astype(np.float32))
    batch = batch_of(inputs, subject, treatment, (kept[0], kept[1]), rows, remembered.clamp(max=1.0))
    margin, sizes = towers(batch)
    losses = _loss(responses.outcome, margin, y) * weight
    total = (losses.sum() + params.regularisation * sizes.sum()) / weight.sum().clamp(min=1e-9)
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(towers.parameters(), 5.0)
    optimiser.step()


def _loss(outcome: str, margin: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if outcome == "continuous":
        return (margin - y) ** 2
    return functional.binary_cross_entropy_with_logits(margin, y, reduction="none")


class _Judge:
    """The loss of the tuning rows, whose names show their embedding only where it was learned."""

    def __init__(
        self,
        watched: Responses,
        scale: Scale,
        inputs: Inputs,
        known: tuple[np.ndarray, np.ndarray],
        params: NeuralParams,
        seed: int,
    ) -> None:
        self.outcome = watched.outcome
        subject, treatment = watched.subject, watched.treatment
        self.y = torch.from_numpy(scale.learned(watched.y))
        self.weight = torch.from_numpy(weights_of(watched))
        if self.outcome == "implicit":
            rng = np.random.default_rng([seed, 2])
            subject, treatment, self.y, self.weight = with_negatives(
                inputs, subject, treatment, weights_of(watched), watched.shape[1], params.negatives, rng
            )
        self.batch = batch_of(inputs, subject, treatment, _shown(known))

    def __call__(self, towers: Towers) -> float:
        """Weighted mean loss."""
        towers.eval()
        with torch.no_grad():
            losses = _loss(self.outcome, towers(self.batch)[0], self.y).double() * self.weight
            return float(losses.sum() / self.weight.double().sum())


def _known_names(learning: Responses) -> tuple[np.ndarray, np.ndarray]:
    """Which subjects and which treatments there are responses of, float32 0 or 1."""
    pairs = zip((learning.subject, learning.treatment), learning.shape, strict=True)
    s, t = ((np.bincount(names, minlength=n) > 0).astype(np.float32) for names, n in pairs)
    return s, t


def _shown(known: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(known[0]), torch.from_numpy(known[1])


def _begin(towers: Towers, outcome: str, scale: Scale, y: torch.Tensor) -> None:
    """Mean and offsets of treatments start at what is known without learning."""
    with torch.no_grad():
        if outcome == "continuous":
            towers.treatment.offset.copy_(torch.from_numpy(scale.typical.astype(np.float32)))
        elif outcome == "binary":
            rate = float(y.mean().clamp(1e-3, 1 - 1e-3))
            typical = np.clip(scale.typical, 1e-3, 1 - 1e-3)
            odds, overall = np.log(typical / (1 - typical)), math.log(rate / (1 - rate))
            towers.mean.fill_(overall)
            towers.treatment.offset.copy_(torch.from_numpy((odds - overall).astype(np.float32)))


def _optimiser(towers: Towers, params: NeuralParams) -> torch.optim.Optimizer:
    """AdamW that decays the weights of layers and features; embeddings and offsets have their own penalty."""
    free = {"embedding", "offset", "mean", "level"}
    named = [(name.rpartition(".")[2], value) for name, value in towers.named_parameters()]
    groups = [
        {"params": [value for name, value in named if name not in free], "weight_decay": params.weight_decay},
        {"params": [value for name, value in named if name in free], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=params.learning_rate)
