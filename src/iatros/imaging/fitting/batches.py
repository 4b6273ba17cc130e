"""From stored inputs to batches of tensors: gathered, scaled to 0..1, padded where studies differ in length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from iatros.imaging.schema import InputSpec

_TOPS = {"u1": 255.0, "u2": 65535.0}


@dataclass(frozen=True)
class Batch:
    """Images of some rows, and with studies of different lengths how many slices of each are real."""

    images: torch.Tensor
    lengths: torch.Tensor | None
    table: torch.Tensor | None


def gather(inputs: np.ndarray | list[np.ndarray], rows: np.ndarray, table: np.ndarray | None = None) -> Batch:
    """The inputs of `rows` as float32 from 0 to 1; studies are padded at their end to the longest of them."""
    columns = None if table is None else torch.from_numpy(np.asarray(table[rows], dtype=np.float32))
    if isinstance(inputs, np.ndarray):
        return Batch(as_float(np.ascontiguousarray(inputs[rows])), None, columns)
    studies = [np.asarray(inputs[row]) for row in rows]
    lengths = np.array([len(study) for study in studies])
    if (lengths == lengths[0]).all():
        return Batch(as_float(np.stack(studies)), None, columns)
    padded = np.zeros((len(studies), lengths.max(), *studies[0].shape[1:]), dtype=studies[0].dtype)
    for place, study in zip(padded, studies, strict=True):
        place[: len(study)] = study
    return Batch(as_float(padded), torch.from_numpy(lengths), columns)


def as_float(values: np.ndarray) -> torch.Tensor:
    """uint8 and uint16 over their largest value, other numbers as they are, as a float32 tensor."""
    top = _TOPS.get(values.dtype.str[1:])
    if top is None:
        return torch.from_numpy(np.asarray(values, dtype=np.float32))
    if values.dtype.itemsize == 1:
        return torch.from_numpy(values).to(torch.float32).div_(top)
    return torch.from_numpy(values.astype(np.float32)).div_(top)


def typical_pixels(inputs: np.ndarray | list[np.ndarray], rows: np.ndarray, spec: InputSpec) -> int:
    """Pixels or voxels of a typical input of `rows`, those of all slices together."""
    plane = int(np.prod(spec.size))
    if spec.kind != "sequence":
        return plane
    return max(1, int(np.median([len(inputs[row]) for row in rows]))) * plane


def channel_moments(
    inputs: np.ndarray | list[np.ndarray], rows: np.ndarray, *, channel_axis: int, most: int = 4096
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel of the inputs of `rows`, of `most` evenly spread ones of them.

    `channel_axis` is that of one input: 0 for an image or volume, 1 for a study of slices.
    """
    chosen = np.sort(rows)
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
    total = np.zeros(inputs[int(chosen[0])].shape[channel_axis])
    squares, count = total.copy(), 0
    for row in chosen:
        values = as_float(np.ascontiguousarray(inputs[row])[None])[0].double()
        axes = [axis for axis in range(values.dim()) if axis != channel_axis]
        total = total + values.sum(dim=axes).numpy()
        squares = squares + values.square().sum(dim=axes).numpy()
        count += values.numel() // values.shape[channel_axis]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    # a channel that never changes says nothing, and must not be blown up
    return mean, np.where(std < 1e-3, 1.0, std)
