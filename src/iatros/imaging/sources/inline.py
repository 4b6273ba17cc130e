"""Files that come with a request: written to a private folder that lasts as long as their collection is used."""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from iatros.core.errors import InputError, LimitError
from iatros.imaging.schema import Refused
from iatros.imaging.sources.limits import MAX_INLINE_BYTES, MAX_INLINE_FILES

_NAME = re.compile(r"[^\x00-\x1f\x7f\\:*?\"<>|]{1,200}")


def private_folder() -> Path:
    """An empty folder that only this user can open."""
    return Path(tempfile.mkdtemp(prefix="iatros-images-"))


def write_inline(files: list[dict[str, Any]], folder: Path) -> list[Refused]:
    """Write the files into `folder` under their names; those whose name or content is unfit are refused.

    InputError where there are none; LimitError where there are too many, or too many bytes.
    """
    if not files:
        raise InputError("there are no images", hint="send at least one file with name and content")
    if len(files) > MAX_INLINE_FILES:
        raise LimitError(f"{len(files)} files are more than the {MAX_INLINE_FILES} of one request")
    size = sum(len(file["content"]) for file in files if isinstance(file["content"], str)) * 3 // 4
    if size > MAX_INLINE_BYTES:
        raise LimitError(f"the files have {size:,} bytes; one request may bring {MAX_INLINE_BYTES:,}")
    refused = []
    for number, file in enumerate(files, start=1):
        name = file["name"]
        reason = _unfit(name, folder) if isinstance(name, str) else "its name is not text"
        content = None if reason else _content(file["content"])
        if content is None:
            place = f"file {number}" if reason else name
            refused.append(Refused(place, reason or "its content is not base64"))
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return refused


def _unfit(name: str, folder: Path) -> str | None:
    """Why a file cannot have this name, or None where it can."""
    parts = PurePosixPath(name).parts
    if not _NAME.fullmatch(name) or name.startswith("/") or not parts or name.endswith("/"):
        return "its name is not the relative path of a file"
    if any(part.startswith(".") for part in parts) or len(parts) > 20:
        return "its name has a part that begins with a dot, or too many parts"
    path = folder / name
    if path.exists():
        return "another file has the same name"
    if any(parent.is_file() for parent in path.parents):
        return "its name lies below that of another file"
    return None


def _content(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
