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
    chosen: np.ndarray | None = None,
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """See `iatros.imaging.fitting.network_outputs`; the network's mode is left as it was.

    `chosen` are the rows of `inputs` and `table` to answer for, all where not given.
    """
    wanted = np.arange(len(inputs)) if chosen is None else chosen
    if not len(wanted):
        raise ValueError("no inputs")
    order: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {}
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for places in _batches(inputs, wanted, batch_size):
                batch = gather(inputs, wanted[places], table)
                parts = network.parts(batch.images, batch.table)  # type: ignore[operator]
                if test_time:
                    mirrored = network.parts(batch.images.flip(-1), batch.table)  # type: ignore[operator]
                    parts["logits"] = (parts["logits"] + mirrored["logits"]) / 2
                order.append(places)
                for name, values in parts.items():
                    found.setdefault(name, []).append(values.float().numpy())
    finally:
        network.train(was_training)
    return _in_order(found, np.concatenate(order))


def _batches(
    inputs: np.ndarray | list[np.ndarray], wanted: np.ndarray, batch_size: int
) -> Iterator[np.ndarray]:
    """Places in `wanted`, batch by batch; studies of one length go together, so that none needs padding."""
    if isinstance(inputs, np.ndarray):
        groups = [np.arange(len(wanted))]
    else:
        lengths = np.array([len(inputs[row]) for row in wanted])
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    for places in groups:
        size = min(batch_size, max(1, _MOST_PIXELS // inputs[int(wanted[places[0]])].size))
        yield from (places[start : start + size] for start in range(0, len(places), size))


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
