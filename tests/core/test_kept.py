"""What is kept to be faster: whole or not at all, and the oldest unused gone first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from iatros.core.errors import StorageError
from iatros.core.kept import mark_used, prune, write_kept


def folder(root: Path, name: str, n_bytes: int, used_hours_ago: float) -> Path:
    made = root / name
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "content").write_bytes(b"x" * n_bytes)
    used = time.time() - 3600 * used_hours_ago
    os.utime(made, (used, used))
    return made


def left(root: Path) -> set[str]:
    return {entry.name for entry in root.iterdir()}


def test_pieces_are_written_in_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in (b"one", b"other"):
        write_kept(path, [content, memoryview(b"!")], what="lost", where=tmp_path, hint="wait")
        assert path.read_bytes() == content + b"!"
    assert left(path.parent) == {"file"}


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def pieces():  # type: ignore[no-untyped-def]
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"lost \(No space left on device\)") as raised:
        write_kept(path, pieces(), what="lost", where=tmp_path, hint="free space")
    assert (raised.value.where, raised.value.hint) == (str(tmp_path), "free space")
    assert path.read_bytes() == b"before"
    assert left(tmp_path) == {"file"}


def test_the_longest_unused_go_until_the_rest_fits(tmp_path: Path) -> None:
    for name, n_bytes, hours in (("a", 40, 5.0), ("b", 40, 1.0), ("c", 40, 3.0), ("d", 40, 9.0)):
        folder(tmp_path, name, n_bytes, hours)
    assert set(prune(tmp_path, most_bytes=100, most_entries=9, spare=tmp_path / "b")) == {"a", "d"}
    assert left(tmp_path) == {"b", "c"}
    assert prune(tmp_path, most_bytes=100, most_entries=1, spare=tmp_path / "b") == ["c"]


def test_use_counts_and_not_age(tmp_path: Path) -> None:
    old, new = folder(tmp_path, "old", 10, 50.0), folder(tmp_path, "new", 10, 1.0)
    mark_used(old)
    prune(tmp_path, most_bytes=100, most_entries=1, spare=tmp_path / "nowhere")
    assert old.exists()
    assert not new.exists()


def test_what_was_just_made_stays_whatever_its_size(tmp_path: Path) -> None:
    made = folder(tmp_path, "large", 500, 100.0)
    folder(tmp_path, "small", 10, 0.0)
    prune(tmp_path, most_bytes=100, most_entries=5, spare=made)
    assert left(tmp_path) == {"large"}


def test_only_what_was_abandoned_a_day_ago_is_swept(tmp_path: Path) -> None:
    folder(tmp_path, ".x.abc.partial", 10, 30.0)
    folder(tmp_path, ".y.abc.partial", 10, 2.0)
    (tmp_path / "file").write_bytes(b"not a folder")
    assert prune(tmp_path, most_bytes=0, most_entries=0, spare=tmp_path / "x") == [".x.abc.partial"]
    assert left(tmp_path) == {".y.abc.partial", "file"}


def test_there_may_be_nothing_to_prune(tmp_path: Path) -> None:
    assert prune(tmp_path / "nowhere", most_bytes=1, most_entries=1, spare=tmp_path) == []
    mark_used(tmp_path / "nowhere")
