"""What iatros keeps to be faster the next time, and could compute again: written whole, and gone when it is old.

Several runs can fill one cache at a time. A file or folder of it can be deleted at any moment; who reads it computes it
again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iatros.core.errors import StorageError

_ABANDONED_SECONDS = 24 * 3600
"""Hidden entries are being written, and those of this age were never finished."""


def write_kept(path: Path, pieces: Iterable[Any], *, what: str, where: Path, hint: str) -> None:
    """The file `path` with `pieces` one after the other, in place of what was there.

    It is written beside its place and renamed, without waiting for the disk: after a power cut it may be damaged, which
    its reader must notice. StorageError in the words of `what`, `where` and `hint` where writing fails.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.writelines(pieces)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StorageError(f"{what} ({error.strerror or error})", where=str(where), hint=hint) from error


def mark_used(folder: Path) -> None:
    """Note that a kept folder was used now; the time of its last change says so."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def prune(root: Path, *, most_bytes: int, most_entries: int, spare: Path) -> list[str]:
    """Remove kept folders in `root`, those that were used longest ago first, until the rest is within both limits.

    `spare` stays whatever its size. What another run left unfinished a day ago goes too. Returns the removed names;
    what cannot be removed stays.
    """
    kept: list[tuple[int, Path, int]] = []
    removed = []
    for entry in _entries(root):
        used, size = _used_and_size(entry)
        if entry.name.startswith("."):
            if time.time() - used / 1e9 > _ABANDONED_SECONDS and _remove(entry):
                removed.append(entry.name)
        else:
            kept.append((used, entry, size))
    kept.sort(key=lambda one: (one[1] == spare, one[0], one[1].name), reverse=True)
    n_bytes = 0
    for number, (_, entry, size) in enumerate(kept):
        n_bytes += size
        over = number >= most_entries or n_bytes > most_bytes
        if over and entry != spare and _remove(entry):
            removed.append(entry.name)
    return removed


def _entries(root: Path) -> list[Path]:
    try:
        return [entry for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _used_and_size(folder: Path) -> tuple[int, int]:
    """When `folder` was last used, in nanoseconds, and how many bytes its files hold; 0 where it has just gone."""
    try:
        return folder.stat().st_mtime_ns, sum(
            file.stat().st_size for file in folder.rglob("*") if file.is_file()
        )
    except OSError:
        return 0, 0


def _remove(folder: Path) -> bool:
    """Remove `folder`, first out of sight, so that nobody opens half of it."""
    aside = folder.with_name(f".{folder.name.lstrip('.')}.{secrets.token_hex(6)}.old")
    try:
        os.rename(folder, aside)
    except OSError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True
