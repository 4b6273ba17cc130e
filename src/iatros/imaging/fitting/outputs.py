"""The answers of a torch network, batch by batch, in full precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from iatros.imaging.fitting.batches import gather

_MOST_PIXELS = 1 << 21  # of one batch; the maps of a network take some hundred times the memory


def outputs(
    network: torch.nn.Module,
    inputs: np.ndarray | list[np.ndarray],
    *,
    table: np.ndarray | None = None,
    batch_size: int = 256,
    test_time: bool = False,
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """See `iatros.imaging.fitting.network_outputs`; the network's mode is left as it was."""
    if not len(inputs):
        raise ValueError("no inputs")
    places: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {}
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for rows in _batches(inputs, batch_size):
                batch = gather(inputs, rows, table)
                parts = network.parts(batch.images, batch.table)  # type: ignore[operator]
                if test_time:
                    mirrored = network.parts(batch.images.flip(-1), batch.table)  # type: ignore[operator]
                    parts["logits"] = (parts["logits"] + mirrored["logits"]) / 2
                places.append(rows)
                for name, values in parts.items():
                    found.setdefault(name, []).append(values.float().numpy())
    finally:
        network.train(was_training)
    return _in_order(found, np.concatenate(places))


def _batches(inputs: np.ndarray | list[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Row numbers in batches; studies of one length go together, so that none needs padding."""
    if isinstance(inputs, np.ndarray):
        groups = [np.arange(len(inputs))]
    else:
        lengths = np.array([len(study) for study in inputs])
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    for rows in groups:
        size = min(batch_size, max(1, _MOST_PIXELS // inputs[int(rows[0])].size))
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _in_order(
    found: dict[str, list[np.ndarray]], places: np.ndarray
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """Answers in the order of the inputs."""
    order = np.argsort(places, kind="stable")
    answer: dict[str, np.ndarray | list[np.ndarray]] = {}
    for name, parts in found.items():
        if name == "slice_weights":
            each = [row for part in parts for row in part]
            answer[name] = [each[k] for k in order]
        else:
            answer[name] = np.concatenate(parts)[order]
    return answer
