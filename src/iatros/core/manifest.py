"""The manifest of a bundle: its format number, the names, sizes and hashes it lists, and its seal."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from iatros.core.errors import (
    BundleError,
    BundleFormatError,
    LimitError,
    NotABundleError,
    TamperedBundleError,
)

FORMAT = 1
"""The number that this version writes, and the highest that it reads.

To change the format: raise it, keep reading every number below it, and keep a bundle of each old format
in the tests.
"""

MANIFEST = "manifest.json"
SEAL = "manifest.json.sha256"
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_FILES = 1000
MAX_BYTES = 8 * 2**30

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*){0,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_name(name: str, where: str) -> None:
    """Refuse a file name that is not a plain relative path inside the folder."""
    parts = name.split("/")
    if len(name) > 200 or not _NAME.fullmatch(name) or ".." in parts or name in (MANIFEST, SEAL):
        raise TamperedBundleError(
            "the manifest names a file that does not lie in the bundle's folder",
            where=where,
            cell=name[:200],
            hint="do not use this bundle",
        )


def seal(digest: str) -> bytes:
    """The content of the file that guards the manifest."""
    return f"{digest}  {MANIFEST}\n".encode()


def parse(raw: bytes, name: str) -> dict[str, Any]:
    """The manifest, where its format number is one that this version reads."""
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotABundleError(f"{MANIFEST} is not JSON", where=name) from None
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise NotABundleError(f"{MANIFEST} has no format number", where=name, hint="iatros did not write it")
    if number > FORMAT:
        raise BundleFormatError(
            f"the bundle has format {number}, this version of iatros reads up to {FORMAT}",
            where=name,
            hint=f"update iatros (it was written by version {str(manifest.get('iatros', 'unknown'))[:40]})",
        )
    if not all(isinstance(manifest.get(key), str) for key in ("domain", "model")):
        raise NotABundleError(f"{MANIFEST} does not name its domain and model", where=name)
    return manifest


def listed_files(manifest: dict[str, Any], where: str = "bundle") -> dict[str, dict[str, Any]]:
    """Size and hash of every file and document that the manifest lists, by name."""
    created = manifest.get("created")
    listed = [manifest.get("files"), created.get("documents") if isinstance(created, dict) else None]
    entries: dict[str, dict[str, Any]] = {}
    for part in listed:
        if not isinstance(part, dict):
            raise TamperedBundleError("the manifest does not list its files", where=where)
        for name, entry in part.items():
            check_name(name, where)
            if name in entries or not _is_entry(entry):
                raise TamperedBundleError(f"the manifest's entry for {name} is not valid", where=where)
            entries[name] = entry
    if len(entries) > MAX_FILES:
        raise LimitError(f"the bundle lists {len(entries)} files, {MAX_FILES} are allowed", where=where)
    total = sum(entry["bytes"] for entry in entries.values())
    if total > MAX_BYTES:
        raise LimitError(f"the bundle's files hold {total} bytes, {MAX_BYTES} are allowed", where=where)
    return entries


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"sha256", "bytes"}:
        return False
    size, digest = entry["bytes"], entry["sha256"]
    return type(size) is int and size >= 0 and isinstance(digest, str) and bool(_SHA256.fullmatch(digest))


def read_plain(path: Path, at_most: int) -> bytes:
    """The bytes of a regular file that is no link and no longer than `at_most`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise TamperedBundleError(f"the file {path.name} is missing", where=path.parent.name) from None
    except OSError as error:
        if path.is_symlink():
            raise TamperedBundleError(f"{path.name} is a link", where=path.parent.name) from None
        raise BundleError(f"{path.name} cannot be read ({error.strerror})", where=path.parent.name) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TamperedBundleError(f"{path.name} is not a plain file", where=path.parent.name)
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise LimitError(f"{path.name} is larger than the {at_most} bytes allowed", where=path.parent.name)
    return content
