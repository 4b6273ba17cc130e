"""How the networks over visits learn; the only file of theirs that needs torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from iatros.learners.training import one_thread
from iatros.treatment.sequences.estimator import Learning
from iatros.treatment.sequences.schema import taken
from iatros.treatment.sequences.vocabulary import Encoded

if TYPE_CHECKING:
    from iatros.treatment.sequences.models.networks import NetworkParams

_START = 0.1
"""Standard deviation of vectors of codes before the first step."""


@dataclass(frozen=True)
class TrainedMember:
    """The weights of the best epoch by name, that epoch (from 1), its tuning loss, and the network itself."""

    weights: dict[str, np.ndarray]
    epoch: int
    loss: float
    network: Network


@dataclass(frozen=True)
class Bags:
    """Codes of visits: bag k begins at `start[k]`; `size` (visits, 1) is the root of their number, at least 1."""

    start: torch.Tensor
    bag: torch.Tensor
    size: torch.Tensor

    @classmethod
    def of(cls, pair: tuple[np.ndarray, np.ndarray]) -> Bags:
        """From where the bags begin (visits + 1,) and what is in them."""
        size = np.sqrt(np.maximum(np.diff(pair[0]), 1))[:, None].astype(np.float32)
        return cls(torch.from_numpy(pair[0][:-1]), torch.from_numpy(pair[1]), torch.from_numpy(size))

    def sums(self, table: torch.Tensor) -> torch.Tensor:
        """The sum of each bag's rows of `table`."""
        if not len(self.bag):
            return torch.zeros(len(self.start), table.shape[1])
        return functional.embedding_bag(self.bag, table, self.start, mode="sum")


@dataclass(frozen=True)
class Batch:
    """The visits of some subjects as tensors; `subject` and `place` (visits,) say where each stands."""

    all: Bags
    now: Bags
    before: Bags
    gap: torch.Tensor
    first: torch.Tensor
    static: torch.Tensor
    subject: torch.Tensor
    place: torch.Tensor
    n: int
    longest: int

    @classmethod
    def of(cls, encoded: Encoded) -> Batch:
        """All visits of `encoded`."""
        owner = encoded.owner
        place = np.arange(encoded.n_visits) - encoded.start[owner]
        return cls(
            Bags.of((encoded.bag_start, encoded.bag)), Bags.of(encoded.now()), Bags.of(encoded.before()),
            torch.from_numpy(encoded.gap)[:, None],
            torch.from_numpy((place == 0).astype(np.float32))[:, None],
            torch.from_numpy(encoded.static[owner]),
            torch.from_numpy(owner), torch.from_numpy(place),
            len(encoded.start) - 1, int(np.diff(encoded.start).max(initial=0)),
        )  # fmt: skip


class Network(nn.Module):
    """See `iatros.treatment.sequences.models.networks`; parameters are named as the arrays of `forward`."""

    def __init__(self, encoder: str, encoded: Encoded, params: NetworkParams) -> None:
        super().__init__()
        e, units, m = params.embedding, params.units, encoded.n_medications
        self.past = nn.Parameter(_START * torch.randn(encoded.n_places, e))
        self.now = nn.Parameter(_START * torch.randn(encoded.n_other, e))
        self.before = nn.Parameter(_START * torch.randn(m + 1, e))
        if encoder == "gru":
            self.cells = nn.GRU(e + 1, units, batch_first=True)
        else:
            width = int(getattr(params, "width", 3))
            self.first = nn.Conv1d(e + 1, units, width)
            self.second = nn.Conv1d(units, units, width)
        states = units if encoder == "gru" else 2 * units
        self.hidden = nn.Linear(states + 2 * e + encoded.static.shape[1] + 2, params.hidden)
        self.out = nn.Linear(params.hidden, m)
        self.wide_now = nn.Parameter(torch.zeros(encoded.n_other, m))
        self.wide_before = nn.Parameter(torch.zeros(m + 1, m))
        self.encoder, self.dropout = encoder, params.dropout

    def forward(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        """The log-odds of each medication in the visits at `rows`, (n, m)."""
        now = batch.now.sums(self.now) / batch.now.size
        before = batch.before.sums(self.before) / batch.before.size
        x = torch.cat([self._states(batch), now, before, batch.static, batch.gap, batch.first], dim=1)[rows]
        hidden = torch.relu(self.hidden(functional.dropout(x, self.dropout, self.training)))
        wide = batch.now.sums(self.wide_now) + batch.before.sums(self.wide_before)
        return self.out(functional.dropout(hidden, self.dropout, self.training)) + wide[rows]

    def _states(self, batch: Batch) -> torch.Tensor:
        """What the earlier visits have left, (visits, states)."""
        visits = torch.cat([batch.all.sums(self.past) / batch.all.size, batch.gap], dim=1)
        padded = torch.zeros(batch.n, batch.longest, visits.shape[1])
        padded[batch.subject, batch.place] = visits
        if self.encoder == "gru":
            states = self.cells(padded)[0]
        else:
            x = padded.transpose(1, 2)
            for layer in (self.first, self.second):
                x = torch.relu(layer(functional.pad(x, (layer.kernel_size[0] - 1, 0))))
            states = torch.cat([x, x.cummax(dim=2).values], dim=1).transpose(1, 2)
        return functional.pad(states, (0, 0, 1, 0))[batch.subject, batch.place]


def train_member(encoder: str, learning: Learning, params: NetworkParams, seed: int) -> TrainedMember:
    """One network, stopped when its loss on the tuning side gets no better; on one thread."""
    encoded = learning.encoded
    pairs = None
    if learning.interactions is not None and params.interaction_weight:
        pairs = torch.from_numpy(learning.interactions.astype(np.float32))
    loss = _Loss(pairs, params.interaction_weight)
    owner = encoded.owner
    subjects = np.unique(owner[learning.train])
    learns = np.zeros(encoded.n_visits, dtype=bool)
    learns[learning.train] = True
    with one_thread(seed):
        rng = np.random.default_rng([seed, 1])
        network = Network(encoder, encoded, params)
        _begin(network, encoded, learning.train)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )
        watch = _part(encoded, np.unique(owner[learning.tuning]), _mask(encoded, learning.tuning))
        best, best_epoch, kept = math.inf, 0, [value.detach().clone() for value in network.parameters()]
        for epoch in range(1, params.max_epochs + 1):
            network.train()
            shuffled = rng.permutation(subjects)
            for at in range(0, len(shuffled), params.batch_subjects):
                _step(
                    network,
                    optimiser,
                    loss,
                    *_part(encoded, shuffled[at : at + params.batch_subjects], learns),
                )
            network.eval()
            with torch.no_grad():
                reached = float(loss(network(*watch[:2]), watch[2]))
            if reached < best:
                best, best_epoch = reached, epoch
                kept = [value.detach().clone() for value in network.parameters()]
            if epoch - best_epoch >= params.patience:
                break
        with torch.no_grad():
            for value, good in zip(network.parameters(), kept, strict=True):
                value.copy_(good)
        network.eval()
    weights = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
    return TrainedMember(weights, best_epoch, best, network)


def answers(member: TrainedMember, encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """The log-odds that the network itself gives in the visits at `rows`, (n, m)."""
    with torch.no_grad(), one_thread(0):
        found: np.ndarray = member.network(Batch.of(encoded), torch.from_numpy(rows)).numpy()
    return found


class _Loss:
    """Cross-entropy summed over the medications, and the expected number of interacting pairs; means over visits."""

    def __init__(self, pairs: torch.Tensor | None, weight: float) -> None:
        self.pairs, self.weight = pairs, weight

    def __call__(self, margin: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        total = functional.binary_cross_entropy_with_logits(margin, truth, reduction="none").sum(dim=1).mean()
        if self.pairs is None:
            return total
        p = margin.sigmoid()
        return total + self.weight * ((p @ self.pairs) * p).sum(dim=1).mean() / 2


def _step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    loss: _Loss,
    batch: Batch,
    rows: torch.Tensor,
    truth: torch.Tensor,
) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss(network(batch, rows), truth).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()


def _part(
    encoded: Encoded, subjects: np.ndarray, wanted: np.ndarray
) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """The visits of some subjects, the places of the wanted ones among them, and what was given in those."""
    part = encoded.take(subjects)
    rows = np.flatnonzero(wanted[taken(encoded.start, subjects)[1]])
    return Batch.of(part), torch.from_numpy(rows), torch.from_numpy(part.targets(rows).astype(np.float32))


def _mask(encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    found = np.zeros(encoded.n_visits, dtype=bool)
    found[rows] = True
    return found


def _begin(network: Network, encoded: Encoded, rows: np.ndarray) -> None:
    """Offsets start at how often each medication is given, and the wide part at how much oftener it is given again.

    The second is one number for all medications, so that few visits suffice to know it.
    """
    truth = encoded.targets(rows)
    share = (truth.sum(axis=0) + 0.5) / (len(truth) + 1.0)
    odds = np.log(share / (1 - share))
    start, before = encoded.before()
    given = np.zeros((encoded.n_visits, encoded.n_medications + 1), dtype=bool)
    given[np.repeat(np.arange(encoded.n_visits), np.diff(start)), before] = True
    again = given[rows, 1:]
    with torch.no_grad():
        network.out.weight.mul_(0.1)
        network.out.bias.copy_(torch.from_numpy(odds.astype(np.float32)))
        if again.any():
            stay = (float((truth & again).sum()) + 0.5) / (float(again.sum()) + 1.0)
            typical = float((again * odds).sum() / again.sum())
            network.wide_before[1:].fill_diagonal_(max(math.log(stay / (1 - stay)) - typical, 0.0))
