"""Known ligands of targets, ready to be asked: built once from a table of pairs, opened from disk in milliseconds.

A folder of plain arrays, never a pickle: `index.json` (format, RDKit's version, the fingerprint, targets by name, the
background, the check of the rankings, what was refused), `words.npy` (n, words), `members.npy`, `starts.npy` (t + 1,)
and `smiles.txt`, one compound a line in standard form.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from iatros.core.engine import Engine
from iatros.core.errors import NotABundleError
from iatros.core.progress import Progress
from iatros.core.storage import write_folder
from iatros.learners.compounds.fingerprints import Fingerprint, compute, rdkit_version, require
from iatros.learners.compounds.packing import n_words
from iatros.molecules.fishing.background import Background, fit_background
from iatros.molecules.fishing.checking import check_ranking, scaffolds_of
from iatros.molecules.fishing.pairs import BATCH, Active, read_pairs
from iatros.molecules.fishing.ranking import Ligands
from iatros.molecules.sources import Opened

FORMAT = 1


@dataclass(frozen=True)
class Reference:
    """n compounds in standard form, the ligands of t targets among them, and what is expected by chance.

    `check` is what `check_ranking` found, None where it could not be made.
    """

    ligands: Ligands
    smiles: tuple[str, ...]
    targets: tuple[str, ...]
    background: Background
    check: dict[str, Any] | None
    source: dict[str, str]
    counts: dict[str, int]
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Settings:
    """How a reference is made of a table."""

    active: Active
    fingerprint: Fingerprint
    threshold: float
    seed: int


def build_reference(
    opened: Opened, settings: Settings, folder: Path, engine: Engine, progress: Progress
) -> Reference:
    """Write the reference of `opened` into `folder`, in place of what was there, and open it.

    TableError and OutcomeError where it holds nothing to learn from, StorageError where writing fails.
    """
    pairs = read_pairs(opened, settings.active, engine, progress)
    found = compute(pairs.smiles, settings.fingerprint, engine=engine, progress=progress)
    ligands = Ligands(require(found, pairs.smiles), pairs.members, pairs.starts)
    background = fit_background(ligands.words, settings.threshold, settings.seed)
    batches = [list(pairs.smiles[begin : begin + BATCH]) for begin in range(0, len(pairs.smiles), BATCH)]
    scaffolds = engine.map(scaffolds_of, batches, None, progress=progress, label="scaffolds")
    groups = np.array([one for part in scaffolds for one in part])
    with progress.step("check of the rankings"):
        check = check_ranking(ligands, groups, settings.threshold, settings.seed)
    head = {
        "format": FORMAT,
        "rdkit": rdkit_version(),
        "fingerprint": asdict(settings.fingerprint),
        "targets": pairs.targets,
        "background": asdict(background),
        "check": check,
        "source": {"name": opened.name, "format": opened.format},
        "counts": {"n_lines": pairs.n_lines, "n_inactive": pairs.n_inactive, "n_refused": pairs.n_refused},
        "refused": pairs.refused,
    }
    write_folder(
        folder,
        {
            "words.npy": _saved(ligands.words),
            "members.npy": _saved(ligands.members),
            "starts.npy": _saved(ligands.starts),
            "smiles.txt": "\n".join(pairs.smiles).encode(),
            "index.json": json.dumps(head, indent=1).encode(),
        },
    )
    return open_reference(folder)


def open_reference(folder: Path) -> Reference:
    """The reference in `folder`; NotABundleError where it holds none that can be trusted."""
    try:
        head = json.loads((folder / "index.json").read_bytes())
        if head["format"] != FORMAT or head["rdkit"] != rdkit_version():
            raise _refused(folder, "was written by another version")
        words, members, starts = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("words", "members", "starts")
        )
        smiles = tuple((folder / "smiles.txt").read_text(encoding="utf-8").split("\n"))
        width = n_words(Fingerprint(**head["fingerprint"]).n_bits)
        made = Reference(
            Ligands(words, members, starts),
            smiles,
            tuple(head["targets"]),
            Background(**head["background"]),
            head["check"],
            dict(head["source"]),
            dict(head["counts"]),
            tuple((int(line), str(reason)) for line, reason in head["refused"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(folder, "cannot be read") from error
    if not _fits(made, width):
        raise _refused(folder, "is damaged")
    return made


def _fits(made: Reference, width: int) -> bool:
    words, members, starts = made.ligands.words, made.ligands.members, made.ligands.starts
    n = len(made.smiles)
    return bool(
        words.shape == (n, width)
        and words.dtype == np.uint64
        and members.ndim == 1
        and starts.shape == (len(made.targets) + 1,)
        and members.dtype == starts.dtype == np.int64
        and starts[0] == 0
        and starts[-1] == len(members)
        and (np.diff(starts) > 0).all()
        and (members >= 0).all()
        and (members < n).all()
    )


def _refused(folder: Path, why: str) -> NotABundleError:
    return NotABundleError(f"the index of ligands {why}", where=str(folder), hint="build it anew")


def _saved(array: np.ndarray) -> Callable[[BinaryIO], None]:
    return lambda file: np.save(file, array, allow_pickle=False)
