"""The loop in which generators learn: over epochs or for some time, resumable after a kill with the same result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.errors import FitError
from iatros.learners.threads import fit_threads
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.training.weights import restore, state_of

if TYPE_CHECKING:
    import torch

Loss = Callable[[np.ndarray, np.random.Generator], Any]
"""The loss, a torch scalar, of the rows of a batch; what is random in it comes from the generator and from torch.

With more than one shard it may only come from the generator, because shards run side by side.
"""
Gradients = Callable[[np.ndarray, Sequence[int]], float]
"""Leaves the gradient of the rows of a batch in the network, and gives their loss; what is random comes from a seed."""

SHARDS = 2
"""Parts of a batch that are learned side by side."""
TOLD_EVERY = 1000
"""Steps after which the losses are told."""
_BETWEEN_CHECKPOINTS = 120.0
"""Seconds after which the state is kept again."""
_SHOWN = 3_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 3, 60
_LONGEST_STEP = 0.25
"""Norm beyond which a gradient is shortened: that of most batches soon is smaller, and a few much larger ones can end
learning for good."""
_BETAS = (0.9, 0.99)
"""Of AdamW: a shorter memory of squared gradients than usual lets it notice a steep place at once."""
_BUCKETS = 64
"""Batches among whose compounds the lengths are sorted, so that little filling is computed."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: the rate rises over `warmup` of the way and falls to nothing like half a cosine."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup: float = 0.02
    shards: int = 1
    """Parts of a batch that are learned side by side, each on one thread: the same result on any number of threads."""
    told_every: int | None = None
    """Steps after which the losses are told, and again at the end of each epoch; only there where not given."""

    def rate(self, share: float) -> float:
        """The share of `learning_rate` after `share` (0 to 1) of the way."""
        if share < self.warmup:
            return max(share / self.warmup, 0.02)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (share - self.warmup) / (1.0 - self.warmup))))


def epochs_for(n: int, given: int | None, training: Training) -> int:
    """`given`, or else so many that 3 million of `n` compounds are shown, from 3 to 60; 60 where time ends learning."""
    if given is not None:
        return given
    shown = _MOST_EPOCHS if training.seconds is not None else round(_SHOWN / n)
    return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, shown))


def batches_of(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Rows in batches of compounds about as long as each other, dealt out and ordered by `seed` and `epoch`."""
    rng = np.random.default_rng([seed, epoch, 7])
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for begin in range(0, len(order), batch_size * _BUCKETS):
        part = order[begin : begin + batch_size * _BUCKETS]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[at : at + batch_size] for at in range(0, len(part), batch_size)]
    return [batches[place] for place in rng.permutation(len(batches))]


def learn(
    network: torch.nn.Module,
    rows: np.ndarray,
    lengths: np.ndarray,
    loss: Loss,
    tuning_loss: Callable[[], float],
    schedule: Schedule,
    training: Training,
    *,
    seed: int,
) -> list[dict[str, float]]:
    """Train `network` in place with AdamW; `loss` and `tuning_loss` of each epoch begun, or each part of it.

    `lengths` (n,) belongs to `rows` (n,). The weights after the last step are kept: the rate has fallen to nothing by
    then. With `training.seconds` the rate falls over that time, and what does not fit into it is left out.
    """
    import torch

    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, betas=_BETAS, weight_decay=schedule.weight_decay
    )
    per_epoch = math.ceil(len(rows) / schedule.batch_size)
    total = per_epoch * schedule.epochs
    state = _State(network, optimiser, training, per_epoch, schedule.told_every or per_epoch)
    state.restore()
    with (
        torch.random.fork_rng(devices=[]),
        in_shards(network, loss, schedule.shards) as gradients,
        training.progress.step("learning", total) as shown,
    ):
        shown.advance(state.step)
        state.tell_where_due(tuning_loss)
        over = False
        while not over and state.step < total:
            epoch, first = divmod(state.step, per_epoch)
            for batch in batches_of(lengths, schedule.batch_size, seed=seed, epoch=epoch)[first:]:
                share = max(state.step / total, state.share_of_time())
                if share >= 1.0:
                    over = True
                    break
                for group in optimiser.param_groups:
                    group["lr"] = schedule.learning_rate * schedule.rate(share)
                torch.manual_seed((seed * 1_000_003 + state.step) % 2**63)
                network.train()
                optimiser.zero_grad(set_to_none=True)
                value = gradients(rows[batch], [seed, epoch, state.step, 11])
                torch.nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
                optimiser.step()
                state.made(value)
                shown.advance(1)
                state.keep_now_and_then()
                state.tell_where_due(tuning_loss)
        state.tell(tuning_loss)
    network.eval()
    return state.history


def device() -> str:
    """Where networks learn: cuda where there is a GPU, or cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def finite(value: torch.Tensor, what: str) -> torch.Tensor:
    """`value`, a scalar; FitError where it is not finite."""
    if not bool(value.isfinite()):
        raise FitError(
            f"{what} is {float(value.detach())}: the training has run off",
            hint="set a smaller learning rate",
        )
    return value


@contextmanager
def in_shards(network: torch.nn.Module, loss: Loss, shards: int) -> Iterator[Gradients]:
    """How a batch is learned: as a whole, or on a processor as `shards` parts side by side, each on one thread."""
    import torch

    parameters = list(network.parameters())
    if shards == 1 or parameters[0].is_cuda:

        def whole(rows: np.ndarray, seed: Sequence[int]) -> float:
            value = loss(rows, np.random.default_rng(seed))
            value.backward()
            return float(value.detach())

        yield whole
        return

    def one(part: tuple[np.ndarray, list[int]]) -> tuple[float, Sequence[torch.Tensor]]:
        value = loss(part[0], np.random.default_rng(part[1]))
        return float(value.detach()), torch.autograd.grad(value, parameters)

    def shared(rows: np.ndarray, seed: Sequence[int]) -> float:
        # Rows are sorted by length: every shard gets long and short ones.
        parts = [rows[place::shards] for place in range(min(shards, len(rows)))]
        found = list(run(one, [(part, [*seed, place]) for place, part in enumerate(parts)]))
        for gradients in zip(parameters, *(grads for _, grads in found), strict=True):
            gradients[0].grad = torch.stack(gradients[1:]).mean(dim=0)
        return sum(value for value, _ in found) / len(found)

    threads, before = min(shards, fit_threads()), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1:
            run: Callable[..., Any] = map
            yield shared
        else:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                run = pool.map
                yield shared
    finally:
        torch.set_num_threads(before)


class _State:
    """What lets a training go on: weights, the optimiser's moments, where it stood and how long it took."""

    def __init__(
        self, network: Any, optimiser: Any, training: Training, per_epoch: int, told_every: int
    ) -> None:
        self.network, self.optimiser, self.training = network, optimiser, training
        self.per_epoch, self.told_every = per_epoch, told_every
        self.step, self.history = 0, list[dict[str, float]]()
        self.sum, self.n_summed = 0.0, 0
        self.spent, self.begun = 0.0, time.monotonic()
        self.kept = self.begun

    def share_of_time(self) -> float:
        if self.training.seconds is None:
            return 0.0
        return (self.spent + time.monotonic() - self.begun) / self.training.seconds

    def made(self, loss: float) -> None:
        """A step was made."""
        self.step += 1
        self.sum, self.n_summed = self.sum + loss, self.n_summed + 1

    def tell_where_due(self, tuning_loss: Callable[[], float]) -> None:
        """Also after a kill that came between the step and this."""
        if (self.step % self.per_epoch) % self.told_every == 0:
            self.tell(tuning_loss)

    def tell(self, tuning_loss: Callable[[], float]) -> None:
        """The mean loss of the steps since it was told last."""
        import torch

        if not self.n_summed:
            return
        self.network.eval()
        with torch.no_grad():
            tuned = tuning_loss()
        told = {"epoch": self.step / self.per_epoch, "loss": self.sum / self.n_summed, "tuning_loss": tuned}
        self.history.append(told)
        self.sum, self.n_summed = 0.0, 0
        self.keep()

    def keep_now_and_then(self) -> None:
        if time.monotonic() - self.kept > _BETWEEN_CHECKPOINTS:
            self.keep()

    def keep(self) -> None:
        self.kept = time.monotonic()
        arrays = state_of({"all": self.network}, {"all": self.optimiser})
        rows = [[one["epoch"], one["loss"], one["tuning_loss"]] for one in self.history]
        arrays["history"] = np.array(rows, dtype=np.float64).reshape(-1, 3)
        spent = self.spent + self.kept - self.begun
        arrays["at"] = np.array([self.step, self.sum, self.n_summed, spent], dtype=np.float64)
        self.training.checkpoint.put("learning", arrays)

    def restore(self) -> None:
        kept = self.training.checkpoint.get("learning")
        if kept is None:
            return
        restore(kept, {"all": self.network}, {"all": self.optimiser})
        step, self.sum, n_summed, self.spent = kept["at"].tolist()
        self.step, self.n_summed = int(step), int(n_summed)
        self.history = [
            dict(zip(("epoch", "loss", "tuning_loss"), row, strict=True)) for row in kept["history"].tolist()
        ]
