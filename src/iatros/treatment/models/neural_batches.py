"""Pairs of subjects and treatments as the towers take them: batches, histories without the pair itself, negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from iatros.treatment.models.neural_inputs import SHRUNK, Past, Scale
from iatros.treatment.responses.schema import Responses


@dataclass(frozen=True)
class Inputs:
    """What every batch is cut from; `y` is what is learned, `past` that of the rows that learn."""

    X: tuple[torch.Tensor, torch.Tensor]
    y: torch.Tensor
    subject: torch.Tensor
    treatment: torch.Tensor
    weight: torch.Tensor
    past: Past | None
    pairs: np.ndarray
    """Subject times the number of treatments, plus treatment, of every response, sorted."""


@dataclass(frozen=True)
class PastOf:
    """The histories of the pairs of a batch, without the pair itself where `leave` (n,) is its residual and not 0."""

    past: Past
    subject: np.ndarray
    treatment: torch.Tensor
    leave: torch.Tensor
    left_out: torch.Tensor
    kept: torch.Tensor

    def __call__(self, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pooled history (n, d) and level (n,) of each pair's subject."""
        there, place = np.unique(self.subject, return_inverse=True)
        count = self.past.count[there]
        rows = np.concatenate([np.arange(self.past.start[k], self.past.start[k + 1]) for k in there])
        offsets = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
        at = torch.from_numpy(place.reshape(-1))
        residual = torch.from_numpy(self.past.residual[rows])
        if len(rows):
            total = functional.embedding_bag(
                torch.from_numpy(self.past.treatment[rows]), table, torch.from_numpy(offsets),
                mode="sum", per_sample_weights=residual,
            )[at]  # fmt: skip
        else:
            total = torch.zeros(len(at), table.shape[1])
        total = total - self.leave[:, None] * table[self.treatment]
        n = torch.from_numpy(count.astype(np.float32))[at] - self.left_out
        sums = torch.from_numpy(self.past.total()[there].astype(np.float32))[at] - self.leave
        pooled = total / n.clamp(min=1.0).sqrt()[:, None] * self.kept[:, None]
        return pooled, sums / (n + SHRUNK) * self.kept


@dataclass(frozen=True)
class Batch:
    """Pairs (n,), scaled features of all names, which names show their embedding, and the pairs' histories."""

    subject: torch.Tensor
    treatment: torch.Tensor
    X: tuple[torch.Tensor, torch.Tensor]
    kept: tuple[torch.Tensor, torch.Tensor]
    past: PastOf | None


def inputs_of(
    responses: Responses, scale: Scale, X: tuple[torch.Tensor, torch.Tensor], past: Past | None
) -> Inputs:
    """The responses as tensors, in their order, which must be that of `past`."""
    shown = responses.subject * responses.shape[1] + responses.treatment
    return Inputs(
        X,
        torch.from_numpy(scale.learned(responses.y)),
        torch.from_numpy(responses.subject),
        torch.from_numpy(responses.treatment),
        torch.from_numpy(weights_of(responses)),
        past,
        np.unique(shown),
    )


def weights_of(responses: Responses) -> np.ndarray:
    """Float32 (n,): exposures weigh as they say, with mean 1; other responses weigh 1."""
    if responses.outcome != "implicit":
        return np.ones(len(responses), dtype=np.float32)
    return (responses.y / max(float(responses.y.mean()), 1e-12)).astype(np.float32)


def by_subject(inputs: Inputs, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows in batches of whole subjects, in random order, of about `batch_size` rows each."""
    names, start, count = np.unique(inputs.subject.numpy(), return_index=True, return_counts=True)
    order = rng.permutation(len(names))
    batch = np.cumsum(count[order]) // batch_size
    return [
        np.concatenate([np.arange(start[k], start[k] + count[k]) for k in order[batch == b]])
        for b in np.unique(batch)
    ]


def batch_of(
    inputs: Inputs,
    subject: np.ndarray,
    treatment: np.ndarray,
    kept: tuple[torch.Tensor, torch.Tensor],
    rows: np.ndarray | None = None,
    remembered: torch.Tensor | None = None,
) -> Batch:
    """Pairs as the towers take them; the first are the responses at `rows`, each left out of its own history."""
    s, t = torch.from_numpy(subject), torch.from_numpy(treatment)
    past = None
    if inputs.past is not None:
        leave, left_out = torch.zeros(len(s)), torch.zeros(len(s))
        if rows is not None:
            leave[: len(rows)], left_out[: len(rows)] = torch.from_numpy(inputs.past.residual[rows]), 1.0
        shown = torch.ones(len(s)) if remembered is None else remembered[s]
        past = PastOf(inputs.past, subject, t, leave, left_out, shown)
    return Batch(s, t, inputs.X, kept, past)


def with_negatives(
    inputs: Inputs,
    subject: np.ndarray,
    treatment: np.ndarray,
    weight: np.ndarray,
    n_treatments: int,
    n: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, torch.Tensor, torch.Tensor]:
    """The exposures, and after them `n` treatments for each that its subject was not seen to take, labelled 0."""
    others = np.repeat(subject, n)
    drawn = rng.integers(n_treatments, size=len(others))
    pair = others * n_treatments + drawn
    free = ~(_among(pair, inputs.pairs) | _among(pair, np.sort(subject * n_treatments + treatment)))
    others, drawn = others[free], drawn[free]
    y = np.concatenate([np.ones(len(subject)), np.zeros(len(others))]).astype(np.float32)
    weights = np.concatenate([weight, np.ones(len(others), dtype=np.float32)])
    return (
        np.concatenate([subject, others]), np.concatenate([treatment, drawn]),
        torch.from_numpy(y), torch.from_numpy(weights),
    )  # fmt: skip


def _among(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which of `values` (n,) are in the sorted `known`, bool (n,)."""
    if not len(known):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found: np.ndarray = known[places] == values
    return found
