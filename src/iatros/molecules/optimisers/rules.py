"""What the genetic operators may make: valences, sizes, and no structure that strain or reactivity forbids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iatros.molecules.optimisers.genes import pattern, sanitise

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

    if not sane(molecule, rules, aromatic=True) or forbidden(molecule):
        return ""
    smiles: str = Chem.MolToSmiles(molecule)
    return "" if "." in smiles else smiles


def sane(molecule: Any, rules: Rules, *, aromatic: bool) -> bool:
    """Whether an edited molecule, which is sanitised thereby (see `sanitise`), has allowed valences and sizes."""
    # one query takes less time than the list of all rings
    too_large = pattern(f"[k{{{rules.largest_ring + 1}-}}]")
    return (
        rules.fewest_atoms <= molecule.GetNumAtoms() <= rules.most_atoms
        and sanitise(molecule, aromatic=aromatic)
        and not molecule.HasSubstructMatch(too_large)
    )


def forbidden(molecule: Any) -> str:
    """What strain or reactivity forbids about a molecule, in words; "" where nothing does."""
    for name, smarts in _FORBIDDEN.items():
        if molecule.HasSubstructMatch(pattern(smarts)):
            return name
    return ""
