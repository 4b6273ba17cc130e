"""What an action is given besides its request, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iatros.core.bundle import BundleDraft
from iatros.core.engine import Engine, SerialEngine
from iatros.core.progress import Progress, SilentProgress
from iatros.core.storage import Content, Scratch

Document = Content


@dataclass(frozen=True)
class Context:
    """The means of a run: they may change how long an answer takes, never what it is."""

    progress: Progress = field(default_factory=SilentProgress)
    engine: Engine = field(default_factory=SerialEngine)
    checkpoint: Path | None = None
    """A folder where an action keeps what lets it resume, or None where nothing is to be kept."""
    scratch: Scratch = field(default_factory=Scratch)
    """Where an action keeps what does not fit into memory; gone when the run ends, after its output is written."""
    run_id: str = ""
    """What the run log and everything the run writes name it by."""


@dataclass(frozen=True)
class Produced:
    """What an action made.

    `result` is plain, JSON-ready data: what `--json` prints and HTTP answers. The door decides where
    `bundle` (a folder), `table` (column name to a list of plain values, one per row) and `documents` (by
    file name, for people; those of a bundle are in the bundle) are written. A document is its bytes, or a
    function that writes them into a file, called only where the door writes.
    """

    result: dict[str, Any]
    bundle: BundleDraft | None = None
    table: dict[str, list[Any]] | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
