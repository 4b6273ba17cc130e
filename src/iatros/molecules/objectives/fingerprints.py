"""The fingerprints by which an objective compares compounds, as RDKit's vectors.

| kind | vector | what it tells |
|---|---|---|
| `morgan`, `morgan-counts` | 2,048 bits; counts, not folded | circular environments (ECFP, ECFC) |
| `feature-morgan`, `feature-morgan-counts` | the same | with atoms as donors, acceptors, ... (FCFP, FCFC) |
| `atom-pair`, `atom-pair-counts` | the same | pairs of atoms up to 10 bonds apart (Carhart 1985) |
| `topological` | 2,048 bits | paths (RDKit's own) |
| `maccs` | 166 bits | substructures |
| `pharmacophore` | bits, not folded | two and three pharmacophore points and their distances (Gobbi 1998) |

Counts that are not folded are what GuacaMol and PMO call ECFP4, ECFP6, FCFP4 and AP: radius 2 and 3 there are 4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from iatros.molecules.objectives.pharmacophore import pharmacophore

N_BITS = 2048
MOST_BONDS = 10
"""Between the two atoms of a pair."""

CIRCULAR = ("morgan", "morgan-counts", "feature-morgan", "feature-morgan-counts")
KINDS = (*CIRCULAR, "atom-pair", "atom-pair-counts", "topological", "maccs", "pharmacophore")


def fingerprint(mol: Any, kind: str, radius: int = 2) -> Any:
    """The vector of `mol`; `radius`, in bonds, matters to the circular kinds."""
    return _calculator(kind, radius if kind in CIRCULAR else 0)(mol)


@cache
def _calculator(kind: str, radius: int) -> Callable[[Any], Any]:
    from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

    if kind == "maccs":
        return rdMolDescriptors.GetMACCSKeysFingerprint
    if kind == "pharmacophore":
        return pharmacophore
    if kind in CIRCULAR:
        invariants = (
            rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if kind.startswith("feature") else None
        )
        generator = rdFingerprintGenerator.GetMorganGenerator(
            radius=radius, fpSize=N_BITS, atomInvariantsGenerator=invariants
        )
    elif kind == "topological":
        generator = rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=N_BITS)
    else:
        generator = rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=MOST_BONDS, fpSize=N_BITS)
    counted = kind.endswith("-counts")
    return generator.GetSparseCountFingerprint if counted else generator.GetFingerprint
