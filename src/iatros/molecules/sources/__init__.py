"""One reader for each format: each gives the lines or records of its source one by one, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iatros.core.errors import RequestError, TableError
from iatros.molecules.schema import Entry
from iatros.molecules.sources.columns import Wanted

SMILES_SUFFIXES = (".smi", ".smiles", ".ism", ".can", ".cxsmiles")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".tab")
SDF_SUFFIXES = (".sdf", ".sd", ".mol", ".mdl")


@dataclass
class Opened:
    """A source of compounds: `entries` is read once; `notes` grows while it is."""

    name: str
    format: str
    entries: Iterator[Entry]
    notes: list[str] = field(default_factory=list)


def open_compounds(reference: Any, wanted: Wanted) -> Opened:
    """The entries of a path, a DataFrame, or a list of structures or rows.

    TableError for a file that cannot be read at all, RequestError or UnknownNameError for columns that are
    not there; most of them are raised when the first entry is asked for.
    """
    notes: list[str] = []
    if isinstance(reference, Path):
        kind, entries = _open_file(reference, wanted, notes)
        return Opened(reference.name, kind, entries, notes)
    from iatros.molecules.sources.frames import read_frame, read_inline

    if isinstance(reference, list):
        return Opened("the list", "inline", read_inline(reference, wanted, notes), notes)
    return Opened("the table", "frame", read_frame(reference, wanted, notes), notes)


def header_of(reference: Any, wanted: Wanted) -> list[str]:
    """The names of the columns of a path, a DataFrame or a list of rows; none where there are no columns, as in SDF."""
    if isinstance(reference, Path):
        suffix = _suffix(reference)
        if suffix == ".parquet":
            from iatros.molecules.sources.frames import parquet_header

            return parquet_header(reference)
        if suffix not in SMILES_SUFFIXES + TABLE_SUFFIXES or reference.is_dir():
            return []
        from iatros.molecules.sources.delimited import read_header

        return read_header(reference, wanted)
    if isinstance(reference, list):
        return [str(name) for name in reference[0]] if reference and isinstance(reference[0], dict) else []
    return [str(name) for name in reference.columns]


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((one for one in reversed(suffixes) if one != ".gz"), "")


def _open_file(path: Path, wanted: Wanted, notes: list[str]) -> tuple[str, Iterator[Entry]]:
    suffix = _suffix(path)
    if not path.exists():
        raise TableError(
            "there is no such file",
            where=path.name,
            hint="structures are read from a file, one on each line of a .smi; Python takes a list of them as well",
        )
    if path.is_dir():
        raise TableError("is a folder, not a file of compounds", where=str(path))
    if suffix in SMILES_SUFFIXES or suffix in TABLE_SUFFIXES:
        from iatros.molecules.sources.delimited import read_text

        return "smiles" if suffix in SMILES_SUFFIXES else "table", read_text(path, wanted, notes)
    if suffix in SDF_SUFFIXES:
        from iatros.molecules.sources.sdf import read_sdf

        if wanted.smiles is not None:
            raise RequestError("an SDF file holds structures as mol blocks, so smiles has no meaning here")
        return "sdf", read_sdf(path, wanted, notes)
    if suffix == ".parquet":
        from iatros.molecules.sources.frames import read_parquet

        return "parquet", read_parquet(path, wanted, notes)
    known = ", ".join([*SMILES_SUFFIXES, *TABLE_SUFFIXES, *SDF_SUFFIXES, ".parquet"])
    raise TableError(
        f"the ending {suffix or '(none)'} does not say what the file holds",
        where=path.name,
        hint=f"known endings, each of text also with .gz: {known}",
    )
