"""Single files written whole or not at all (folders are tested with the bundles)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iatros.core import storage
from iatros.core.errors import ConflictError, StorageError
from iatros.core.storage import write_file


def test_write_and_overwrite(tmp_path: Path) -> None:
    path = write_file(tmp_path / "new" / "a.csv", b"one")
    assert path.read_bytes() == b"one"
    with pytest.raises(ConflictError, match="there already"):
        write_file(path, b"two")
    write_file(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"
    assert [found.name for found in path.parent.iterdir()] == ["a.csv"]


def test_a_folder_or_a_link_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("folder", "link"):
        with pytest.raises(ConflictError):
            write_file(tmp_path / name, b"x", overwrite=True)
    assert (tmp_path / "target").read_text() == "kept"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, function: str
) -> None:
    path = write_file(tmp_path / "a.csv", b"old")

    def fail(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(storage.os, function, fail)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        write_file(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]


def test_no_permission(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="what was there before is untouched"):
        write_file(tmp_path / "file" / "below", b"x")
