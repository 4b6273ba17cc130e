"""Which compounds stand in the training set: by hashes of canonical SMILES, made once for each content of a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import TableError
from iatros.molecules.curation.batching import in_batches
from iatros.molecules.distribution import keeping
from iatros.molecules.distribution.reference import FORMAT, WANTED, check_source, unpacked
from iatros.molecules.libraries import kept
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources import open_compounds

_STEREO = re.compile(r"[@/\\]|\[\d")


@dataclass(frozen=True)
class Known:
    """The compounds of a training set as sorted hashes: `exact` with stereochemistry, `flat` without; `n` lines."""

    name: str
    n: int
    exact: np.ndarray
    flat: np.ndarray

    def holds(self, smiles: Sequence[str], *, flat: bool = False) -> np.ndarray:
        """Whether each of the canonical `smiles` is known (n,); with `flat`, all are without stereochemistry."""
        return np.isin(hashes(smiles), self.flat if flat else self.exact)


def read_known(source: Any, context: Context) -> Known:
    """The training set in `source`; TableError where it is a bundle or holds no compounds."""
    check_source(source, "training")
    if not isinstance(source, Path):
        made = _built(source, context)
    else:

        def build(folder: Path) -> Known:
            found = _built(source, context)
            _write(folder, found)
            return found

        made = kept("trainings", source, [FORMAT, "known"], _opened, build)
    if not len(made.exact):
        raise TableError(
            "holds no compound that can be read", where=made.name, hint="training is a file of compounds"
        )
    return made


def hashes(smiles: Sequence[str]) -> np.ndarray:
    """Eight bytes of BLAKE2b of each text, as uint64 (n,)."""
    made = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in smiles)
    return np.frombuffer(made, dtype="<u8").astype(np.uint64)


def flattened(molecule: Any, smiles: str) -> str:
    """The canonical SMILES of `molecule` without stereochemistry and isotopes; `smiles` is the one with them."""
    from rdkit import Chem

    return Chem.MolToSmiles(molecule, isomericSmiles=False) if _STEREO.search(smiles) else smiles


def hash_batch(_: None, entries: list[Entry]) -> tuple[np.ndarray, np.ndarray, int]:
    """Hashes of the compounds of a batch, with and without stereochemistry, and how many lines had a text."""
    from rdkit import Chem, rdBase

    exact, flat = [], []
    with rdBase.BlockLogs():
        for entry in entries:
            if entry.refusal:
                continue
            read = Chem.MolFromMolBlock if entry.molblock else Chem.MolFromSmiles
            if not entry.molblock and entry.structure.startswith("InChI="):
                read = Chem.MolFromInchi
            molecule = read(entry.structure)
            if molecule is None or not molecule.GetNumAtoms():
                continue
            smiles = Chem.MolToSmiles(molecule)
            exact.append(smiles)
            flat.append(flattened(molecule, smiles))
    return hashes(exact), hashes(flat), sum(entry.refusal != BLANK for entry in entries)


def _built(source: Any, context: Context) -> Known:
    opened = open_compounds(source, WANTED)
    exact, flat = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    n = 0
    with context.progress.step("reading training") as step:
        for entries, (with_stereo, without, n_lines) in in_batches(
            hash_batch, None, opened.entries, context.engine
        ):
            exact.append(with_stereo)
            flat.append(without)
            n += n_lines
            step.advance(len(entries))
    return Known(opened.name, n, np.unique(np.concatenate(exact)), np.unique(np.concatenate(flat)))


def _write(folder: Path, made: Known) -> None:
    from safetensors.numpy import save

    content = bytes(save({"exact": made.exact, "flat": made.flat}))
    keeping.write(folder, {"name": made.name, "n": made.n}, {"hashes.safetensors": content})


def _opened(folder: Path) -> Known:
    head, files = keeping.read(folder)
    arrays = unpacked(files["hashes.safetensors"])
    return Known(head["name"], int(head["n"]), arrays["exact"], arrays["flat"])
