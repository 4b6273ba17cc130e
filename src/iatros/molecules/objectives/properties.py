"""The properties that an objective can name, each a number that RDKit computes of one molecule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors


class Property(NamedTuple):
    """How it is computed, its unit (empty for a pure number), what it means, and whether it lies between 0 and 1."""

    calculate: Callable[[Any], float]
    unit: str
    meaning: str
    share: bool = False


def ring_systems(mol: Any) -> int:
    """How many groups of rings that share atoms `mol` has: naphthalene has one, biphenyl two.

    >>> from rdkit import Chem
    >>> ring_systems(Chem.MolFromSmiles("c1ccc2ccccc2c1-c1ccccc1"))
    2
    """
    systems: list[set[int]] = []
    for ring in map(set, mol.GetRingInfo().AtomRings()):
        apart = [one for one in systems if not one & ring]
        systems = [*apart, ring.union(*(one for one in systems if one & ring))]
    return len(systems)


def largest_ring(mol: Any) -> int:
    """Atoms of the largest ring, 0 without rings."""
    return max(map(len, mol.GetRingInfo().AtomRings()), default=0)


def synthetic_accessibility(mol: Any) -> float:
    """From 1 (easy to make) to 10: Ertl and Schuffenhauer, J Cheminform 1:8 (2009), by the scorer that RDKit ships."""
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(mol))


def _stereocentres(mol: Any) -> int:
    return int(rdMolDescriptors.CalcNumAtomStereoCenters(mol))


def _charge(mol: Any) -> int:
    return sum(atom.GetFormalCharge() for atom in mol.GetAtoms())


def _of(symbol: str) -> Callable[[Any], float]:
    return lambda mol: sum(atom.GetSymbol() == symbol for atom in mol.GetAtoms())


def _halogens(mol: Any) -> int:
    return sum(atom.GetAtomicNum() in (9, 17, 35, 53) for atom in mol.GetAtoms())


PROPERTIES: dict[str, Property] = {
    "qed": Property(QED.qed, "", "drug-likeness, 0 to 1 (Bickerton 2012)", True),
    "sa": Property(synthetic_accessibility, "", "how hard to make, 1 (easy) to 10 (Ertl 2009)"),
    "logp": Property(Crippen.MolLogP, "", "octanol-water log P by Crippen's atom contributions"),
    "molecular_weight": Property(Descriptors.MolWt, "g/mol", "average mass"),
    "tpsa": Property(rdMolDescriptors.CalcTPSA, "square angstrom", "topological polar surface (Ertl 2000)"),
    "donors": Property(rdMolDescriptors.CalcNumHBD, "", "hydrogen bond donors"),
    "acceptors": Property(rdMolDescriptors.CalcNumHBA, "", "hydrogen bond acceptors"),
    "rotatable_bonds": Property(rdMolDescriptors.CalcNumRotatableBonds, "", "rotatable bonds"),
    "rings": Property(rdMolDescriptors.CalcNumRings, "", "rings of the smallest set"),
    "aromatic_rings": Property(rdMolDescriptors.CalcNumAromaticRings, "", "aromatic rings"),
    "ring_systems": Property(ring_systems, "", "groups of rings that share atoms"),
    "largest_ring": Property(largest_ring, "atoms", "the largest ring, 0 without rings"),
    "fraction_csp3": Property(
        rdMolDescriptors.CalcFractionCSP3, "", "share of carbons with single bonds only"
    ),
    "heavy_atoms": Property(lambda mol: mol.GetNumHeavyAtoms(), "", "atoms but hydrogen"),
    "stereocentres": Property(_stereocentres, "", "stereo centres, given or not"),
    "charge": Property(_charge, "e", "net formal charge"),
    "molar_refractivity": Property(Crippen.MolMR, "", "by Crippen's atom contributions"),
    "bertz": Property(Descriptors.BertzCT, "", "complexity (Bertz 1981)"),
    "carbons": Property(_of("C"), "", "carbon atoms"),
    "nitrogens": Property(_of("N"), "", "nitrogen atoms"),
    "oxygens": Property(_of("O"), "", "oxygen atoms"),
    "sulfurs": Property(_of("S"), "", "sulfur atoms"),
    "fluorines": Property(_of("F"), "", "fluorine atoms"),
    "halogens": Property(_halogens, "", "fluorine, chlorine, bromine and iodine atoms"),
}
