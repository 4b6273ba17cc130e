"""Sources of compounds as searchable libraries, built once for each content of a file and kept.

They lie in `cache/libraries` where iatros keeps what belongs to its user, named by a hash of the file's bytes and of
how it was read; the folder can be deleted at any time. When one is added, those that were used longest ago go until no
more than `MOST_ENTRIES` and `MOST_BYTES` are left. What is not a file is indexed for the one run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from rdkit import Chem, rdBase

from iatros.core.context import Context
from iatros.core.errors import NotABundleError, TableError
from iatros.core.kept import mark_used, prune
from iatros.core.runs import home_folder
from iatros.learners.compounds import index
from iatros.learners.compounds.fingerprints import Fingerprint, rdkit_version
from iatros.learners.compounds.index import Library, build_library, open_library
from iatros.molecules.curation.parsing import StructureError, parse
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted

MOST_ENTRIES = 64
MOST_BYTES = 20 * 1024**3
"""Most that is kept of each kind; a million compounds take 0.4 GB."""

Kept = TypeVar("Kept")


def library_of(reference: Any, wanted: Wanted, fingerprint: Fingerprint, context: Context) -> Library:
    """The compounds of `reference`, ready to be searched by `fingerprint`; TableError where there are none."""
    made = _opened(reference, wanted, fingerprint, context)
    if not len(made) and not made.n_refused:
        raise TableError(
            "holds no compounds", where=made.source["name"], hint="one compound a line is needed"
        )
    return made


def _opened(reference: Any, wanted: Wanted, fingerprint: Fingerprint, context: Context) -> Library:
    if not isinstance(reference, Path):
        return _built(reference, wanted, fingerprint, context.scratch.folder() / "library", context)
    how = [index.FORMAT, asdict(wanted), asdict(fingerprint)]
    return kept(
        "libraries",
        reference,
        how,
        open_library,
        lambda folder: _built(reference, wanted, fingerprint, folder, context),
    )


def kept(
    kind: str, path: Path, how: list[Any], opened: Callable[[Path], Kept], built: Callable[[Path], Kept]
) -> Kept:
    """What was made of the file at `path` in the way that `how` tells: `opened` from `cache/<kind>`, or else `built`.

    Both are given the folder; `opened` raises NotABundleError where it holds nothing that can be used.
    """
    root = home_folder() / "cache" / kind
    folder = root / _key(path, how)
    try:
        made = opened(folder)
        mark_used(folder)
    except NotABundleError:
        made = built(folder)
        prune(root, most_bytes=MOST_BYTES, most_entries=MOST_ENTRIES, spare=folder)
    return made


def _built(
    reference: Any, wanted: Wanted, fingerprint: Fingerprint, folder: Path, context: Context
) -> Library:
    opened = open_compounds(reference, wanted)
    with rdBase.BlockLogs():
        return build_library(
            _entries(opened.entries),
            folder,
            fingerprint,
            source={"name": opened.name, "format": opened.format},
            engine=context.engine,
            progress=context.progress,
        )


def _key(path: Path, how: list[Any]) -> str:
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TableError(f"cannot be read ({error.strerror or error})", where=str(path)) from error
    named = [content, rdkit_version(), path.name, *how]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _entries(entries: Iterator[Entry]) -> Iterator[index.Entry]:
    """The structures as SMILES: those that are already stay as they are written, and are read by the workers."""
    for entry in entries:
        if entry.refusal == BLANK:
            continue
        smiles, refusal = entry.structure, entry.refusal
        if not refusal and (entry.molblock or smiles.lstrip().startswith("InChI=")):
            try:
                smiles = Chem.MolToSmiles(parse(smiles, molblock=entry.molblock))
            except StructureError as error:
                refusal = str(error)
        yield index.Entry(smiles.strip(), entry.name, entry.line, refusal)
