"""What a long run keeps so that it can be resumed: named arrays, each written whole or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays


class Checkpoint:
    """A folder of named arrays; with no folder it keeps nothing and finds nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """What was kept under `key`, or None where nothing was."""
        if self.folder is None or not (path := self._path(key)).exists():
            return None
        return unpack_arrays(path.read_bytes())

    def put(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep `arrays` under `key`."""
        if self.folder is None:
            return
        path = self._path(key)
        partial = path.with_suffix(".partial")
        partial.write_bytes(pack_arrays(arrays))
        os.replace(partial, path)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / (re.sub(r"[^A-Za-z0-9_.-]", "_", key) + ".safetensors")
