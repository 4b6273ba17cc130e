"""The log of runs: one JSON line a run in `runs.jsonl`, in the folder IATROS_HOME (by default ~/.iatros)."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from iatros.core.arrays import plain
from iatros.core.errors import StorageError
from iatros.version import __version__

LOG = "runs.jsonl"


def home_folder() -> Path:
    """Where iatros keeps what belongs to its user; it need not exist yet."""
    return Path(os.environ.get("IATROS_HOME") or Path.home() / ".iatros")


def new_run_id() -> str:
    """A name for a run: the time in UTC, so that names sort by it, and 48 random bits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"


def append_run(record: dict[str, Any], home: Path | None = None) -> Path:
    """Add `record` as one line, flushed to the disk; returns the log's path. It must hold no patient data.

    Runs that end together wait for each other. Where the disk is full the log is as it was before, and
    StorageError is raised.
    """
    path = (home or home_folder()) / LOG
    line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file, _locked(file):
            _append(file, line)
    except OSError as error:
        raise StorageError(
            f"the run log could not be written ({error.strerror or error})",
            where=str(path),
            hint="free space, or name another folder in IATROS_HOME",
        ) from error
    return path


def read_runs(home: Path | None = None, *, last: int | None = None) -> list[dict[str, Any]]:
    """The logged runs, oldest first, or the `last` of them.

    A line that a crash left half written comes back as `{"run_id": None, "broken": "line 7 ..."}`.
    """
    path = (home or home_folder()) / LOG
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        runs = [_parsed(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    return runs if last is None else runs[len(runs) - min(last, len(runs)) :]


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    return (
        record if isinstance(record, dict) else {"run_id": None, "broken": f"line {number} is not a record"}
    )


def _append(file: IO[bytes], line: bytes) -> None:
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            line = b"\n" + line  # a crash left the last line unfinished: keep it apart from this one
    try:
        written = 0
        while written < len(line):
            written += file.write(line[written:]) or 0
        os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


@contextlib.contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """Hold the file's lock; systems without one rely on lines being appended whole."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Versions of Python, of this package and of the `libraries` that are installed: what made the numbers."""
    found = {"python": platform.python_version(), "iatros": __version__}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
