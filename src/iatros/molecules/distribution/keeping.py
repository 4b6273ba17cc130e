"""A folder of files that is kept for the next run, opened only where every file is as it was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iatros.core.errors import NotABundleError
from iatros.core.storage import write_folder

_HEAD = "kept.json"


def write(folder: Path, head: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write `files` into `folder`, with `head` (plain values) and the hash of each beside them."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    document = json.dumps({"head": dict(head), "files": hashes}, sort_keys=True).encode()
    write_folder(folder, {**files, _HEAD: document})


def read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The head and the files; NotABundleError where something is missing or damaged, so that it is made anew."""
    try:
        document = json.loads((folder / _HEAD).read_bytes())
        head, hashes = dict(document["head"]), dict(document["files"])
        files = {name: (folder / str(name)).read_bytes() for name in hashes}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotABundleError("nothing is kept there", where=str(folder)) from error
    if any(hashlib.sha256(content).hexdigest() != hashes[name] for name, content in files.items()):
        raise NotABundleError("what is kept there is damaged", where=str(folder))
    return head, files
