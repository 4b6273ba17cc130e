"""Training of the networks of imaging, and their answers in torch; nothing heavy is imported until asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.progress import Progress
from iatros.imaging.fitting.data import Fitted, Settings, TrainingData
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

__all__ = ["Fitted", "Settings", "TrainingData", "fit", "network_outputs"]


def fit(
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
    """The registered network `model` trained on the rows `data.train`, with the weights of its best epoch.

    The best epoch is the one with the highest score on `data.tuning` (see `scores.tuning_score`), the last
    one where that side is empty. `weights` is a .safetensors file to start from. In the folder `checkpoint`
    the state is kept after each epoch, and a call that finds one goes on from there, to the same bits as
    without the interruption. The same data, seed and number of threads give the same weights.

    Raises RequestError where the model does not take this kind of input or the weights do not fit, FitError
    where training fails numerically, and ConflictError where the checkpoint was begun otherwise.
    """
    from iatros.imaging.fitting.loop import fit_network

    return fit_network(
        model,
        params,
        spec,
        n_outputs,
        data,
        settings,
        weights=weights,
        checkpoint=checkpoint,
        progress=progress,
        label=label,
    )


def network_outputs(
    network: torch.nn.Module,
    inputs: np.ndarray | list[np.ndarray],
    *,
    table: np.ndarray | None = None,
    batch_size: int = 256,
    test_time: bool = False,
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """What `network` says of `inputs`, in full precision: `logits` (n, n_outputs) and `features` (n, f).

    `inputs` are stacked (n, *shape of the spec) or a list of studies (slices, channels, rows, columns) of any
    lengths, float from 0 to 1 or unsigned integers; a network over slices adds `slice_weights`, an array for
    each study. With `test_time` the logits are the mean of those of the image and of its mirror image.
    """
    from iatros.imaging.fitting.outputs import outputs

    return outputs(network, inputs, table=table, batch_size=batch_size, test_time=test_time)
