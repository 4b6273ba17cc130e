"""What the genetic operators may make: valences, sizes, and no structure that strain or reactivity forbids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from iatros.molecules.optimisers.genes import sanitise

_FORBIDDEN = {
    "a chain of double bonds at carbon": "[#6](=*)=*",
    "a triple bond in a small ring": "[X2;r{3-7}]#[r{3-7}]",
    "a double bond in a ring of three": "[r3]=[r3]",
    "a double bond shared by small rings": "[*;R2;r3,r4]=[*;R2;r3,r4]",
    "peroxide": "[OX2]-[OX2]",
    "halogen on nitrogen, oxygen or sulfur": "[F,Cl,Br,I]-[#7,#8,#16]",
    "a double bond from carbon to sulfur or phosphorus of higher valence": "[Sv4,Sv6,Pv5]=[#6]",
    "hydrogen on sulfur of higher valence": "[Sv4,Sv6;!H0]",
    "three nitrogens or oxygens in a row": "[NX3,OX2]-[NX3,OX2]-[NX3,OX2]",
}
"""What strain or reactivity forbids, in words and as SMARTS, which begin at their rarest atom."""


@dataclass(frozen=True)
class Rules:
    """Bounds on what is made: heavy atoms, and members of a ring."""

    fewest_atoms: int = 3
    most_atoms: int = 60
    largest_ring: int = 8


def made(molecule: Any, rules: Rules) -> str:
    """SMILES of an edited molecule, as RDKit writes it, or "" where it breaks a rule."""
    from rdkit import Chem

    if not sane(molecule, rules, aromatic=True) or any(
        molecule.HasSubstructMatch(one) for one in _patterns()
    ):
        return ""
    smiles: str = Chem.MolToSmiles(molecule)
    return "" if "." in smiles else smiles


def sane(molecule: Any, rules: Rules, *, aromatic: bool) -> bool:
    """Whether an edited molecule, which is sanitised thereby (see `sanitise`), has allowed valences and sizes."""
    return (
        rules.fewest_atoms <= molecule.GetNumAtoms() <= rules.most_atoms
        and sanitise(molecule, aromatic=aromatic)
        and not molecule.HasSubstructMatch(_in_ring_above(rules.largest_ring))
    )


def broken_rule(smiles: str) -> str:
    """Which rule about substructures a compound breaks, in words; "" where none."""
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles)
    for name, pattern in zip(_FORBIDDEN, _patterns(), strict=True):
        if molecule.HasSubstructMatch(pattern):
            return name
    return ""


@lru_cache
def _in_ring_above(members: int) -> Any:
    """An atom in one of the smallest rings that has more `members`; their list would take longer than this."""
    from rdkit import Chem

    return Chem.MolFromSmarts(f"[k{{{members + 1}-}}]")


@lru_cache(maxsize=1)
def _patterns() -> tuple[Any, ...]:
    from rdkit import Chem

    return tuple(Chem.MolFromSmarts(smarts) for smarts in _FORBIDDEN.values())
