"""A reference set: all that the metrics need of it, computed once for each content of its file and kept.

It lies in `cache/references` where iatros keeps what belongs to its user, named by a hash of the file and of how it was
read; the folder can be deleted at any time. The moments of ChemNet lie beside it on their own, since they can be left
out.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import NotABundleError, TableError
from iatros.molecules.distribution import chemnet, keeping
from iatros.molecules.distribution.chemnet import Moments
from iatros.molecules.distribution.described import Described, describe
from iatros.molecules.libraries import kept
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted

FORMAT = 1
"""Part of every name: what an older version kept is computed anew."""
WANTED = Wanted(None)
"""A reference is read by the columns that its own header names."""


@dataclass(frozen=True)
class Reference:
    """The compounds of a source, repeated ones as often as they stand there.

    `smiles` are canonical; `words` (n, 16) and `values` (n, 4) as in `described`; `fragments` and `scaffolds` say how
    often each occurs. `digest` is the SHA-256 of the different structures as they are written, sorted, one a line.
    """

    name: str
    smiles: tuple[str, ...]
    words: np.ndarray
    values: np.ndarray
    fragments: dict[str, int]
    scaffolds: dict[str, int]
    n_refused: int
    digest: str

    def __len__(self) -> int:
        return len(self.smiles)


def read_reference(source: Any, context: Context, *, role: str) -> Reference:
    """The reference in `source`; TableError where it is a bundle, or holds no compound that can be read."""
    check_source(source, role)
    if not isinstance(source, Path):
        made = _built(source, context, role)
    else:

        def build(folder: Path) -> Reference:
            found = _built(source, context, role)
            _write(folder, found)
            return found

        made = kept("references", source, [FORMAT, "described"], _opened, build)
    if not len(made):
        raise TableError(
            f"holds no compound that can be read, of {made.n_refused:,} lines",
            where=made.name,
            hint=f"{role} is a file of compounds, one on each line",
        )
    return made


def read_moments(reference: Reference, source: Any, context: Context) -> Moments:
    """What ChemNet makes of the reference, computed where it is not kept."""
    label = f"ChemNet on {reference.name}"
    if not isinstance(source, Path):
        return chemnet.moments(reference.smiles, context, label=label)

    def build(folder: Path) -> Moments:
        made = chemnet.moments(reference.smiles, context, label=label)
        arrays = {"mean": made.mean, "covariance": made.covariance}
        keeping.write(folder, {"n": made.n}, {"moments.safetensors": _packed(arrays)})
        return made

    def opened(folder: Path) -> Moments:
        head, files = keeping.read(folder)
        arrays = unpacked(files["moments.safetensors"])
        return Moments(int(head["n"]), arrays["mean"], arrays["covariance"])

    return kept("moments", source, [FORMAT, chemnet.WEIGHTS_SHA256], opened, build)


def check_source(source: Any, role: str) -> None:
    """TableError where `source` is not there, or is a folder: a bundle, or something else that is no file."""
    if isinstance(source, Path) and not source.exists():
        raise TableError(
            "there is no such file",
            where=source.name,
            hint=f"{role} is a file of compounds, one on each line",
        )
    if isinstance(source, Path) and source.is_dir():
        what = "a bundle" if (source / "manifest.json").is_file() else "a folder"
        raise TableError(
            f"is {what}, and {role} is a file of compounds",
            where=source.name,
            hint="a bundle of a generator is asked for compounds with generate",
        )


def digested(entries: Iterator[Entry], seen: set[str]) -> Iterator[Entry]:
    """The entries, while the structures that pass are gathered in `seen`."""
    for entry in entries:
        if entry.refusal != BLANK:
            seen.add(entry.structure.strip())
        yield entry


def digest(seen: set[str]) -> str:
    """SHA-256 of the different structures, sorted, one a line; in hexadecimal."""
    return hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()


def counted(texts: list[str]) -> dict[str, int]:
    """How often each part occurs in texts of parts that are joined by dots; the most frequent first."""
    counts = Counter(part for text in texts if text for part in text.split("."))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in `content`; NotABundleError where it holds none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError) as error:
        raise NotABundleError("kept arrays cannot be read") from error


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _built(source: Any, context: Context, role: str) -> Reference:
    opened = open_compounds(source, WANTED)
    seen: set[str] = set()
    found: Described = describe(
        digested(opened.entries, seen), context, filtered=False, label=f"reading {role}"
    )
    return Reference(
        opened.name,
        tuple(found.smiles),
        found.words,
        found.values,
        counted(found.fragments),
        dict(sorted(Counter(one for one in found.scaffolds if one).items())),
        found.n_lines - len(found),
        digest(seen),
    )


def _write(folder: Path, made: Reference) -> None:
    head = {"name": made.name, "n_refused": made.n_refused, "digest": made.digest}
    keeping.write(
        folder,
        head,
        {
            "arrays.safetensors": _packed({"words": made.words, "values": made.values}),
            "compounds.smi": "\n".join(made.smiles).encode(),
            "parts.json": json.dumps({"fragments": made.fragments, "scaffolds": made.scaffolds}).encode(),
        },
    )


def _opened(folder: Path) -> Reference:
    head, files = keeping.read(folder)
    arrays = unpacked(files["arrays.safetensors"])
    parts = json.loads(files["parts.json"])
    text = files["compounds.smi"].decode()
    return Reference(
        head["name"],
        tuple(text.split("\n")) if text else (),
        arrays["words"],
        arrays["values"],
        parts["fragments"],
        parts["scaffolds"],
        head["n_refused"],
        head["digest"],
    )
