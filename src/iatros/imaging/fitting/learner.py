"""One step of training: mixed precision by Lightning Fabric, AdamW, and the moving average of the weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from iatros.imaging.fitting.averaging import MovingAverage
from iatros.imaging.fitting.batches import Batch
from iatros.imaging.fitting.losses import RowLoss
from iatros.imaging.fitting.state import numpy_state, optimiser_arrays, restore_optimiser, torch_state
from iatros.imaging.models.network import ImageNetwork
from iatros.learners.training import multiplies_bfloat16

_CLIP = 5.0  # only steps that would throw the network far away are shortened

_FEWEST_SLICES = 4


class Learner:
    """A network in training; `average.network` is the one that answers.

    `slices` is how many the deepest convolution of a network of volumes sees: oneDNN's bfloat16 gradient of a
    three-dimensional convolution over two slices holds numbers that were never written, so few slices are learned
    from in full precision.
    """

    def __init__(
        self,
        network: ImageNetwork,
        loss: RowLoss,
        *,
        weight_decay: float,
        ema: float,
        slices: int | None = None,
    ) -> None:
        from lightning.fabric import Fabric

        self._format = _layout(network)
        self.network = network.to(memory_format=self._format)  # type: ignore[call-overload]
        self.loss = loss
        self.average = MovingAverage(self.network, ema)
        shallow = slices is not None and slices < _FEWEST_SLICES
        self.precision = "bf16-mixed" if multiplies_bfloat16() and not shallow else "32-true"
        self.optimiser = torch.optim.AdamW(_groups(self.network, weight_decay), lr=0.0, fused=True)
        with _quiet():
            self._fabric = Fabric(accelerator="cpu", devices=1, precision=self.precision)
            self._wrapped, self._stepper = self._fabric.setup(self.network, self.optimiser)

    def step(self, batch: Batch, labels: torch.Tensor, learning_rate: float) -> float:
        """Learn from one batch; its mean loss before the step."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        images = batch.images
        if images.dim() == (5 if self._format is torch.channels_last_3d else 4):
            images = images.contiguous(memory_format=self._format)
        logits = self._wrapped(images, batch.table, batch.lengths)
        loss = self.loss(logits.float(), labels).mean()
        self._stepper.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        self._fabric.clip_gradients(self._wrapped, self._stepper, max_norm=_CLIP, error_if_nonfinite=False)
        self._stepper.step()
        self.average.update()
        return float(loss.detach())

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that the next step depends on."""
        names = {id(parameter): name for name, parameter in self.network.named_parameters()}
        return {
            **numpy_state("network", self.network.state_dict()),
            **numpy_state("average", self.average.network.state_dict()),
            **optimiser_arrays(self.optimiser, names),
            "average_steps": np.array(self.average.steps),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what `arrays` kept."""
        self.network.load_state_dict(torch_state("network", arrays))
        self.average.network.load_state_dict(torch_state("average", arrays))
        self.average.steps = int(arrays["average_steps"])
        restore_optimiser(self.optimiser, arrays, dict(self.network.named_parameters()))


def _layout(network: torch.nn.Module) -> torch.memory_format:
    """Channels last, which is what the convolutions of CPUs compute in."""
    volumes = any(isinstance(module, torch.nn.Conv3d) for module in network.modules())
    return torch.channels_last_3d if volumes else torch.channels_last


def _groups(network: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices and filters decay; offsets and the scales of normalisations do not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in parameters if each.dim() > 1], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.dim() <= 1], "weight_decay": 0.0},
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning tells the precision of every network it sets up; `Fitted.precision` tells it once."""
    loggers = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
