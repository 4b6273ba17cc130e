"""The training of one segmentation network: patches, augmentation, and the epoch with the best tuning Dice."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iatros.core.errors import FitError
from iatros.core.progress import Progress, Step
from iatros.imaging.fitting.batches import Batch
from iatros.imaging.fitting.learner import Learner
from iatros.imaging.fitting.schedule import one_cycle
from iatros.imaging.fitting.starting import start_from
from iatros.imaging.fitting.state import Checkpoint, State, digest, numpy_state, torch_state
from iatros.imaging.models.unet import UNet, UNetParams
from iatros.imaging.segmentation.augmentation import Augmentation
from iatros.imaging.segmentation.losses import dice_cross_entropy
from iatros.imaging.segmentation.overlap import dice
from iatros.imaging.segmentation.patches import Sampler
from iatros.imaging.segmentation.plan import Plan
from iatros.imaging.segmentation.sliding import shares
from iatros.learners.threads import fit_threads

_JUDGED = 12
"""How often, at most, the tuning images are segmented in a training."""
_TUNING_OVERLAP = 0.25
_STEPS = 16


@dataclass(frozen=True)
class Settings:
    """How long, how fast and with which changes of the images a network learns."""

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    ema: float
    augment: tuple[str, ...]
    flip_axis: int | None
    seed: int


@dataclass(frozen=True)
class Prepared:
    """Images (channels, *shape) and label maps (*shape) on the network's grid, with the rows of each side."""

    values: list[np.ndarray]
    masks: list[np.ndarray]
    train: np.ndarray
    tuning: np.ndarray


@dataclass(frozen=True)
class Learned:
    """A trained network in eval mode, with the weights of its best epoch."""

    network: torch.nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    tuning_dice: float
    seconds: float
    threads: int
    precision: str


def learn(
    plan: Plan,
    params: UNetParams,
    data: Prepared,
    settings: Settings,
    *,
    weights: Path | None,
    checkpoint: Path | None,
    progress: Progress,
    label: str,
) -> Learned:
    """Train a U-Net on `data.train`; the epoch with the highest mean Dice on `data.tuning` is kept.

    The state is kept in `checkpoint` after each epoch, and a call that finds one goes on from there to the same
    weights. The same data, settings and number of threads give the same weights. Raises FitError where the loss stops
    being a number, RequestError where `weights` do not fit, ConflictError where the checkpoint was begun otherwise.
    """
    identity = {
        "plan": plan.document(),
        "params": params.model_dump(),
        "settings": asdict(settings),
        "data": digest(*data.values, *data.masks, data.train, data.tuning),
        "threads": fit_threads(),
        "torch": torch.__version__,
    }
    with _threads_and_seed(settings.seed):
        network: Any = UNet.build(params, plan.spec, plan.n_outputs)
        if weights is not None:
            for note in start_from(network, weights)[1]:
                progress.note(f"{label}: {note}")
        return _Training(network, plan, params, data, settings).run(
            Checkpoint(checkpoint, identity), progress, label
        )


def torch_shares(
    network: torch.nn.Module, values: np.ndarray, patch: tuple[int, ...], *, overlap: float
) -> np.ndarray:
    """Shares of each label (k, *shape) of an image (channels, *shape), by torch."""

    def run(patches: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(patches)).float().numpy()

    return shares(run, values, patch, overlap=overlap)


class _Training:
    def __init__(
        self, network: Any, plan: Plan, params: UNetParams, data: Prepared, settings: Settings
    ) -> None:
        self.plan, self.params, self.data, self.settings = plan, params, data, settings
        slices = plan.patch[0] >> (len(params.channels) - 1) if len(plan.patch) == 3 else None
        self.learner = Learner(
            network,
            dice_cross_entropy,
            weight_decay=settings.weight_decay,
            ema=settings.ema,
            slices=slices,
        )
        self.sampler = Sampler(
            [data.values[row] for row in data.train],
            [data.masks[row] for row in data.train],
            plan.patch,
            params.foreground,
        )
        spacing = plan.spacing_mm or (1.0,) * len(plan.patch)
        sides = tuple(size * step for size, step in zip(plan.patch, spacing, strict=True))
        self.augmentation = Augmentation(settings.augment, sides, settings.flip_axis)
        self.batch_size = settings.batch_size or automatic_batch(plan.patch, len(data.train) * params.patches)
        self.n_steps = self.sampler.steps(params.patches, self.batch_size)
        self.highest = settings.learning_rate or UNet.learning.learning_rate
        self.every = max(1, math.ceil(settings.epochs / _JUDGED))
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best: dict[str, torch.Tensor] = {}

    def run(self, checkpoint: Checkpoint, progress: Progress, label: str) -> Learned:
        """Train to the end, from the checkpoint's epoch on where it has one."""
        started = time.perf_counter()
        self._restore(checkpoint.load())
        begun = len(self.history)
        epochs = self.settings.epochs
        with progress.step(label, total=epochs * self.n_steps) as step:
            step.advance(begun * self.n_steps)
            for epoch in range(begun + 1, epochs + 1):
                if self._waited_enough():
                    break
                self._epoch(epoch, step)
                checkpoint.save(self._state())
        network = self.learner.average.network
        network.load_state_dict(self.best)
        return Learned(
            network=network.eval(),
            history=self.history,
            best_epoch=self.best_epoch,
            tuning_dice=self.history[self.best_epoch - 1]["tuning_dice"],
            seconds=time.perf_counter() - started,
            threads=torch.get_num_threads(),
            precision=self.learner.precision,
        )

    def _epoch(self, epoch: int, step: Step) -> None:
        started = time.perf_counter()
        loss, rate = self._pass(epoch, step)
        last = epoch == self.settings.epochs
        score = self._judge() if epoch % self.every == 0 or last else math.nan
        self.history.append(
            {
                "epoch": epoch,
                "train_loss": loss,
                "tuning_dice": score,
                "learning_rate": rate,
                "seconds": time.perf_counter() - started,
            }
        )
        best = self.history[self.best_epoch - 1]["tuning_dice"] if self.best_epoch else -math.inf
        if score > best or (last and not self.best_epoch):
            self.best_epoch = epoch
            state = self.learner.average.network.state_dict()
            self.best = {name: value.clone() for name, value in state.items()}

    def _pass(self, epoch: int, step: Step) -> tuple[float, float]:
        """One pass over the training images; its mean loss and the last learning rate."""
        seed = self.settings.seed
        # every draw follows from the seed and the epoch, so that going on needs no generator's state
        torch.manual_seed(_seed(seed, epoch, 0))
        random = torch.Generator().manual_seed(_seed(seed, epoch, 1))
        rng = np.random.default_rng(_seed(seed, epoch, 2))
        total, rate = 0.0, 0.0
        self.learner.network.train()
        batches = self.sampler.epoch(self.params.patches, self.batch_size, rng)
        for number, (values, masks) in enumerate(batches):
            images, labels = self.augmentation(torch.from_numpy(values), torch.from_numpy(masks), random)
            rate = one_cycle(
                (epoch - 1) * self.n_steps + number, self.settings.epochs * self.n_steps, self.highest
            )
            total += self.learner.step(Batch(images, None, None), labels, rate)
            step.advance()
        if not math.isfinite(total):
            raise FitError(
                f"the loss is no longer a number in epoch {epoch}", hint="choose a lower learning_rate"
            )
        return total / self.n_steps, rate

    def _judge(self) -> float:
        """Mean Dice of the averaged network over structures and tuning images; NaN where no structure is there."""
        network = self.learner.average.network
        labels = [
            torch_shares(network, self.data.values[row], self.plan.patch, overlap=_TUNING_OVERLAP).argmax(
                axis=0
            )
            for row in self.data.tuning
        ]
        return mean_dice(
            labels, [self.data.masks[row] for row in self.data.tuning], len(self.plan.structures)
        )

    def _waited_enough(self) -> bool:
        patience = self.settings.patience
        return bool(patience and self.best_epoch) and len(self.history) - self.best_epoch >= patience

    def _state(self) -> State:
        document = {"epoch": len(self.history), "history": self.history, "best_epoch": self.best_epoch}
        return State({**self.learner.arrays(), **numpy_state("best", self.best)}, document)

    def _restore(self, state: State | None) -> None:
        if state is None:
            return
        self.learner.restore(state.arrays)
        self.history = state.document["history"]
        self.best_epoch = state.document["best_epoch"]
        self.best = torch_state("best", state.arrays)


def mean_dice(predicted: Sequence[np.ndarray], true: Sequence[np.ndarray], n_structures: int) -> float:
    """Mean over structures of the mean Dice over the images in which it is defined."""
    by_structure = []
    for value in range(1, n_structures + 1):
        found = np.array([dice(p == value, t == value) for p, t in zip(predicted, true, strict=True)])
        if np.isfinite(found).any():
            by_structure.append(float(np.nanmean(found)))
    return float(np.mean(by_structure)) if by_structure else math.nan


def automatic_batch(patch: tuple[int, ...], n_patches: int) -> int:
    """Patches of a step: about `UNet.learning.pixels_per_step` voxels, but an epoch has 16 steps or more."""
    learning = UNet.learning
    fits = learning.pixels_per_step // math.prod(patch)
    return max(learning.least, min(learning.most, fits, n_patches // _STEPS))


def _seed(seed: int, epoch: int, purpose: int) -> int:
    """A seed of 63 bits for one purpose in one epoch."""
    return int(np.random.SeedSequence((seed, epoch, purpose)).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _threads_and_seed(seed: int) -> Iterator[None]:
    """torch on all cores it may use, with random numbers of its own; both as before at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(fit_threads())
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seed(seed, 0, 0))
            yield
    finally:
        torch.set_num_threads(before)
