"""The training of one network, epoch by epoch."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iatros.core.errors import FitError, RequestError
from iatros.core.progress import Progress, Step
from iatros.imaging.fitting.augmentation import Augmenter
from iatros.imaging.fitting.batches import channel_moments, gather, typical_pixels
from iatros.imaging.fitting.data import Fitted, Settings, TrainingData
from iatros.imaging.fitting.learner import Learner
from iatros.imaging.fitting.losses import row_loss, targets_tensor
from iatros.imaging.fitting.outcome import standardised
from iatros.imaging.fitting.outputs import outputs
from iatros.imaging.fitting.schedule import automatic_batch, one_cycle
from iatros.imaging.fitting.scores import tuning_score
from iatros.imaging.fitting.starting import start_from
from iatros.imaging.fitting.state import Checkpoint, State, digest, numpy_state, torch_state
from iatros.imaging.models import MODELS
from iatros.imaging.models.network import ImageNetwork
from iatros.imaging.models.params import Learning
from iatros.imaging.schema import InputSpec
from iatros.learners.threads import fit_threads

_SAMPLED = 64  # inputs whose pixels go into the identity of a checkpoint


def fit_network(
    model: str,
    params: Any,
    spec: InputSpec,
    n_outputs: int,
    data: TrainingData,
    settings: Settings,
    *,
    weights: Path | None,
    checkpoint: Path | None,
    progress: Progress,
    label: str,
) -> Fitted:
    """See `iatros.imaging.fitting.fit`."""
    kind = MODELS.load(model)
    _check(model, kind, spec, data)
    with _threads_and_seed(settings.seed) as threads:
        n_columns = 0 if data.table is None else data.table.shape[1]
        network = kind.build(params, spec, n_outputs, n_columns=n_columns)
        taken, notes = (set(), []) if weights is None else start_from(network, weights)
        for note in notes:
            progress.note(f"{label}: {note}")
        training = _Training(network, kind.learning, spec, n_outputs, data, settings, taken)
        identity = {
            "model": [model, params.model_dump(mode="json"), spec.document(), n_outputs],
            "settings": dataclasses.asdict(settings),
            "data": _data_digest(data),
            "weights": None if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest(),
            "machine": [threads, training.learner.precision, torch.__version__],
        }
        fitted = training.run(Checkpoint(checkpoint, identity), progress, label)
        fitted.threads = threads
        fitted.notes = notes + fitted.notes
        return fitted


class _Training:
    """What one training holds while it runs."""

    def __init__(
        self,
        network: ImageNetwork,
        learning: Learning,
        spec: InputSpec,
        n_outputs: int,
        data: TrainingData,
        settings: Settings,
        taken: set[str],
    ) -> None:
        self.data, self.settings = data, settings
        self.y = standardised(settings.objective, data)
        train_y = np.asarray(self.y.values)[data.train]
        _set_moments(network, spec, data, taken)
        if "head.weight" in taken:
            self.y.unfold(network)
        loss = row_loss(
            settings.objective,
            train_y,
            n_outputs,
            class_balanced=settings.class_balanced,
            smoothing=settings.label_smoothing,
        )
        # a classifying network pools volumes down to a slice or two
        slices = 1 if spec.kind == "volume" else None
        self.learner = Learner(
            network, loss, weight_decay=settings.weight_decay, ema=settings.ema, slices=slices
        )
        self.labels = targets_tensor(settings.objective, self.y.values)
        self.augmenter = Augmenter(settings.augment, spec.kind)
        size = settings.batch_size or automatic_batch(
            learning, typical_pixels(data.inputs, data.train, spec), len(data.train)
        )
        # equal steps: a last one of a few images would be all noise
        self.n_batches = max(1, round(len(data.train) / size))
        self.highest = settings.learning_rate or learning.learning_rate
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best: dict[str, torch.Tensor] = {}
        self.training_seconds = 0.0

    def run(self, checkpoint: Checkpoint, progress: Progress, label: str) -> Fitted:
        """Train to the end, from the checkpoint's epoch on where it has one."""
        started = time.perf_counter()
        self._restore(checkpoint.load())
        begun = len(self.history)
        with progress.step(label, total=self.settings.epochs * self.n_batches) as step:
            step.advance(begun * self.n_batches)
            for epoch in range(begun + 1, self.settings.epochs + 1):
                if self._waited_enough():
                    break
                self._epoch(epoch, step)
                checkpoint.save(self._state())
        network = self.learner.average.network
        network.load_state_dict(self.best)
        self.y.fold(network)
        seen = (len(self.history) - begun) * len(self.data.train)
        return Fitted(
            network=network.eval(),
            history=self.history,
            best_epoch=self.best_epoch,
            tuning_score=self.history[self.best_epoch - 1]["tuning_score"],
            seconds=time.perf_counter() - started,
            images_per_second=seen / self.training_seconds if seen else math.nan,
            threads=torch.get_num_threads(),
            precision=self.learner.precision,
        )

    def _epoch(self, epoch: int, step: Step) -> None:
        started = time.perf_counter()
        train_loss, rate = self._learn(epoch, step)
        self.training_seconds += time.perf_counter() - started
        tuning_loss, score = self._judge()
        self.history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "tuning_loss": tuning_loss,
                "tuning_score": score,
                "learning_rate": rate,
                "seconds": time.perf_counter() - started,
            }
        )
        if self._is_best():
            self.best_epoch = epoch
            self.best = {
                name: value.clone() for name, value in self.learner.average.network.state_dict().items()
            }

    def _learn(self, epoch: int, step: Step) -> tuple[float, float]:
        """One pass over the training images; its mean loss and the last learning rate."""
        settings, train = self.settings, self.data.train
        # every draw follows from the seed and the epoch, so that going on needs no generator's state
        torch.manual_seed(_seed(settings.seed, epoch, 0))
        random = torch.Generator().manual_seed(_seed(settings.seed, epoch, 1))
        total, rate = 0.0, 0.0
        self.learner.network.train()
        order = torch.randperm(len(train), generator=random).numpy()
        for number, places in enumerate(np.array_split(order, self.n_batches)):
            rows = train[places]
            batch = gather(self.data.inputs, rows, self.data.table)
            batch = dataclasses.replace(batch, images=self.augmenter(batch.images, random))
            rate = one_cycle(
                (epoch - 1) * self.n_batches + number, settings.epochs * self.n_batches, self.highest
            )
            total += self.learner.step(batch, self.labels[rows], rate) * len(rows)
            step.advance()
        if not math.isfinite(total):
            raise FitError(
                f"the loss is no longer a number in epoch {epoch}", hint="choose a lower learning_rate"
            )
        return total / len(train) * self.y.spread**2, rate

    def _judge(self) -> tuple[float, float]:
        """Loss and score of the averaged network on the tuning side."""
        data, settings = self.data, self.settings
        if not len(data.tuning):
            return math.nan, math.nan
        found = outputs(
            self.learner.average.network,
            data.inputs,
            table=data.table,
            test_time=settings.test_time,
            chosen=data.tuning,
        )
        logits = np.asarray(found["logits"])
        loss = float(self.learner.loss(torch.from_numpy(logits), self.labels[data.tuning]).mean())
        loss *= self.y.spread**2
        score = tuning_score(settings.objective, logits, self.y.values[data.tuning])
        return loss, -loss if math.isnan(score) else score

    def _is_best(self) -> bool:
        """Whether the last epoch has the highest score so far, or as high a one with a smaller loss."""
        last = self.history[-1]
        if not self.best_epoch or math.isnan(last["tuning_score"]):
            return True
        best = self.history[self.best_epoch - 1]
        return (last["tuning_score"], -last["tuning_loss"]) > (best["tuning_score"], -best["tuning_loss"])

    def _waited_enough(self) -> bool:
        patience = self.settings.patience
        return bool(patience) and len(self.history) - self.best_epoch >= patience

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


def _check(model: str, kind: Any, spec: InputSpec, data: TrainingData) -> None:
    if spec.kind not in kind.kinds:
        takes = {"image": "single images", "volume": "volumes", "sequence": "series of slices"}
        raise RequestError(
            f"{model} takes {' or '.join(takes[each] for each in kind.kinds)}, and these are {takes[spec.kind]}",
            where="model",
            hint=f"choose one of {', '.join(_models_for(spec.kind))}",
        )
    if len(data.train) < 2:
        raise FitError(
            f"a network needs at least two training images, and there are {len(data.train)}",
            hint="use more images or a larger training side",
        )


def _models_for(kind: str) -> list[str]:
    return [name for name in MODELS.names() if name != "unet" and kind in MODELS.load(name).kinds]


def _set_moments(network: ImageNetwork, spec: InputSpec, data: TrainingData, taken: set[str]) -> None:
    """The mean and spread of the training images, unless those of other weights have been taken."""
    if {"mean", "std"} <= taken:
        return
    mean, std = channel_moments(data.inputs, data.train, channel_axis=1 if spec.kind == "sequence" else 0)
    network.mean.copy_(torch.from_numpy(mean))
    network.std.copy_(torch.from_numpy(std))


def _data_digest(data: TrainingData) -> str:
    """Of the labels, rows and table, and of the pixels of some evenly spread inputs."""
    some = np.linspace(0, len(data.inputs) - 1, min(_SAMPLED, len(data.inputs))).astype(int)
    inputs = [np.asarray(data.inputs[row]) for row in some]
    return digest(np.asarray(data.y), data.train, data.tuning, data.table, *inputs)


def _seed(seed: int, epoch: int, purpose: int) -> int:
    """A seed of 63 bits for one purpose in one epoch."""
    return int(np.random.SeedSequence((seed, epoch, purpose)).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _threads_and_seed(seed: int) -> Iterator[int]:
    """torch on all cores it may use, with random numbers of its own; both as before at the end."""
    threads, before = fit_threads(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seed(seed, 0, 0))
            yield threads
    finally:
        torch.set_num_threads(before)
