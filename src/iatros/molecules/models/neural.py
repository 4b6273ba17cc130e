"""How the networks learn: all endpoints at once, what was not measured left out, bounds from one side only.

No fit stops early (decision 20): the epochs are given, and the step size rises and falls over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.learners.tabular.scorers import sigmoid
from iatros.learners.training import multiplies_bfloat16, one_thread
from iatros.molecules.assay import Assay
from iatros.molecules.models.featured import check_learnable, outcome_scale

if TYPE_CHECKING:
    import torch

Inputs = Callable[[np.ndarray, int], Any]
"""What the network takes for the compounds at some rows in an epoch (from 0)."""

TOLERANCE = 1e-4
"""What a stored network may differ by from the trained one, relative above 1: a hundred times what is usual, because
float32 sums over a large compound depend on their order.
"""
_LONGEST_STEP = 1.0
"""Norm beyond which a gradient is shortened."""
_SHOWN = 500_000
"""Compounds, each counted as often as it is shown, after which large assays stop."""
_FEWEST = 10


@dataclass(frozen=True)
class Course:
    """How long and how fast a network learns.

    The rate of step i (Noam-like; Yang et al. 2019): from a tenth of `learning_rate` straight up to it over `warmup`
    epochs, then down by the same factor at each step to a tenth again.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup: int = 2

    def rate(self, step: int, per_epoch: int) -> float:
        """The share of `learning_rate` at `step` (from 0), where an epoch has `per_epoch` steps."""
        rising = min(self.warmup, self.epochs) * per_epoch
        falling = self.epochs * per_epoch - rising
        if step < rising:
            return 0.1 + 0.9 * step / rising
        return float(0.1 ** ((step - rising) / falling)) if falling else 1.0


def epochs_for(n: int, given: int | None, usual: int) -> int:
    """`given`, or else the `usual` number; fewer, but at least 10, for more compounds than 500,000 / `usual`."""
    return given or min(usual, max(_FEWEST, _SHOWN // max(n, 1)))


@dataclass(frozen=True)
class Outcome:
    """What was measured, as a network learns it: float32 (n, k) tensors, and the scale (k,) that undoes it.

    `labels` are classes or standardised values, 0 where `known` is 0; `side` is 1 where the value lies above the label,
    -1 where below, else 0.
    """

    labels: torch.Tensor
    known: torch.Tensor
    side: torch.Tensor
    binary: bool
    centre: np.ndarray
    spread: np.ndarray

    def loss(self, output: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Mean over what is known of the cross entropy, or squared error, of `output`.

        `output` is (rows, k), or (rows, answers, k) where a network gives several, each of which is to be right.
        """
        from torch.nn import functional

        labels, known, side = self.labels[rows], self.known[rows], self.side[rows]
        if output.ndim == 3:
            labels, known, side = (part[:, None].expand_as(output) for part in (labels, known, side))
        if self.binary:
            each = functional.binary_cross_entropy_with_logits(output, labels, reduction="none")
        else:
            error = labels - output
            # an answer that lies where the bound says the value is costs nothing
            within = (side * error) < 0
            each = error.masked_fill(within, 0.0) ** 2
        return (each * known).sum() / known.sum().clamp(min=1.0)

    @property
    def start(self) -> np.ndarray:
        """(k,): the output that fits best without looking at a compound."""
        labels, known = self.labels.numpy().astype(np.float64), self.known.numpy()
        mean = (labels * known).sum(axis=0) / known.sum(axis=0)
        return np.log(mean / (1.0 - mean)) if self.binary else np.zeros_like(mean)


def outcome_of(assay: Assay) -> Outcome:
    """The outcome to learn; FitError where an endpoint has no value, or one class only."""
    import torch

    check_learnable(assay)
    centre, spread = outcome_scale(assay)
    known = assay.measured
    labels = np.where(known, (np.where(known, assay.y, 0.0) - centre) / spread, 0.0)
    parts = (labels, known, assay.bound)
    tensors = [torch.from_numpy(part.astype(np.float32)) for part in parts]
    return Outcome(tensors[0], tensors[1], tensors[2], assay.task == "binary", centre, spread)


def answers(output: np.ndarray, *, binary: bool, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Probabilities, or values in their unit, float64 (n, k), from a network's output."""
    wide = np.asarray(output, dtype=np.float64)
    return sigmoid(wide) if binary else wide * spread + centre


def learn(
    build: Callable[[], torch.nn.Module],
    inputs: Inputs,
    outcome: Outcome,
    course: Course,
    *,
    seed: int,
    bfloat16: bool = False,
) -> torch.nn.Module:
    """The network that `build` makes, trained with AdamW on one thread, whatever the number of cores.

    Batches are of equal size: a last one of a few compounds would be all noise. With `bfloat16` matrices are multiplied
    in it where the processor does so itself, which doubles the speed; weights and loss stay in float32.
    """
    import torch

    with one_thread(seed):
        network = build()
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=course.learning_rate, weight_decay=course.weight_decay
        )
        order = torch.Generator().manual_seed(seed)
        n = len(outcome.labels)
        n_batches = max(1, math.ceil(n / course.batch_size))
        network.train()
        mixed = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16 and multiplies_bfloat16())
        step = 0
        for epoch in range(course.epochs):
            for rows in torch.randperm(n, generator=order).tensor_split(n_batches):
                for group in optimiser.param_groups:
                    group["lr"] = course.learning_rate * course.rate(step, n_batches)
                optimiser.zero_grad(set_to_none=True)
                with mixed:
                    output = network(inputs(rows.numpy(), epoch))
                loss: Any = outcome.loss(output.float(), rows)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
                optimiser.step()
                step += 1
        network.eval()
    return network
