"""The compounds that a generator learns from: read, made canonical and each there once."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import OutcomeError
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted

FEWEST = 100
"""Compounds below which nothing that deserves the name of a chemical space can be learned."""
MOST_ATOMS = 100
"""Heavy atoms of the largest compound that is learned from."""
TUNING_SHARE, MOST_TUNING = 0.02, 5_000
_FIRST = 20


@dataclass(frozen=True)
class Library:
    """Canonical SMILES, each once, in the order in which they were first read."""

    smiles: tuple[str, ...]
    source: str = "the library"
    counts: dict[str, int] = field(default_factory=dict)
    """`n_lines`, `n_blank`, `n_refused`, `n_repeated` and `n_used`."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why lines were refused, the most frequent reason first."""
    refused: tuple[dict[str, Any], ...] = ()
    """The first refused lines: `line` and `reason`."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.smiles)

    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows to learn from and rows to tune on: of every compound a hash decides, whatever stands beside it."""
        hashed = np.array([zlib.crc32(text.encode()) for text in self.smiles], dtype=np.int64)
        order = np.argsort(hashed, kind="stable")
        n_tuning = min(MOST_TUNING, max(1, round(len(order) * TUNING_SHARE)))
        return np.sort(order[n_tuning:]), np.sort(order[:n_tuning])


def read_library(
    reference: Any, wanted: Wanted, context: Context, *, fewest: int = FEWEST, most_atoms: int = MOST_ATOMS
) -> Library:
    """Every line as the canonical SMILES of its largest organic part, charges as they are written.

    A generator imitates how its compounds are drawn, so nothing else is standardised: curate the file first where
    that is wanted. OutcomeError where fewer than `fewest` compounds can be used.
    """
    from iatros.molecules.curation.batching import in_batches

    opened = open_compounds(reference, wanted)
    seen: dict[str, None] = {}
    counts, reasons, refused = Counter[str](), Counter[str](), list[dict[str, Any]]()
    with context.progress.step("lines") as step:
        for entries, found in in_batches(_canonical, most_atoms, opened.entries, context.engine):
            for entry, (smiles, reason) in zip(entries, found, strict=True):
                counts["n_lines"] += 1
                if reason == BLANK:
                    counts["n_blank"] += 1
                elif reason:
                    counts["n_refused"] += 1
                    reasons[reason] += 1
                    if len(refused) < _FIRST:
                        refused.append({"line": entry.line, "reason": reason})
                elif smiles in seen:
                    counts["n_repeated"] += 1
                else:
                    seen[smiles] = None
            step.advance(len(entries))
    if len(seen) < fewest:
        why = (
            f"; refused: {', '.join(f'{said} {n:,}' for said, n in reasons.most_common(3))}"
            if reasons
            else ""
        )
        raise OutcomeError(
            f"holds {len(seen):,} usable compounds, and {fewest:,} are needed{why}",
            where=opened.name,
            hint="give a larger library; a few known actives go into finetune",
        )
    names = ("n_lines", "n_blank", "n_refused", "n_repeated")
    return Library(
        tuple(seen),
        opened.name,
        {**{name: counts[name] for name in names}, "n_used": len(seen)},
        dict(reasons.most_common()),
        tuple(refused),
        tuple(opened.notes),
    )


def _canonical(most_atoms: int, entries: list[Entry]) -> list[tuple[str, str]]:
    """SMILES, or the reason why there are none; what a worker runs."""
    from rdkit import rdBase

    with rdBase.BlockLogs():
        return [_canonical_of(entry, most_atoms) for entry in entries]


def _canonical_of(entry: Entry, most_atoms: int) -> tuple[str, str]:
    from rdkit import Chem

    from iatros.molecules.curation.fragments import is_organic, parent
    from iatros.molecules.curation.parsing import StructureError, parse

    if entry.refusal:
        return "", entry.refusal
    try:
        molecule = parse(entry.structure, molblock=entry.molblock)
    except StructureError as error:
        return "", str(error)
    smiles = Chem.MolToSmiles(molecule)
    if "." in smiles:
        found = parent(molecule, smiles)
        if found is None:
            return "", "no organic fragment"
        molecule = found.mol
        smiles = Chem.MolToSmiles(molecule)
    elif not is_organic(molecule, smiles):
        return "", "no organic fragment"
    if molecule.GetNumHeavyAtoms() > most_atoms:
        return "", f"more than {most_atoms} heavy atoms"
    if "*" in smiles:
        return "", "an atom is left open (*)"
    return smiles, ""
