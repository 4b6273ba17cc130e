"""The training loop of networks: several members at once, each stopped when its own tuning rows say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

RowLoss = Callable[[Any, Any], Any]
"""Loss of each row, (members, rows), from a network's output (members, rows, k) and the labels (rows,)."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns."""

    max_epochs: int = 200
    patience: int = 16
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class Trained:
    """Of each member: the epoch (from 1) whose weights were kept, and its mean loss on the tuning rows."""

    epochs: list[int]
    losses: list[float]


def train_members(
    network: torch.nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    row_loss: RowLoss,
    tuning: np.ndarray,
    schedule: Schedule,
    seed: int,
) -> Trained:
    """Train `network` in place, with AdamW, and leave in it each member's best weights.

    Every parameter of `network` has the members as its first axis, and members do not share anything, so
    training them together gives what training them apart would, in less time. `inputs` (n, ...) and `labels`
    (n,) are common; `tuning` (members, n) is true where a row is kept from a member for its early stopping.
    Runs on one thread, and so gives the same weights whatever the number of cores.
    """
    import torch

    learns = torch.from_numpy(~tuning).to(inputs.dtype if inputs.is_floating_point() else torch.float32)
    shares = 1.0 / learns.sum(dim=1, keepdim=True)
    watch = _Watch(network, torch.from_numpy(tuning))
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    n = len(inputs)
    # equal batches: a last one of a few rows would be all noise
    n_batches = max(1, math.ceil(n / schedule.batch_size))
    with one_thread(seed):
        order = torch.Generator().manual_seed(seed)
        for epoch in range(1, schedule.max_epochs + 1):
            network.train()
            for rows in torch.randperm(n, generator=order).tensor_split(n_batches):
                losses = row_loss(network(inputs[rows]), labels[rows])
                # scaled so that the expected gradient is that of each member's mean loss
                total = (losses * learns[:, rows] * shares).sum() * n_batches
                optimiser.zero_grad(set_to_none=True)
                total.backward()
                optimiser.step()
            if watch.judge(inputs, labels, row_loss, epoch) >= schedule.patience:
                break
        watch.restore()
    network.eval()
    return Trained(watch.epochs.tolist(), watch.losses.tolist())


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere it would be slower than float32."""
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """torch on one thread with its own random state, both as before at the end."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


class _Watch:
    """Keeps each member's weights of the epoch with the smallest loss on its tuning rows."""

    def __init__(self, network: torch.nn.Module, tuning: torch.Tensor) -> None:
        import torch

        self.network = network
        self.rows = torch.nonzero(tuning.any(dim=0))[:, 0]
        self.weights = tuning[:, self.rows].to(torch.float64)
        members = len(tuning)
        self.losses = torch.full((members,), math.inf, dtype=torch.float64)
        self.epochs = torch.zeros(members, dtype=torch.int64)
        self.best = [value.detach().clone() for value in network.parameters()]

    def judge(self, inputs: torch.Tensor, labels: torch.Tensor, row_loss: RowLoss, epoch: int) -> int:
        """Epochs since the last member got better, after looking at `epoch`."""
        import torch

        self.network.eval()
        with torch.no_grad():
            parts = [
                row_loss(self.network(inputs[rows]), labels[rows]).to(torch.float64)
                for rows in torch.split(self.rows, 8192)
            ]
            losses = (torch.cat(parts, dim=1) * self.weights).sum(dim=1) / self.weights.sum(dim=1)
            better = losses < self.losses
            self.losses[better] = losses[better]
            self.epochs[better] = epoch
            for kept, value in zip(self.best, self.network.parameters(), strict=True):
                kept[better] = value[better]
        return epoch - int(self.epochs.max())

    def restore(self) -> None:
        """Put the kept weights into the network."""
        import torch

        with torch.no_grad():
            for kept, value in zip(self.best, self.network.parameters(), strict=True):
                value.copy_(kept)


def cross_entropy(output: Any, labels: Any) -> Any:
    """Negative log-likelihood of class indices, for margins (members, rows, k); k = 1 is the log-odds."""
    from torch.nn import functional

    if output.shape[2] == 1:
        margin = output[:, :, 0]
        return functional.binary_cross_entropy_with_logits(
            margin, labels.to(margin.dtype).expand_as(margin), reduction="none"
        )
    members, rows, k = output.shape
    flat = functional.cross_entropy(
        output.reshape(members * rows, k), labels.repeat(members), reduction="none"
    )
    return flat.reshape(members, rows)


def squared_error(output: Any, labels: Any) -> Any:
    """Squared error of (members, rows, 1) against the labels (rows,)."""
    return (output[:, :, 0] - labels) ** 2
