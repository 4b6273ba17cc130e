"""Many scaffolds in place of one: a filter on the reward, and how diverse a set of compounds is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from iatros.core.errors import InputError
from iatros.molecules.splitting import scaffolds


@dataclass
class ScaffoldFilter:
    """A bucket of `bucket` compounds for each Murcko scaffold; what comes after it is full gets less reward.

    As in REINVENT (Blaschke et al. 2020, J. Cheminform. 12:68): only compounds scored at least `threshold` are looked
    at, and those of a full bucket get `penalised` times their score. The ledger keeps the score itself.
    """

    bucket: int = 25
    threshold: float = 0.5
    penalised: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    n_penalised: int = 0

    def reward(self, smiles: str, score: float) -> float:
        """The reward of a compound that is new; it takes a place in its scaffold's bucket."""
        if score < self.threshold:
            return score
        name = scaffold(smiles)
        self.found[name] += 1
        if self.found[name] <= self.bucket:
            return score
        self.n_penalised += 1
        return score * self.penalised


def scaffold(smiles: str) -> str:
    """That of `splitting.scaffolds`, but "" also for the few compounds whose own SMILES cannot be read again.

    >>> scaffold("CCOc1ccccc1"), scaffold("c1cccc1")
    ('c1ccccc1', '')
    """
    try:
        return scaffolds.scaffold(smiles)
    except InputError:
        return ""


def n_scaffolds(smiles: Sequence[str]) -> int:
    """Different Murcko scaffolds; compounds without rings share one."""
    return len({scaffold(text) for text in smiles})


def internal_diversity(smiles: Sequence[str]) -> float | None:
    """1 less the mean Tanimoto similarity (ECFP4, 2048 bits) of two different compounds; None for fewer than two."""
    from iatros.learners.compounds.compounds import Compounds
    from iatros.learners.compounds.fingerprints import Fingerprint
    from iatros.learners.compounds.tanimoto import mean_similarity

    if len(smiles) < 2:
        return None
    return 1.0 - mean_similarity(Compounds(list(smiles)).values(Fingerprint()))
