"""The folder in which a run that can be resumed keeps its work, beside its output."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iatros.core.errors import ConflictError, RequestError, StorageError
from iatros.core.request import Request
from iatros.version import __version__

_IDENTITY = "run.json"


@contextmanager
def checkpoint(
    out: Path | None, domain: str, action: str, request: Request, *, resume: bool
) -> Iterator[Path | None]:
    """The folder `OUT.checkpoint` while the block runs, or None without `resume`; removed when the block ends well.

    A folder that a run with another request, other inputs or another version began is refused
    (ConflictError). A run that fails before it kept anything leaves nothing behind.
    """
    if not resume:
        yield None
        return
    if out is None:
        raise RequestError(
            "only a run that writes a bundle or documents can be resumed: its work is kept beside them",
            hint="give out",
        )
    folder = checkpoint_of(out)
    identity = _identity(domain, action, request)
    _claim(folder, identity)
    try:
        yield folder
    except BaseException:
        if [path.name for path in folder.iterdir()] == [_IDENTITY]:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def checkpoint_of(out: Path) -> Path:
    """Where a run that writes to `out` keeps what lets it resume."""
    return out.with_name(out.name + ".checkpoint")


def _claim(folder: Path, identity: dict[str, Any]) -> None:
    if not folder.exists():
        try:
            folder.mkdir(parents=True)
            (folder / _IDENTITY).write_text(json.dumps(identity, indent=1), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{folder} could not be made: {error.strerror or error}") from error
        return
    try:
        begun = json.loads((folder / _IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConflictError(
            f"{folder} is not the checkpoint of a run", hint="remove it, or give another out"
        ) from None
    if begun != identity:
        differs = ", ".join(_differences(begun, identity)) or "the run"
        raise ConflictError(
            f"{folder} was begun by a run that differs in {differs}",
            hint="ask for the same again, or remove that folder to start anew",
        )


def _differences(begun: Any, identity: dict[str, Any]) -> list[str]:
    if not isinstance(begun, dict):
        return []
    names = [name for name in ("domain", "action", "iatros") if begun.get(name) != identity[name]]
    for part in ("request", "inputs"):
        old, new = begun.get(part) or {}, identity[part]
        names += [
            name for name in sorted({*old, *new}) if old.get(name) != new.get(name) and name not in names
        ]
    return names


def _identity(domain: str, action: str, request: Request) -> dict[str, Any]:
    return {
        "domain": domain,
        "action": action,
        "iatros": __version__,
        "request": request.model_dump(mode="json"),
        "inputs": _inputs(request),
    }


def _inputs(request: Request) -> dict[str, str]:
    """SHA-256 of what each field of `request` refers to, where it refers to something outside itself."""
    hashes = {}
    for name in type(request).model_fields:
        value = getattr(request, name)
        if isinstance(value, Path):
            hashes[name] = _hash_path(value)
        elif hasattr(value, "write_csv"):
            hashes[name] = hashlib.sha256(value.write_csv().encode()).hexdigest()
        elif hasattr(value, "to_csv"):
            hashes[name] = hashlib.sha256(value.to_csv().encode()).hexdigest()
        elif isinstance(value, list):
            hashes[name] = hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()
    return hashes


def _hash_path(path: Path) -> str:
    """Of a file its bytes, of a bundle its manifest, of any other folder the names, sizes and times of its files."""
    file = path / "manifest.json" if path.is_dir() else path
    try:
        if path.is_dir() and not file.is_file():
            return _hash_listing(path)
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _hash_listing(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            facts = path.stat()
            digest.update(f"{path.relative_to(folder)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()
