"""Entries handed to workers a batch at a time, so that memory is bounded whatever the size of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from iatros.core.engine import Engine, SerialEngine
from iatros.core.progress import SilentProgress
from iatros.molecules.schema import Entry

BATCH_LINES = 500
BATCHES_PER_WORKER = 16
"""Batches that are read ahead for each worker: what bounds the memory, whatever the size of the file."""

Shared = TypeVar("Shared")
Answer = TypeVar("Answer")


def in_batches(
    function: Callable[[Shared, list[Entry]], Answer],
    shared: Shared,
    entries: Iterator[Entry],
    engine: Engine,
) -> Iterator[tuple[list[Entry], Answer]]:
    """Batches of `entries` in order, each with `function(shared, batch)`."""
    batches = _batches(entries)
    while wave := list(islice(batches, BATCHES_PER_WORKER * engine.workers)):
        # One batch is done sooner here than a worker has started.
        runner = engine if len(wave) > 1 else SerialEngine()
        answers = runner.map(function, wave, shared, progress=SilentProgress(), label="lines")
        yield from zip(wave, answers, strict=True)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH_LINES)):
        yield batch
