"""Computed features on disk, named by the content they were computed from.

A file holds the SHA-256 of what follows and then arrays in safetensors' format; one that is damaged is computed
anew. Files are written beside their place and renamed, so that several runs can fill one folder, which can be deleted
at any time. No structure is in the name or the file, only numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.kept import write_kept
from iatros.core.runs import home_folder

FORMAT = 1
"""Part of every name: what an older version wrote is not read but computed anew."""


class FeatureStore:
    """A folder of computed features; by default `cache/compounds` where iatros keeps what belongs to its user."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home_folder() / "cache" / "compounds"

    @staticmethod
    def key(version: str, what: dict[str, Any], smiles: Sequence[str]) -> str:
        """The name for `what` computed from `smiles` by that version of RDKit."""
        return hashlib.sha256(json.dumps([FORMAT, version, what, list(smiles)]).encode()).hexdigest()

    def find(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays called `key`; None where there are none or they are damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            content = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            return None
        try:
            return dict(load(content[32:]))
        except (SafetensorError, ValueError):
            return None

    def put(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        """Write the arrays `key`; StorageError where the disk is full or the folder cannot be written."""
        from safetensors.numpy import save

        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        write_kept(
            self._path(key),
            [hashlib.sha256(content).digest(), content],
            what="computed features could not be kept",
            where=self.folder,
            hint="free space, or name another folder in IATROS_HOME",
        )

    def _path(self, key: str) -> Path:
        return self.folder / f"v{FORMAT}" / key[:2] / f"{key}.features"
