"""Whether a compound passes the filters of MOSES, exactly as the benchmark's own code decides.

A compound fails with a ring of 8 atoms or more, with any charge, with an element other than C, N, S, O, F, Cl, Br and
H, with one of 22 medicinal chemistry patterns or one of 480 patterns of assay interference (PAINS; Baell and Holloway
2010, as RDKit shipped them in 2019), or where its SMILES without stereochemistry cannot be read back. Source:
Polykovskiy et al., Front Pharmacol 11:565644 (2020) and its code. Three of the published patterns ask for fixed double
bonds in rings that RDKit takes for aromatic; they are asked all the same.

What differs from `iatros.molecules.curation.moses`: charges of a sulfoxide count as charges here, since the shares of
other generators were computed so.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, RDConfig

from iatros.core.errors import MissingExtraError
from iatros.molecules.curation.moses import ELEMENTS, LARGEST_RING, PATTERNS, TOO_MANY
from iatros.molecules.distribution.interference import OLDER
from iatros.molecules.distribution.queries import Kinds, Screen, count_kinds

RINGS_WITH_FIXED_BONDS = {
    "2-substituted furan": "[#1]-,:[#6]1=[#6]([#1])-[#6]=[#6](-*)-[#8]-1",
    "2-substituted thiophene": "[#1]-,:[#6]1=[#6]([#1])-[#6]=[#6](-*)-[#16]-1",
    "aniline": "[#1]-,:[#7](-,:[#1])-[#6]-1=[#6]-[#6]=[#6]-[#6]=[#6]-1",
}
_STEREO = re.compile(r"[@/\\]|\[\d")
"""What SMILES without stereochemistry and isotopes do not hold."""


@cache
def queries() -> tuple[tuple[str, Any], ...]:
    """Name and query of each pattern; they are matched against molecules with their hydrogens written out."""
    own = {**PATTERNS, **RINGS_WITH_FIXED_BONDS}
    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in own.items()) + _interference()


def _interference() -> tuple[tuple[str, Any], ...]:
    path = Path(RDConfig.RDDataDir) / "Pains" / "wehi_pains.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingExtraError(
            "this installation of RDKit lacks its file of PAINS patterns",
            where=str(path),
            hint="install RDKit from its own wheel, or leave out the metric filters",
        ) from error
    patterns = {
        name.strip().removeprefix("<regId=").rstrip(">"): smarts.strip()
        for smarts, name in (row for row in csv.reader(text.splitlines()) if row)
    }
    return tuple((f"PAINS {name}", Chem.MolFromSmarts(smarts)) for name, smarts in (patterns | OLDER).items())


@cache
def screen() -> Screen:
    """The queries of the filters, ready to be told apart from those that a molecule cannot hold."""
    return Screen([query for _, query in queries()])


def failures(
    molecule: Any, smiles: str, candidates: np.ndarray | None = None, kinds: Kinds | None = None
) -> tuple[str, ...]:
    """Every reason why `molecule` fails; none where it passes.

    `smiles` is its canonical SMILES; `candidates` says which of `queries` it can hold and `kinds` what it is made of,
    where that is known already.

    >>> failures(Chem.MolFromSmiles("CCCC=O"), "CCCC=O")
    ('aldehyde',)
    """
    kinds = kinds or count_kinds(molecule)
    found = []
    if any(len(ring) > LARGEST_RING for ring in molecule.GetRingInfo().AtomRings()):
        found.append("large ring")
    counts: dict[int, int] = {}
    for kind, count in kinds.atoms.items():
        counts[kind.element] = counts.get(kind.element, 0) + count
    if any(kind.charge for kind in kinds.atoms):
        found.append("charged atom")
    if counts.keys() - ELEMENTS:
        found.append("element")
    found += [
        f"{limit} or more {name}"
        for number, (name, limit) in TOO_MANY.items()
        if counts.get(number, 0) >= limit
    ]
    possible = np.flatnonzero(
        screen().candidates(molecule, kinds) if candidates is None else candidates
    ).tolist()
    if possible:
        with_hydrogens = Chem.AddHs(molecule)
        known = queries()
        found += [known[place][0] for place in possible if with_hydrogens.HasSubstructMatch(known[place][1])]
    if _STEREO.search(smiles) and not _reads_back(molecule):
        found.append("cannot be read without stereochemistry")
    return tuple(found)


def _reads_back(molecule: Any) -> bool:
    flat = Chem.MolToSmiles(molecule, isomericSmiles=False)
    return bool(flat) and Chem.MolFromSmiles(flat) is not None
