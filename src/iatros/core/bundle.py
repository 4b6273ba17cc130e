"""A trained model on disk: a folder of `manifest.json` and hashed files, opened without running code.

```
BUNDLE/
  manifest.json          what the model is, how it was made and judged, and the SHA-256 of each file
  manifest.json.sha256   the SHA-256 of the manifest, as `sha256sum -c` reads it
  forest.onnx, ...       the model: ONNX or safetensors arrays
  report.html, ...       documents for people
```

The hashes find accidents and careless edits. They are no signature: whoever can write the folder can
also write new hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iatros.core.arrays import pack_arrays, plain, unpack_arrays
from iatros.core.errors import (
    BundleError,
    ConflictError,
    IatrosError,
    NotABundleError,
    TamperedBundleError,
    UnknownNameError,
    unknown_name,
)
from iatros.core.manifest import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SEAL,
    check_name,
    listed_files,
    parse,
    read_plain,
    seal,
)
from iatros.core.storage import write_folder

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Bundle",
    "BundleDraft",
    "list_bundles",
    "open_bundle",
    "pack_arrays",
    "unpack_arrays",
    "verify_bundle",
    "write_bundle",
]


@dataclass(frozen=True)
class BundleDraft:
    """What will become a bundle; `write_bundle` adds the format, the hashes and the sizes.

    `manifest` needs at least `domain` and `model`. `documents` are hashed under
    `manifest["created"]["documents"]`, because they may hold the date: everything outside `created` is
    the same for the same data, request and seed.
    """

    manifest: dict[str, Any]
    files: dict[str, bytes]
    documents: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `manifest_sha256` is what a child names its parent by."""

    path: Path
    manifest: dict[str, Any]
    manifest_sha256: str

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def parent_reference(self) -> dict[str, str]:
        """How a bundle made from this one names it."""
        return {"name": self.name, "manifest_sha256": self.manifest_sha256}

    def read(self, name: str) -> bytes:
        """The bytes of one file or document, checked again: nothing may change between check and use."""
        listed = listed_files(self.manifest)
        if name not in listed:
            raise unknown_name("file of the bundle", name, listed, where=self.name)
        content = read_plain(self.path / name, listed[name]["bytes"])
        if hashlib.sha256(content).hexdigest() != listed[name]["sha256"]:
            raise TamperedBundleError(
                f"the file {name} changed after the bundle was opened", where=self.name, hint="open it again"
            )
        return content


def open_bundle(path: str | Path) -> Bundle:
    """The bundle in the folder `path`, after its format, its names, its sizes and every hash were checked.

    Raises UnknownNameError (nothing there), NotABundleError (a file, a pickle, another folder),
    BundleFormatError (a newer format), TamperedBundleError (a byte changed, a file missing or added,
    a link, a name that leads out of the folder) and LimitError. Nothing is unpickled or imported.
    """
    path = Path(os.path.abspath(path))
    try:
        return _open(path)
    except OSError as error:
        raise BundleError(
            f"the bundle cannot be read ({error.strerror or error})", where=path.name
        ) from error


def _open(path: Path) -> Bundle:
    _check_is_folder(path)
    raw = _read_manifest(path)
    digest = hashlib.sha256(raw).hexdigest()
    sealed = _seal_agrees(path, digest)
    manifest = parse(raw, path.name)
    if sealed is None:
        raise TamperedBundleError(f"{SEAL} is missing", where=path.name, hint="copy the bundle again")
    listed = listed_files(manifest, path.name)
    _check_files(path, listed)
    return Bundle(path, manifest, digest)


def verify_bundle(path: str | Path) -> dict[str, Any]:
    """Names, sizes and hashes of a bundle that passed every check; raises as `open_bundle` does."""
    bundle = open_bundle(path)
    listed = listed_files(bundle.manifest)
    return {
        "name": bundle.name,
        "valid": True,
        "format": bundle.manifest["format"],
        "domain": bundle.manifest["domain"],
        "model": bundle.manifest["model"],
        "manifest_sha256": bundle.manifest_sha256,
        "n_files": len(listed),
        "bytes": sum(entry["bytes"] for entry in listed.values()),
        "files": [{"name": name, **listed[name]} for name in sorted(listed)],
    }


def list_bundles(folder: str | Path) -> list[dict[str, Any]]:
    """A summary of each bundle directly inside `folder`; a broken one has `valid` False and a reason."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UnknownNameError("no such folder", where=str(folder), hint="name the folder that holds bundles")
    candidates = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return [_summary(entry) for entry in candidates if entry.is_dir() and os.path.lexists(entry / MANIFEST)]


def _summary(path: Path) -> dict[str, Any]:
    summary: dict[str, Any] = {"name": path.name, "path": str(path), "valid": True, "reason": None}
    try:
        bundle = open_bundle(path)
    except IatrosError as error:
        return summary | {"valid": False, "reason": str(error)}
    for key in ("format", "domain", "model", "task", "target", "metrics", "iatros", "parent"):
        summary[key] = bundle.manifest.get(key)
    summary["created_at"] = (bundle.manifest.get("created") or {}).get("at")
    summary["manifest_sha256"] = bundle.manifest_sha256
    return summary


def write_bundle(draft: BundleDraft, path: str | Path, *, overwrite: bool = False) -> Path:
    """The folder `path`, written whole or not at all; what was there stays until the new one is on disk.

    The files go to a hidden folder beside `path`, are flushed to the disk, and only then take its place.
    Raises ConflictError where `path` exists (with `overwrite`: where it is anything but a bundle) and
    StorageError where the disk is full or not writable.
    """
    path = Path(os.path.abspath(path))
    _check_free(path, overwrite)
    write_folder(path, _contents(draft))
    return path


def _check_is_folder(path: Path) -> None:
    if not os.path.lexists(path):
        beside = path.parent.iterdir() if path.parent.is_dir() else []
        raise unknown_name(
            "bundle", path.name, [entry.name for entry in beside if (entry / MANIFEST).is_file()]
        )
    if path.is_dir():
        return
    what = "a link that leads nowhere" if path.is_symlink() and not path.exists() else _kind_of_file(path)
    raise NotABundleError(
        f"this is {what}, not a bundle",
        where=path.name,
        hint="a bundle is a folder that iatros wrote",
    )


def _kind_of_file(path: Path) -> str:
    if not path.is_file():
        return "a special file"
    with path.open("rb") as file:
        head = file.read(4)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle, which iatros never opens because opening one can run any code"
    if path.suffix.lower() in (".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        return "by its name a pickle, which iatros never opens because opening one can run any code"
    return "an archive" if head == b"PK\x03\x04" else "a file"


def _read_manifest(path: Path) -> bytes:
    if not os.path.lexists(path / MANIFEST):
        pickles = any(entry.suffix in (".pkl", ".pickle", ".joblib") for entry in path.iterdir())
        said = f"the folder has no {MANIFEST}" + (" but pickles, which iatros never opens" if pickles else "")
        raise NotABundleError(said, where=path.name, hint="a bundle is a folder that iatros wrote")
    return read_plain(path / MANIFEST, MAX_MANIFEST_BYTES)


def _seal_agrees(path: Path, digest: str) -> bool | None:
    """True where the seal holds, None where there is none; a seal that does not hold is an error."""
    if not os.path.lexists(path / SEAL):
        return None
    if read_plain(path / SEAL, 1000) != seal(digest):
        raise TamperedBundleError(
            f"{MANIFEST} differs from the hash beside it",
            where=path.name,
            hint="do not use this bundle; copy it again",
        )
    return True


def _check_files(path: Path, listed: dict[str, dict[str, Any]]) -> None:
    present = set(_walk(path, path.name))
    for name in sorted(set(listed) - present):
        raise TamperedBundleError(f"{name} is missing", where=path.name, hint="copy the bundle again")
    for name in sorted(present - set(listed) - {MANIFEST, SEAL}):
        raise TamperedBundleError(
            "the folder holds a file that the manifest does not list",
            where=path.name,
            cell=name,
            hint="remove it",
        )
    for name, entry in sorted(listed.items()):
        _check_file(path / name, name, entry, path.name)


def _walk(folder: Path, where: str, prefix: str = "") -> Iterator[str]:
    """Names of all files below `folder`; a link or a special file is refused, not followed."""
    for entry in sorted(os.scandir(folder), key=lambda found: found.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), where, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
        else:
            raise TamperedBundleError(f"{prefix}{entry.name} is a link or a special file", where=where)


def _check_file(path: Path, name: str, entry: dict[str, Any], where: str) -> None:
    try:
        with path.open("rb") as file:
            intact = (
                os.fstat(file.fileno()).st_size == entry["bytes"]
                and hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]
            )
    except OSError as error:
        raise BundleError(f"{name} cannot be read ({error.strerror})", where=where) from None
    if not intact:
        raise TamperedBundleError(
            f"the file {name} differs from its hash in the manifest",
            where=where,
            hint="do not use this bundle; copy it again from where it was trained",
        )


def _contents(draft: BundleDraft) -> dict[str, bytes]:
    """Every file of the bundle by name, the manifest and its seal last."""
    for name in [*draft.files, *draft.documents]:
        check_name(name, "the draft")
    if set(draft.files) & set(draft.documents):
        raise ValueError("a name is used for a file and for a document")
    created = {**draft.manifest.get("created", {}), "documents": _hashes(draft.documents)}
    manifest = {"format": FORMAT, **draft.manifest, "files": _hashes(draft.files), "created": created}
    raw = json.dumps(plain(manifest), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    parse(raw, "the draft")
    guard = seal(hashlib.sha256(raw).hexdigest())
    return {**draft.files, **draft.documents, MANIFEST: raw, SEAL: guard}


def _hashes(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(files.items())
    }


def _check_free(path: Path, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir() or not _is_only_a_bundle(path):
        raise ConflictError(
            "something that is not a bundle is there already", where=str(path), hint="choose another place"
        )
    if not overwrite:
        raise ConflictError(
            "a bundle is there already", where=str(path), hint="choose another place or overwrite"
        )


def _is_only_a_bundle(path: Path) -> bool:
    """True where the folder has a manifest and no file besides those it lists; damaged ones pass."""
    try:
        manifest = parse(_read_manifest(path), path.name)
        return set(_walk(path, path.name)) <= {*listed_files(manifest, path.name), MANIFEST, SEAL}
    except IatrosError:
        return False
