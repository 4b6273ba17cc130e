"""The images of a cohort as the arrays that one network takes, each made once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.errors import LimitError
from iatros.core.progress import Progress
from iatros.imaging.inputs import evenly, prepare
from iatros.imaging.schema import Collection, ImageRecord, InputSpec

IN_MEMORY = 2 * 2**30
"""Bytes up to which the arrays are held in memory; more go to a temporary file that is mapped."""
MOST = 200 * 2**30


@dataclass(frozen=True)
class Prepared:
    """Arrays for a network, and the record that each belongs to: several to a record where slices stand alone."""

    arrays: np.ndarray | list[np.ndarray]
    owner: np.ndarray
    """The record of each array, sorted."""

    @property
    def one_each(self) -> bool:
        """Whether every record has exactly one array."""
        return bool(np.array_equal(self.owner, np.arange(len(self.owner))))

    def rows_of(self, records: np.ndarray) -> np.ndarray:
        """Positions of the arrays of `records`, record by record in the order given."""
        if self.one_each:
            return np.asarray(records)
        first = np.searchsorted(self.owner, records, side="left")
        last = np.searchsorted(self.owner, records, side="right")
        return np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [np.arange(0)])

    def take(self, positions: np.ndarray) -> np.ndarray | list[np.ndarray]:
        """The arrays at `positions`."""
        if isinstance(self.arrays, list):
            return [self.arrays[position] for position in positions]
        return self.arrays[positions]

    def mean_over_records(self, values: np.ndarray, records: np.ndarray) -> np.ndarray:
        """Values of the arrays of `records` (in the order of `rows_of`) averaged for each record."""
        if self.one_each:
            return values
        counts = np.searchsorted(self.owner, records, side="right") - np.searchsorted(
            self.owner, records, side="left"
        )
        ends = np.cumsum(counts)
        sums = np.add.reduceat(values, np.r_[0, ends[:-1]], axis=0)
        return np.asarray(sums / counts.reshape(-1, *([1] * (values.ndim - 1))))


def prepare_records(
    collection: Collection,
    records: Sequence[ImageRecord],
    spec: InputSpec,
    progress: Progress,
    *,
    slicewise: bool = False,
) -> Prepared:
    """The array of each record as `spec` has it; with `slicewise`, one for each of at most `max_slices` slices."""
    owner = _owners(records, spec, slicewise)
    if spec.kind == "sequence":
        with progress.step("preparing images", total=len(records)) as step:
            series = []
            for record in records:
                series.append(prepare(collection.pixels(record), spec, spacing_mm=record.spacing_mm))
                step.advance()
        return Prepared(series, owner)
    arrays = _room(len(owner), (spec.channels, *spec.size))
    place = 0
    with progress.step("preparing images", total=len(records)) as step:
        for record in records:
            pixels = collection.pixels(record)
            for part in _parts(pixels, record, spec, slicewise):
                arrays[place] = part
                place += 1
            step.advance()
    return Prepared(arrays, owner)


def _owners(records: Sequence[ImageRecord], spec: InputSpec, slicewise: bool) -> np.ndarray:
    if not slicewise:
        return np.arange(len(records))
    return np.repeat(np.arange(len(records)), [min(record.shape[1], spec.max_slices) for record in records])


def _parts(pixels: np.ndarray, record: ImageRecord, spec: InputSpec, slicewise: bool) -> list[np.ndarray]:
    if not slicewise:
        return [prepare(pixels, spec, spacing_mm=record.spacing_mm)]
    inner = record.spacing_mm[1:] if record.spacing_mm else None
    return [prepare(pixels[:, k], spec, spacing_mm=inner) for k in evenly(pixels.shape[1], spec.max_slices)]


def _room(n: int, shape: tuple[int, ...]) -> np.ndarray:
    size = 4 * n * int(np.prod(shape))
    if size > MOST:
        raise LimitError(
            f"the images take {size / 2**30:.0f} GiB at this size, {MOST / 2**30:.0f} are allowed",
            hint="choose a smaller size",
        )
    if size <= IN_MEMORY:
        return np.empty((n, *shape), dtype=np.float32)
    # The file has no name on the disk once it is open, so nothing of a patient stays behind.
    return np.memmap(tempfile.TemporaryFile(), dtype=np.float32, mode="w+", shape=(n, *shape))
