"""What compounds have in common: the scaffold of each, and groups of compounds that belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iatros.core.errors import InputError, unknown_name
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint

GROUPINGS = ("random", "scaffold", "cluster")
CLUSTER_SIMILARITY = 0.6


def scaffold(smiles: str) -> str:
    """The Bemis-Murcko scaffold (Bemis and Murcko, J Med Chem 39:2887, 1996) as canonical SMILES without stereo.

    Rings and what links them remain; of a compound without a ring, nothing does.

    >>> scaffold("C[C@H](N)CC1CCCCC1"), scaffold("CCO")
    ('C1CCCCC1', '')
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise InputError("a structure cannot be read, so it has no scaffold", cell=smiles)
    found: str = MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)
    return found


def groups_of(
    compounds: Compounds, how: str, *, similarity: float = CLUSTER_SIMILARITY, threads: int | None = None
) -> np.ndarray:
    """A number for each compound, int64 (n,), equal where compounds belong together, in the order of their first.

    `how` is random (each compound alone), scaffold (one Bemis-Murcko scaffold) or cluster (Butina clusters of Morgan
    fingerprints whose members are at least `similarity` similar to the centre). Compounds without a ring have no
    scaffold in common, so each stands alone; DeepChem makes one group of them, and so does `scaffold_deterministic`.

    >>> groups_of(Compounds(["Cc1ccccc1", "CCO", "CCCO", "Oc1ccccc1"]), "scaffold").tolist()
    [0, 1, 2, 0]
    """
    n = len(compounds)
    if how == "random":
        return np.arange(n)
    if how == "scaffold":
        return _numbered([scaffold(one) or row for row, one in enumerate(compounds.smiles)])
    if how != "cluster":
        raise unknown_name("grouping of compounds", how, GROUPINGS)
    if not n:
        return np.arange(0)
    from iatros.learners.compounds.picking import butina

    clusters = butina(compounds.values(Fingerprint("morgan")), similarity, threads=threads)
    return _numbered(clusters.labels.tolist())


def _numbered(keys: Sequence[object]) -> np.ndarray:
    """Each key as the number of keys that came first before it."""
    places: dict[object, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)
