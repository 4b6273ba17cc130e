"""Files and folders written whole or not at all: on a full disk or an interrupt the old ones stay."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from iatros.core.errors import ConflictError, StorageError

Content = bytes | Callable[[BinaryIO], None]
"""What a file is to hold: its bytes, or a function that writes them, for what is too large for the memory."""


def write_file(path: str | Path, content: bytes, *, overwrite: bool = False) -> Path:
    """The file `path` with `content`; ConflictError where it exists, StorageError where writing fails."""
    path = Path(os.path.abspath(path))
    if os.path.lexists(path) and (not overwrite or not path.is_file() or path.is_symlink()):
        raise ConflictError(
            "the file is there already", where=str(path), hint="choose another place, or overwrite"
        )
    with _beside(path) as partial:
        _fill(partial.parent, {partial.name: content})
        os.replace(partial, path)
        _sync_folder(path.parent)
    return path


def write_folder(path: str | Path, contents: Mapping[str, Content]) -> Path:
    """The folder `path` holding `contents`, in place of what was there, which the caller allowed to go.

    The files go to a hidden folder beside `path`, are flushed to the disk, and only then take its place.
    """
    path = Path(os.path.abspath(path))
    with _beside(path) as partial:
        partial.mkdir()
        _fill(partial, contents)
        _put_in_place(partial, path)
    return path


class Scratch:
    """A folder for what a run cannot keep in memory, made when it is first asked for and gone when it is closed.

    It lies in `near`, so that it fills the disk that the output was meant for, or else where the system keeps
    temporary files. Only its owner can read it.
    """

    def __init__(self, near: Path | None = None) -> None:
        self._near = near
        self._folder: Path | None = None
        self._stack = contextlib.ExitStack()

    def folder(self) -> Path:
        """The folder."""
        if self._folder is None:
            near = self._near if self._near is not None and self._near.is_dir() else None
            made = tempfile.TemporaryDirectory(prefix=".iatros-", dir=near)
            self._folder = Path(self._stack.enter_context(made))
        return self._folder

    def call_first(self, close: Callable[[], None]) -> None:
        """Have `close` called before the folder goes, such as for a file in it that is kept open."""
        self._stack.callback(close)

    def close(self) -> None:
        """Remove the folder and what lies in it."""
        self._stack.close()
        self._folder = None

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` that is gone afterwards, whatever happens."""
    partial = path.parent / f".{path.name}.{secrets.token_hex(6)}.partial"
    made: list[Path] = []
    try:
        made = _make_parents(path.parent)
        yield partial
    except OSError as error:
        _remove(partial, made)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise ConflictError("another run has just written there", where=str(path)) from error
        raise StorageError(
            f"writing failed ({error.strerror or error})",
            where=str(path),
            hint="free space or choose another place; what was there before is untouched",
        ) from error
    except BaseException:
        _remove(partial, made)
        raise


def _make_parents(folder: Path) -> list[Path]:
    """Make `folder`; returns the folders that were made, the deepest first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _fill(folder: Path, contents: Mapping[str, Content]) -> None:
    for name, content in contents.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
    for directory in {(folder / name).parent for name in contents} | {folder}:
        _sync_folder(directory)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(partial: Path, path: Path) -> None:
    if not path.exists():
        os.rename(partial, path)
    elif _exchange(partial, path):
        shutil.rmtree(partial, ignore_errors=True)
    else:
        aside = partial.with_suffix(".old")
        try:
            os.rename(path, aside)
            os.rename(partial, path)
        except BaseException:
            if aside.exists() and not path.exists():
                os.rename(aside, path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _sync_folder(path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, so that not even a power cut leaves neither; False where Linux cannot."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, exchange = -100, 2
    if swap(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number))


def _remove(partial: Path, made: list[Path]) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            partial.unlink()
    with contextlib.suppress(OSError):
        for folder in made:
            folder.rmdir()
