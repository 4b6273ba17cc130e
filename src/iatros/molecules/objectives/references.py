"""The compounds that an objective compares with: SMILES in the objective itself, or a file of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase

from iatros.core.errors import InputError, TableError

_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@dataclass(frozen=True)
class References:
    """Canonical SMILES, each once; `file` names the file they were read from, `n_refused` of whose lines were not."""

    smiles: tuple[str, ...] = field(compare=False, repr=False)
    file: str = ""
    n_refused: int = 0
    sha256: str = ""
    """Of the SMILES: two lists are equal where this is."""

    def document(self) -> Any:
        """A few are told as they are, a file by its name, number and hash."""
        if not self.file:
            return list(self.smiles)
        told = {"file": self.file, "n": len(self.smiles), "sha256": self.sha256}
        return told | ({"n_refused": self.n_refused} if self.n_refused else {})


@contextmanager
def relative_to(folder: Path | None) -> Iterator[None]:
    """Inside, the paths of an objective start from `folder`; without one it can name no files."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def path_of(text: str) -> Path:
    """The path that `text` names; InputError where the objective was given without a folder."""
    folder = _FOLDER.get()
    if folder is None:
        raise InputError(
            "this objective was not read from a file, so it can name no file or bundle",
            cell=text,
            hint="give load_objective the folder that paths start from",
        )
    return folder / Path(text).expanduser()


def read_references(value: Any) -> References:
    """One SMILES, a list of them, the name of a file, or what `document` says of one, which must then be unchanged.

    The error says which is no molecule.
    """
    if isinstance(value, References):
        return value
    if isinstance(value, dict) and isinstance(value.get("file"), str):
        read = _from_file(path_of(value["file"]))
        if value.get("sha256", read.sha256) != read.sha256:
            raise InputError("the compounds in the file are others than sha256 says", where=read.file)
        return read
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(one, str) for one in texts):
        raise ValueError("SMILES, a list of them or the name of a file is needed; put SMILES in quotes")
    if len(texts) == 1 and _names_file(texts[0]):
        return _from_file(path_of(texts[0]))
    return _made([_canonical(text) for text in texts])


def _names_file(text: str) -> bool:
    from iatros.molecules.sources import SDF_SUFFIXES, SMILES_SUFFIXES, TABLE_SUFFIXES

    return (
        text.lower()
        .removesuffix(".gz")
        .endswith((*SMILES_SUFFIXES, *TABLE_SUFFIXES, *SDF_SUFFIXES, ".parquet"))
    )


def _canonical(text: str) -> str:
    from iatros.molecules.curation.parsing import StructureError, parse

    with rdBase.BlockLogs():
        try:
            return str(Chem.MolToSmiles(parse(text)))
        except StructureError as error:
            raise InputError(str(error), cell=text) from None


def _from_file(path: Path) -> References:
    from iatros.molecules.curation.parsing import StructureError, parse
    from iatros.molecules.schema import BLANK
    from iatros.molecules.sources import open_compounds
    from iatros.molecules.sources.columns import Wanted

    smiles, n_refused = [], 0
    with rdBase.BlockLogs():
        for entry in open_compounds(path, Wanted()).entries:
            if entry.refusal == BLANK:
                continue
            try:
                if entry.refusal:
                    raise StructureError(entry.refusal)
                smiles.append(str(Chem.MolToSmiles(parse(entry.structure, molblock=entry.molblock))))
            except StructureError:
                n_refused += 1
    if not smiles:
        raise TableError("holds no compounds to compare with", where=path.name)
    return _made(smiles, path.name, n_refused)


def _made(smiles: list[str], file: str = "", n_refused: int = 0) -> References:
    different = tuple(dict.fromkeys(smiles))
    return References(different, file, n_refused, hashlib.sha256("\n".join(different).encode()).hexdigest())
