"""Decodes files into the cache, in worker processes: big ones first, small ones several at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.core.errors import IatrosError, StorageError
from iatros.imaging.cache import Pack, PixelCache, pack_key
from iatros.imaging.schema import Refused
from iatros.imaging.sources.limits import MAX_FILE_BYTES, UnreadableError

_READERS = {
    "raster": "iatros.imaging.sources.raster:decode",
    "nifti": "iatros.imaging.sources.nifti:decode",
    "dicom": "iatros.imaging.sources.dicom_decoding:decode",
    "archive": "iatros.imaging.sources.archive:decode",
}
"""By name: `decode(paths, plan, window)` gives the images and what was noticed, or raises UnreadableError."""

_CHUNKS_A_WORKER = 64
_FILE_COST = 256 * 1024
"""What opening a file costs, in bytes decoded: about a millisecond."""
_LEAST = 4 * _FILE_COST
"""Work of less than this is not worth a message to a worker."""
_SMALL = 16 * 1024**2
"""Work of less than this is not worth the start of a worker, in the unit of the cost."""
_DIED = "decoding it ended the worker process: the file is damaged, or the memory does not suffice"

Part = TypeVar("Part")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Unit:
    """What is decoded together: one file, or the files of one series. `plan` is plain and part of the cache's key."""

    name: str
    reader: str
    files: tuple[str, ...]
    size: int
    """Bytes, or what costs as much."""
    plan: dict[str, Any] = field(default_factory=dict)
    hashes: tuple[str, ...] = ()
    """SHA-256 of each file where it is known already."""
    native: bool = False
    """Whether a codec written in C decodes it: one that crashes must take a worker with it, and nothing else."""


@dataclass(frozen=True)
class Reading:
    """How files are read: where decoded pixels are kept, and the window that replaces the files' own."""

    cache: str
    window: tuple[float, float] | None = None


def decode_units(units: Sequence[Unit], context: Context, reading: Reading) -> list[Pack | Refused]:
    """The pack of each unit, or why there is none, in the order of `units`.

    Of copies of one file one is decoded: two workers that began at once would not find each other's in the cache.
    """
    contents = [_content(unit) for unit in units]
    once = dict(zip(reversed(contents), reversed(units), strict=True))
    packs = spread(
        _decode_chunk,
        list(once.values()),
        reading,
        context,
        label="decode images",
        cost=_unit_cost,
        native=any(unit.native for unit in units),
    )
    found = dict(zip(once, packs, strict=True))
    return [_for(unit, found[content]) for unit, content in zip(units, contents, strict=True)]


def spread(
    function: Callable[[Any, tuple[Part, ...]], list[Answer]],
    parts: Sequence[Part],
    shared: Any,
    context: Context,
    *,
    label: str,
    cost: Callable[[Part], int],
    native: bool = False,
) -> list[Answer | Refused]:
    """`function(shared, chunk)` over chunks of `parts`, whose answers come back in the order of `parts`.

    Where a worker dies, the parts are halved until the one that kills it is alone; it is refused. What was
    decoded before lies in the cache, so that this costs little. Each part has a `name`. A little work that is
    not `native` is done here, since a worker takes longer to start.
    """
    if not parts:
        return []
    costs = [cost(part) for part in parts]
    small = not native and sum(costs) + len(costs) * _FILE_COST < _SMALL
    engine = SerialEngine() if small else context.engine
    places = chunks(costs, engine.workers)
    tasks = [tuple(parts[place] for place in chunk) for chunk in places]
    try:
        answers = engine.map(function, tasks, shared, progress=context.progress, label=label)
    except StorageError:
        raise
    except IatrosError:
        if len(parts) == 1:
            return [Refused(parts[0].name, _DIED)]  # type: ignore[attr-defined]
        half = len(parts) // 2
        first, second = (
            spread(function, side, shared, context, label=label, cost=cost, native=native)
            for side in (parts[:half], parts[half:])
        )
        return first + second
    ordered: list[Any] = [None] * len(parts)
    for chunk, found in zip(places, answers, strict=True):
        for place, answer in zip(chunk, found, strict=True):
            ordered[place] = answer
    return ordered


def chunks(costs: Sequence[int], workers: int) -> list[list[int]]:
    """Positions in chunks of about the same cost, the most expensive first (longest processing time first).

    >>> chunks([1, 90_000_000, 2, 3], workers=1)
    [[1], [3, 2, 0]]
    """
    weights = [max(0, cost) + _FILE_COST for cost in costs]
    most = max(_LEAST, sum(weights) / (_CHUNKS_A_WORKER * max(1, workers)))
    made: list[list[int]] = []
    filled = float("inf")
    for place in sorted(range(len(weights)), key=lambda place: -weights[place]):
        if filled + weights[place] > most:
            made.append([])
            filled = 0.0
        made[-1].append(place)
        filled += weights[place]
    return made


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file; UnreadableError where it is empty, too large or cannot be read."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size == 0:
            raise UnreadableError("the file is empty")
        if size > MAX_FILE_BYTES:
            raise UnreadableError(f"the file is too large: {size:,} bytes, {MAX_FILE_BYTES:,} are allowed")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableError(f"the file cannot be read ({error.strerror or type(error).__name__})") from None


def _content(unit: Unit) -> tuple[Any, ...]:
    """What is decoded, and how; equal for copies of one file where their hash is known."""
    return unit.reader, unit.hashes if len(unit.hashes) == 1 else unit.files, repr(unit.plan)


def _for(unit: Unit, pack: Pack | Refused) -> Pack | Refused:
    """`pack` of a copy of `unit`, under the name of this one."""
    return replace(pack, name=unit.name) if isinstance(pack, Refused) else pack


def _unit_cost(unit: Unit) -> int:
    return unit.size + (len(unit.files) - 1) * _FILE_COST


def _decode_chunk(reading: Reading, units: tuple[Unit, ...]) -> list[Pack | Refused]:
    return [_decode_unit(reading, unit) for unit in units]


def _decode_unit(reading: Reading, unit: Unit) -> Pack | Refused:
    cache = PixelCache(Path(reading.cache))
    try:
        hashes = list(unit.hashes) or [file_hash(path) for path in unit.files]
        key = pack_key(unit.reader, hashes, unit.plan, reading.window)
        return cache.find(key) or _fresh(cache, key, unit, reading)
    except UnreadableError as error:
        return Refused(unit.name, error.message)
    except MemoryError:
        return Refused(unit.name, "there is not enough memory to decode it")


def _fresh(cache: PixelCache, key: str, unit: Unit, reading: Reading) -> Pack:
    module, _, name = _READERS[unit.reader].partition(":")
    decode = getattr(import_module(module), name)
    images, noticed = decode(unit.files, unit.plan, reading.window)
    return cache.put(key, [np.ascontiguousarray(pixels) for pixels in images], noticed)
