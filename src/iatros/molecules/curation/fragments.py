"""Which part of a mixture is the compound."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from rdkit import Chem

INORGANIC_CARBON = (
    "[C-]#[O+]",
    "O=C=O",
    "O=C([O-])[O-]",
    "O=C([O-])O",
    "O=C(O)O",
    "S=C=S",
    "O=C=S",
    "C#N",
    "[C-]#N",
    "N#CO",
    "N#C[O-]",
    "[N-]=C=O",
    "N=C=O",
    "N#CS",
    "N#C[S-]",
    "[N-]=C=S",
    "N=C=S",
    "N#CC#N",
)
"""Carbon compounds that are counted as inorganic: oxides, carbonates, cyanides, cyanates; so is bare carbon."""

NONMETALS = frozenset(
    (1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 51, 52, 53, 54, 85, 86)
)
SALT_FORMERS = frozenset((3, 4, 11, 12, 19, 20, 37, 38, 55, 56, 87, 88))


_CARBON = re.compile(r"\[\d*[Cc](?![a-z])|C(?!l)|c")
_OTHER_BRACKETS = re.compile(r"\[(?!\d*[Cc](?![a-z]))[^\]]*\]")


class Parent(NamedTuple):
    """The organic part with the most heavy atoms, the SMILES of those removed, how many copies of it there were,
    whether one of the others rivals it or is the ion of a metal beyond the first two groups, and whether the input
    said more about stereo than SMILES can."""

    mol: Any
    smiles: str
    removed: tuple[str, ...]
    copies: int
    rival: bool
    metal: bool
    enhanced: bool


def parent(mol: Any, smiles: str) -> Parent | None:
    """The compound in `mol`, whose SMILES is given; None where no part of it is organic.

    Of several, the one with the most heavy atoms, then the heaviest, then the first by SMILES: the order in
    which the parts are written never matters. A removed part rivals the compound where it is another organic
    one with at least half of its heavy atoms.
    """
    enhanced = bool(mol.GetStereoGroups())
    if "." not in smiles:
        organic = is_organic(mol, smiles)
        return Parent(mol, smiles, (), 1, False, False, enhanced) if organic else None
    parts = Chem.GetMolFrags(mol, asMols=True, sanitizeFrags=False)
    written = [Chem.MolToSmiles(part) for part in parts]
    ranked = sorted(
        (_rank(part, text), place)
        for place, (part, text) in enumerate(zip(parts, written, strict=True))
        if is_organic(part, text)
    )
    if not ranked:
        return None
    (heavy, _, kept_smiles), best = ranked[0]
    kept = parts[best]
    Chem.SanitizeMol(kept)
    removed = tuple(sorted({*written} - {kept_smiles}))
    rivals = [rank for rank, _ in ranked if rank[2] != kept_smiles and 2 * rank[0] <= heavy]
    metal = any(
        atom.GetAtomicNum() not in NONMETALS | SALT_FORMERS
        for place, part in enumerate(parts)
        if place != best
        for atom in part.GetAtoms()
    )
    return Parent(kept, kept_smiles, removed, written.count(kept_smiles), bool(rivals), metal, enhanced)


def _rank(part: Any, smiles: str) -> tuple[int, float, str]:
    """Most heavy atoms first, then the heaviest, then by SMILES: smaller is better."""
    weight = sum(atom.GetMass() + atom.GetTotalNumHs() * 1.008 for atom in part.GetAtoms())
    return -part.GetNumHeavyAtoms(), -round(weight, 3), smiles


def is_organic(mol: Any, smiles: str) -> bool:
    """Whether `mol` holds carbon and is not one of the small carbon compounds of inorganic chemistry."""
    if not has_carbon(smiles):
        return False
    if mol.GetNumHeavyAtoms() > 4:
        return True
    if mol.GetNumAtoms() == 1:
        return bool(mol.GetAtomWithIdx(0).GetTotalNumHs())
    return smiles not in _inorganic()


def has_carbon(smiles: str) -> bool:
    """Whether canonical SMILES name an atom of carbon."""
    return bool(_CARBON.search(_OTHER_BRACKETS.sub("", smiles)))


def bound_metals(mol: Any) -> tuple[bool, str]:
    """Whether `mol` holds a metal that is bound to other atoms, and the symbol of one that makes it a complex.

    A metal bound to carbon makes a complex, or one with more than one neighbour (of the first two groups,
    whose salts are often drawn with bonds, more than two).
    """
    bound = False
    for atom in mol.GetAtoms():
        number, degree = atom.GetAtomicNum(), atom.GetDegree()
        if number in NONMETALS or number == 0 or degree == 0:
            continue
        bound = True
        many = degree > (2 if number in SALT_FORMERS else 1)
        if many or any(other.GetAtomicNum() == 6 for other in atom.GetNeighbors()):
            return True, str(atom.GetSymbol())
    return bound, ""


@lru_cache(maxsize=1)
def _inorganic() -> frozenset[str]:
    return frozenset(Chem.CanonSmiles(smiles) for smiles in INORGANIC_CARBON)
