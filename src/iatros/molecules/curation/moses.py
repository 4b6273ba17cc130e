"""The filters of the MOSES benchmark: which compounds its authors kept out of their data.

Source: Polykovskiy et al., Molecular Sets (MOSES), Front Pharmacol 11:565644 (2020): the medicinal chemistry
filters named there, the allowed elements, no charged atoms, no large rings, and the PAINS filters. Three of
the published patterns (2-substituted furan and thiophene, aniline) are written with fixed double bonds and,
as RDKit reads them, match no molecule in the benchmark's own code; they are left out here, so that a share
of compounds that pass can be compared with published ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rdkit import Chem

ELEMENTS = frozenset((1, 6, 7, 8, 9, 16, 17, 35))
LARGEST_RING = 7
"""The paper says 8; the benchmark's code, and with it all published numbers, refuse rings of 8 atoms."""

PATTERNS = {
    "acrylonitrile": "[#6]=!@[#6]-C#N",
    "vinyl sulfone": "[#6]=!@[#6]-S(=O)=O",
    "acrylamide": "[#6]=!@[#6;!H0]-!@[#6](=O)-!@[#7]",
    "primary alkyl halide": "[CH2]([#6])[F,Cl,Br,I]",
    "epoxide": "C1OC1",
    "isocyanate": "[#6]-N=C=O",
    "aldehyde": "[#6;!H0]=O",
    "open imine": "[#6](=!@[#7;!H0])-!@[#6,#7,#8,#16]",
    "aziridine": "C1NC1",
    "open hydrazine": "[#6]~!@[#7]~!@[#7]~!@[#6]",
    "azo": "[#7]=!@[#7]",
    "halogen beside an aromatic heteroatom": "[Cl,Br,I]-c(:*):[!#1;!#6]:*",
    "sulfur bound to sulfur": "[#16]~[#16]",
    "three nitrogens in a chain": "[#7]~!@[#7]~!@[#7]",
    "aminal": "[#7]-!@[#6;!H0;!H1]-!@[#7]",
    "acetal": "[#6;!H0](-!@[#8])-!@[#8]",
}
TOO_MANY = {35: ("bromine", 3), 17: ("chlorine", 4), 9: ("fluorine", 7)}
"""Atomic number: name, and the count from which a compound is kept out."""


def moses_alerts(mol: Any) -> list[str]:
    """What of `mol` the filters of MOSES object to, without its PAINS filters.

    >>> moses_alerts(Chem.MolFromSmiles("CCCC=O"))
    ['aldehyde']
    """
    found = [name for name, query in _queries() if mol.HasSubstructMatch(query)]
    counts: dict[int, int] = {}
    charged = False
    for atom in mol.GetAtoms():
        number = atom.GetAtomicNum()
        counts[number] = counts.get(number, 0) + 1
        charged = charged or (atom.GetFormalCharge() != 0 and not _of_sulfoxide(atom))
    found += [
        f"{limit} or more {name}"
        for number, (name, limit) in TOO_MANY.items()
        if counts.get(number, 0) >= limit
    ]
    if charged:
        found.append("charged atom")
    if counts.keys() - ELEMENTS:
        found.append("element")
    if any(len(ring) > LARGEST_RING for ring in mol.GetRingInfo().AtomRings()):
        found.append("large ring")
    return found


def _of_sulfoxide(atom: Any) -> bool:
    """Whether the charge of `atom` is that of a sulfoxide, which the standard form writes as S+ and O-."""
    number, charge = atom.GetAtomicNum(), atom.GetFormalCharge()
    partner = {(16, 1): (8, -1), (8, -1): (16, 1)}.get((number, charge))
    return partner is not None and any(
        (other.GetAtomicNum(), other.GetFormalCharge()) == partner for other in atom.GetNeighbors()
    )


@lru_cache(maxsize=1)
def _queries() -> tuple[tuple[str, Any], ...]:
    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in PATTERNS.items())
