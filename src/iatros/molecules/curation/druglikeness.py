"""Simple properties of a compound, and the published rules of thumb that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rdkit.Chem import Descriptors, rdMolDescriptors


class Properties(NamedTuple):
    """Computed properties; the two Crippen estimates are octanol-water log P and molar refractivity."""

    molecular_weight_g_mol: float
    logp: float
    hydrogen_bond_donors: int
    hydrogen_bond_acceptors: int
    tpsa_square_angstrom: float
    rotatable_bonds: int
    molar_refractivity: float
    atoms: int


def properties(mol: Any) -> Properties:
    """The properties of `mol`: donors are N-H and O-H bonds, acceptors N and O, as Lipinski counts them.

    >>> from rdkit import Chem
    >>> properties(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")).hydrogen_bond_acceptors
    4
    """
    logp, refractivity = rdMolDescriptors.CalcCrippenDescriptors(mol)
    return Properties(
        round(Descriptors.MolWt(mol), 3),
        round(logp, 3),
        rdMolDescriptors.CalcNumLipinskiHBD(mol),
        rdMolDescriptors.CalcNumLipinskiHBA(mol),
        round(rdMolDescriptors.CalcTPSA(mol), 2),
        rdMolDescriptors.CalcNumRotatableBonds(mol),
        round(refractivity, 3),
        mol.GetNumAtoms(onlyExplicit=False),
    )


def _lipinski(p: Properties) -> bool:
    """Lipinski et al., Adv Drug Deliv Rev 23:3 (1997): poor absorption is likely where two of four are broken."""
    broken = (
        p.molecular_weight_g_mol > 500,
        p.logp > 5,
        p.hydrogen_bond_donors > 5,
        p.hydrogen_bond_acceptors > 10,
    )
    return sum(broken) < 2


def _veber(p: Properties) -> bool:
    """Veber et al., J Med Chem 45:2615 (2002)."""
    return p.rotatable_bonds <= 10 and p.tpsa_square_angstrom <= 140


def _ghose(p: Properties) -> bool:
    """Ghose et al., J Comb Chem 1:55 (1999)."""
    return (
        160 <= p.molecular_weight_g_mol <= 480
        and -0.4 <= p.logp <= 5.6
        and 40 <= p.molar_refractivity <= 130
        and 20 <= p.atoms <= 70
    )


def _egan(p: Properties) -> bool:
    """Egan et al., J Med Chem 43:3867 (2000)."""
    return p.logp <= 5.88 and p.tpsa_square_angstrom <= 131.6


def _rule_of_three(p: Properties) -> bool:
    """Congreve et al., Drug Discov Today 8:876 (2003), for fragments."""
    return (
        p.molecular_weight_g_mol <= 300
        and p.logp <= 3
        and p.hydrogen_bond_donors <= 3
        and p.hydrogen_bond_acceptors <= 3
        and p.rotatable_bonds <= 3
    )


def _moses_range(p: Properties) -> bool:
    """The lead-like range of MOSES; the paper uses XLogP, which is not the Crippen estimate used here."""
    return 250 <= p.molecular_weight_g_mol <= 350 and p.rotatable_bonds <= 7 and p.logp <= 3.5


RULES: dict[str, Callable[[Properties], bool]] = {
    "lipinski": _lipinski,
    "veber": _veber,
    "ghose": _ghose,
    "egan": _egan,
    "rule_of_three": _rule_of_three,
    "moses_range": _moses_range,
}
"""Each rule by name; true where a compound keeps it."""


def broken_rules(found: Properties) -> tuple[str, ...]:
    """The names of the rules that a compound with these properties does not keep."""
    return tuple(name for name, keeps in RULES.items() if not keeps(found))
