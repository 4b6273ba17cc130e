"""Patches of training images: where they are cut, so that structures are seen often enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Sampler:
    """Draws patches from `values` (channels, *shape) and `masks` (*shape), lists of equal length.

    `foreground` is the share of patches that are centred on a voxel of a structure, each structure equally often; the
    others lie anywhere. Smaller images lie somewhere in the patch, surrounded by 0.
    """

    values: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    patch: tuple[int, ...]
    foreground: float
    _places: list[list[np.ndarray]] = field(init=False)

    def __post_init__(self) -> None:
        places = [
            [np.flatnonzero(mask == value) for value in np.unique(mask) if value] for mask in self.masks
        ]
        object.__setattr__(self, "_places", places)

    def epoch(
        self, each: int, batch_size: int, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches (n, channels, *patch) and (n, *patch) with `each` patches of every image, in random order.

        Batches are of equal size; where the images do not fill the last one, some are drawn once more.
        """
        order = rng.permutation(np.repeat(np.arange(len(self.values)), each))
        missing = -len(order) % batch_size
        order = np.concatenate([order, rng.choice(len(self.values), missing)])
        for begin in range(0, len(order), batch_size):
            drawn = [self.draw(int(row), rng) for row in order[begin : begin + batch_size]]
            yield np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])

    def steps(self, each: int, batch_size: int) -> int:
        """Batches of an epoch."""
        return -(-len(self.values) * each // batch_size)

    def draw(self, row: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One patch of image `row`, (channels, *patch), and its mask (*patch)."""
        values, mask = self.values[row], self.masks[row]
        corner = self._corner(row, rng)
        image = np.zeros((len(values), *self.patch), dtype=np.float32)
        labels = np.zeros(self.patch, dtype=np.uint8)
        source, target = [], []
        for start, size, length in zip(corner, self.patch, mask.shape, strict=True):
            source.append(slice(max(0, start), min(length, start + size)))
            target.append(slice(source[-1].start - start, source[-1].stop - start))
        image[(slice(None), *target)] = values[(slice(None), *source)]
        labels[tuple(target)] = mask[tuple(source)]
        return image, labels

    def _corner(self, row: int, rng: np.random.Generator) -> list[int]:
        shape = self.masks[row].shape
        bounds = [
            (min(0, length - size), max(0, length - size))
            for length, size in zip(shape, self.patch, strict=True)
        ]
        anywhere = [int(rng.integers(low, high + 1)) for low, high in bounds]
        if rng.random() >= self.foreground or not self._places[row]:
            return anywhere
        voxels = self._places[row][rng.integers(len(self._places[row]))]
        middle = np.unravel_index(int(voxels[rng.integers(len(voxels))]), shape)
        return [
            anywhere[k] if low < 0 else int(np.clip(middle[k] - self.patch[k] // 2, low, high))
            for k, (low, high) in enumerate(bounds)
        ]
