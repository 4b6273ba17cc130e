"""Single files written whole or not at all (folders are tested with the bundles)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iatros.core import storage
from iatros.core.errors import ConflictError, StorageError
from iatros.core.storage import Scratch, write_file, write_folder


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


def test_a_file_may_be_written_by_a_function(tmp_path: Path) -> None:
    def many(file: Any) -> None:
        for number in range(3):
            file.write(b"%d\n" % number)

    path = write_folder(tmp_path / "out", {"a.csv": many, "b.txt": b"b"})
    assert (path / "a.csv").read_bytes() == b"0\n1\n2\n"
    assert (path / "b.txt").read_bytes() == b"b"


def test_a_function_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "out", {"a.csv": b"old"})

    def half(file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="what was there before is untouched"):
        write_folder(path, {"a.csv": half})
    assert (path / "a.csv").read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["out"]


def test_a_scratch_folder_is_private_made_when_asked_for_and_goes(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        assert list(tmp_path.iterdir()) == []
        folder = scratch.folder()
        assert folder == scratch.folder()
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "much").write_bytes(b"x" * 1000)
        seen: list[bool] = []
        scratch.call_first(lambda: seen.append(folder.exists()))
    assert seen == [True]
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_lies_elsewhere_where_its_place_is_not_there_yet(tmp_path: Path) -> None:
    with Scratch(tmp_path / "none") as scratch:
        assert scratch.folder().is_dir()
        assert not (tmp_path / "none").exists()
