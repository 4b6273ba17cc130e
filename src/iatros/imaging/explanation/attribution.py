"""Integrated gradients and occlusion: what the answer loses where the image loses its detail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from captum.attr import IntegratedGradients
from scipy.ndimage import gaussian_filter

from iatros.imaging.explanation.asking import Asked, as_tensor
from iatros.imaging.schema import InputSpec

STEPS = 32
"""Points of the integral."""
_AT_ONCE = 64
_BLUR = 1 / 8
_SMOOTH = 1 / 40
_WINDOW = 1 / 6


def integrated_gradients(asked: Asked, images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Maps (n, [slices,] rows, columns): what each pixel adds on the way from the blurred image to the image.

    Sundararajan et al. 2017, with the blurred image as the reference (Sturmfels et al. 2020): against a black one,
    dark findings could never be hot. The channels are summed, and the map smoothed by a fortieth of the image.
    """
    with torch.enable_grad():
        values = IntegratedGradients(asked.logits).attribute(
            as_tensor(images),
            baselines=as_tensor(blurred(images, spec)),
            target=asked.targets,
            additional_forward_args=(asked.tables,),
            n_steps=STEPS,
            internal_batch_size=max(_at_once(images, spec), len(images)),
        )
    channel = 2 if spec.kind == "sequence" else 1
    summed = values.detach().numpy().sum(axis=channel)
    return _smoothed(summed, spec)


def occlusion(asked: Asked, images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Maps (n, [slices,] rows, columns): how far the answer falls where a window shows the blurred image instead.

    Zeiler and Fergus 2014. A window is a sixth of each side, 3 at least, and moves by half of itself; in a
    series it covers one slice. A place has the mean over the windows that held it.
    """
    soft = blurred(images, spec)
    return np.stack([_occluded(asked, images, soft, k, spec) for k in range(len(images))])


def blurred(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """The images (n, *input shape) without their detail: smoothed in space by an eighth of each side."""
    sigma = [0.0] * images.ndim
    for axis in _spatial(spec):
        sigma[axis + 1] = 0.0 if _is_slice(axis, spec) else images.shape[axis + 1] * _BLUR
    return np.asarray(gaussian_filter(images, sigma, mode="nearest"), dtype=np.float32)


def _occluded(asked: Asked, images: np.ndarray, soft: np.ndarray, k: int, spec: InputSpec) -> np.ndarray:
    image, row = images[k], slice(k, k + 1)
    fall, covered = np.zeros(image.shape), np.zeros(image.shape)
    with torch.no_grad():
        whole = float(asked.scores(as_tensor(image[None]), row)[0])
        windows = list(_windows(image.shape, spec))
        step = _at_once(images, spec)
        for start in range(0, len(windows), step):
            part = windows[start : start + step]
            changed = np.repeat(image[None], len(part), axis=0)
            for copy, window in zip(changed, part, strict=True):
                copy[window] = soft[k][window]
            many = Asked(
                asked.network,
                np.repeat(asked.answer[row], len(part)),
                None if asked.table is None else np.repeat(asked.table[row], len(part), axis=0),
            )
            for window, score in zip(part, many.scores(as_tensor(changed)).tolist(), strict=True):
                fall[window] += whole - score
                covered[window] += 1
    channel = 1 if spec.kind == "sequence" else 0
    return np.asarray((fall / np.maximum(covered, 1)).mean(axis=channel))


def _windows(shape: tuple[int, ...], spec: InputSpec) -> Iterator[tuple[slice, ...]]:
    """Windows that together cover an input of `shape`, all its channels."""
    ranges: list[list[slice]] = [[slice(None)]] * len(shape)
    for axis in _spatial(spec):
        size = 1 if _is_slice(axis, spec) else min(shape[axis], max(3, round(shape[axis] * _WINDOW)))
        starts = {*range(0, shape[axis] - size + 1, max(1, size // 2)), shape[axis] - size}
        ranges[axis] = [slice(start, start + size) for start in sorted(starts)]
    return itertools.product(*ranges)


def _smoothed(maps: np.ndarray, spec: InputSpec) -> np.ndarray:
    sigma = [0.0, *(side * _SMOOTH for side in maps.shape[1:])]
    if spec.kind == "sequence":
        sigma[1] = 0.0
    return np.asarray(gaussian_filter(maps, sigma, mode="constant"))


def _spatial(spec: InputSpec) -> tuple[int, ...]:
    """The axes of one input along which there is space; a slice is a place too."""
    return {"image": (1, 2), "volume": (1, 2, 3), "sequence": (0, 2, 3)}[spec.kind]


def _is_slice(axis: int, spec: InputSpec) -> bool:
    return spec.kind == "sequence" and axis == 0


def _at_once(images: np.ndarray, spec: InputSpec) -> int:
    """Images per pass: fewer of the large ones, so that memory stays bounded."""
    pixels = int(np.prod(images.shape[1:]))
    return int(np.clip(_AT_ONCE * 128 * 128 / pixels, 1, _AT_ONCE))
