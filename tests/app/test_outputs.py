from __future__ import annotations

import os
from pathlib import Path

import pytest

from iatros.app.outputs import write_table
from iatros.core.errors import ConflictError, StorageError


def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table({"a": [1]}, path)
    with pytest.raises(ConflictError):
        write_table({"a": [2]}, path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError):
        write_table({"a": [2]}, path, overwrite=True)
    assert path.read_text() == "a\n1\n"
    assert [p for p in Path(tmp_path).iterdir() if p.is_file()] == [path]
