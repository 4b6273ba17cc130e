"""What was scored, on disk: a file that is only appended to, so that a killed run scores nothing twice."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any


class Record:
    """The scores that lie in `folder`, one compound a line; with no folder nothing is kept and nothing found.

    Those of one objective have one `key`. A line that was cut off when a run was killed is taken off.
    """

    def __init__(self, folder: Path | None, key: str = "") -> None:
        self._known: dict[str, tuple[Any, float]] = {}
        self._file: IO[str] | None = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"scored{key and '-'}{key}.jsonl"
        if path.exists():
            self._known = _read(path)
        self._file = path.open("a", encoding="utf-8")

    def __len__(self) -> int:
        return len(self._known)

    def get(self, smiles: str) -> tuple[Any, float] | None:
        """The score of a compound, and the second of the search at which it was found."""
        return self._known.get(smiles)

    def add(self, found: Mapping[str, Any], seconds: float) -> None:
        """Keep scores by canonical SMILES."""
        if self._file is None or not found:
            return
        for smiles, one in found.items():
            line = {
                "smiles": smiles,
                "score": _plain(one.score),
                "parts": _plain(one.parts),
                "values": _plain(one.values),
                "reason": one.reason,
                "seconds": round(seconds, 3),
            }
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _read(path: Path) -> dict[str, tuple[Any, float]]:
    known = {}
    with path.open("rb+") as file:
        whole = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            held = json.loads(line)
            seconds = held.pop("seconds")
            for name in ("score", "parts", "values"):
                held[name] = _number(held[name])
            known[held["smiles"]] = (SimpleNamespace(**held), seconds)
        file.truncate(whole)
    return known


def _plain(value: Any) -> Any:
    """A number that JSON knows, None for nan; the same within tuples and mappings."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    number = float(value)
    return number if math.isfinite(number) else None


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _number(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_number(one) for one in value]
    return math.nan if value is None else value
