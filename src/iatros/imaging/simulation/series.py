"""Studies of several slices in which only the order of the slices tells, and controls in which it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iatros.imaging.simulation.radiographs import smooth_noise, step, wide

RING, DISC = 1, 2
_MANY = 2 / 3


class Series(NamedTuple):
    """Simulated studies of several slices; unpacks as `volumes, labels, contents`."""

    volumes: list[np.ndarray]
    """uint8 (slices, rows, columns), the number of slices differs."""
    labels: np.ndarray
    """int (n,), 0 or 1."""
    contents: list[np.ndarray]
    """int (slices,): 0 nothing, RING or DISC."""


def simulate_volumes(
    n: int, order_matters: bool, seed: int = 0, *, size: int = 32, slices: tuple[int, int] = (7, 13)
) -> Series:
    """`n` studies of `slices` (fewest, most) slices of `size` x `size` px, with rings and discs in some of them.

    With `order_matters` there is one of each: label 1 is the ring before the disc and label 0 the disc before the
    ring; all else is drawn without looking at the label, so the slices as a set say nothing. Without, each slice
    holds one or the other, a disc with a chance of two in three for label 1 and of one in three for label 0: what
    tells is how many discs there are, wherever they lie, and no network can be always right.
    """
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.45).astype(int)
    volumes, contents = [], []
    for label in labels:
        count = int(rng.integers(slices[0], slices[1] + 1))
        content = np.zeros(count, dtype=int)
        if order_matters:
            content[np.sort(rng.choice(count, 2, replace=False))] = (RING, DISC) if label else (DISC, RING)
        else:
            discs = rng.random(count) < (_MANY if label else 1 - _MANY)
            content[:] = np.where(discs, DISC, RING)
        volumes.append(_slices(content, size, rng))
        contents.append(content)
    return Series(volumes, labels, contents)


def _slices(content: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Slices uint8 (slices, size, size): the same trunk in each, grain, and a ring or disc where `content` says."""
    count = len(content)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = axis[None, None, :], axis[None, :, None]
    trunk = 0.35 * step((1 - np.hypot(x / rng.normal(0.85, 0.04), y / rng.normal(0.7, 0.04))) / 0.06)
    place, width = rng.normal(0.0, [[0.22], [0.16]], (2, count)), rng.uniform(0.20, 0.32, count)
    radius = np.hypot(x - wide(place[0]), y - wide(place[1])) / wide(width)
    disc = np.exp(-(radius**4))
    ring = np.exp(-(((radius - 0.9) / 0.35) ** 2))
    bright = wide(rng.uniform(0.28, 0.50, count))
    shape = disc * wide(content == DISC) + ring * wide(content == RING)
    noisy = 0.1 + trunk + bright * shape + 0.05 * smooth_noise((count, size, size), rng)
    return np.round(255 * np.clip(noisy, 0.0, 1.0)).astype(np.uint8)


def order_task(volumes: Sequence[np.ndarray], seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """`volumes` (slices, ...) with half of them turned end to end, and which: label 1 is turned.

    The slices of a study stay the same, so that only their order can tell.
    """
    turned = np.zeros(len(volumes), dtype=int)
    turned[np.random.default_rng(seed).permutation(len(volumes))[: len(volumes) // 2]] = 1
    return [volume[::-1] if turn else volume for volume, turn in zip(volumes, turned, strict=True)], turned


def content_task(volumes: Sequence[np.ndarray], seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """The control of `order_task`: half of the `volumes` upside down in every slice (label 1).

    Each slice alone tells, and their order adds nothing: half of each class is turned end to end as well.
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(len(volumes), dtype=int)
    labels[rng.permutation(len(volumes))[: len(volumes) // 2]] = 1
    turned = rng.random(len(volumes)) < 0.5
    made = []
    for volume, label, turn in zip(volumes, labels, turned, strict=True):
        shown = volume[:, ::-1] if label else volume
        made.append(shown[::-1] if turn else shown)
    return made, labels
