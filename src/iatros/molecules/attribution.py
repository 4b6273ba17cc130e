"""What each atom of a compound contributes to an answer, summed by fragment, and checks of such maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.compounds.fingerprints import BIT_KINDS, Fingerprint
from iatros.learners.compounds.packing import pack, unpack
from iatros.molecules.models.hiding import EachAtomHidden

EMPTY = "C"
"""Methane: what stands for no compound at all, which no model can be asked about."""
AGREEMENT_BOUND = 0.5
"""Fits agree on a map where the mean rank correlation of theirs reaches it."""
EXCHANGE_BOUND = 0.5
"""A map depends on what was learned where its rank correlation with maps from exchanged features stays below."""
STRUCTURE_BOUND = 0.7
"""A map that ranks atoms as their number of neighbours does at or above this tells of the structure alone."""
_REACH, _DRAWS = 2, 3

Hidden = Callable[[str], np.ndarray]
"""Of one SMILES: the answer (atoms,) with each atom hidden in turn."""


@dataclass(frozen=True)
class Fragment:
    """Atoms of a compound that belong together."""

    smiles: str
    atoms: tuple[int, ...]
    contribution: float


@dataclass(frozen=True)
class Contributions:
    """What the answer loses when an atom is hidden (atoms,), and the same summed over `fragments`.

    The sum is not the answer less that for nothing: hiding two atoms is not hiding one and then the other.
    """

    smiles: str
    answer: float
    atoms: np.ndarray
    elements: tuple[str, ...]
    fragments: tuple[Fragment, ...]


def contributions(smiles: str, answer: float, hidden: np.ndarray) -> Contributions:
    """The contributions of one compound whose answer is `answer`, and `hidden` (atoms,) with each atom hidden.

    InputError where the numbers do not fit the structure or are not finite.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError("not a valid SMILES", cell=smiles, hint="give the structure as curated")
    if hidden.shape != (molecule.GetNumAtoms(),) or not np.isfinite(hidden).all():
        raise InputError(
            f"a finite answer is needed for each of {molecule.GetNumAtoms()} atoms, got {hidden.shape}"
        )
    lost = answer - hidden
    fragments = [
        Fragment(Chem.MolFragmentToSmiles(molecule, atoms), atoms, float(lost[list(atoms)].sum()))
        for atoms in _fragments(molecule)
    ]
    fragments.sort(key=lambda one: (-abs(one.contribution), one.atoms))
    elements = tuple(atom.GetSymbol() for atom in molecule.GetAtoms())
    return Contributions(smiles, answer, lost, elements, tuple(fragments))


def agreement(smiles: Sequence[str], fits: Sequence[Hidden], answers: Sequence[np.ndarray]) -> float | None:
    """Mean rank correlation of the maps that several fits draw of the same compounds; None for fewer than two fits.

    `answers` holds what each fit says of the compounds (n,). A map without contrast agrees with none.
    """
    if len(fits) < 2 or not smiles:
        return None
    found = []
    for place, one in enumerate(smiles):
        maps = [answer[place] - fit(one) for fit, answer in zip(fits, answers, strict=True)]
        found += [rank_correlation(a, b) for k, a in enumerate(maps) for b in maps[:k]]
    return float(np.mean(found))


class ExchangedFeatures(EachAtomHidden):
    """One compound with each atom hidden in turn, as a model sees it whose features were dealt out anew.

    Each feature stands in the place of another, the same for all atoms: what the model learned about the features is
    lost, and how many each atom has is kept.
    """

    def __init__(self, smiles: str, seed: int) -> None:
        super().__init__(smiles)
        self._seed = seed

    def values(self, fingerprint: Fingerprint) -> np.ndarray:
        """As of `EachAtomHidden`, the columns in another order."""
        values = super().values(fingerprint)
        bits = fingerprint.kind in BIT_KINDS
        table = unpack(values, fingerprint.n_bits) if bits else values
        exchanged = table[:, np.random.default_rng(self._seed).permutation(table.shape[1])]
        return pack(exchanged) if bits else np.ascontiguousarray(exchanged)


def likeness_after_exchange(
    found: Sequence[Contributions], answer: Callable[[ExchangedFeatures], np.ndarray]
) -> float | None:
    """Mean rank correlation of the maps with those that `answer` gives for exchanged features, over three exchanges.

    In the manner of the randomisation of Adebayo 2018: a map that stays the same does not show what was learned.
    None where exchanging changes nothing, as for a model that sees no fingerprints.
    """
    correlations, changes = [], False
    for one in found:
        for seed in range(_DRAWS):
            hidden = answer(ExchangedFeatures(one.smiles, seed))
            changes = changes or bool(np.ptp(hidden) > 0)
            correlations.append(rank_correlation(one.atoms, -hidden))
    return float(np.mean(correlations)) if changes else None


def likeness_to_structure(found: Sequence[Contributions]) -> float:
    """Mean rank correlation of the size of the contributions with how many atoms lie within two bonds of each atom.

    The latter needs no model: a map that is like it shows which atoms are crowded.
    """
    from rdkit import Chem

    correlations = []
    for one in found:
        distance = Chem.GetDistanceMatrix(Chem.MolFromSmiles(one.smiles))
        crowded = (distance <= _REACH).sum(axis=1).astype(float)
        correlations.append(rank_correlation(np.abs(one.atoms), crowded))
    return float(np.mean(correlations)) if correlations else 0.0


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation, 0 where one side has no contrast.

    >>> rank_correlation(np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0, 4.0]))
    1.0
    """
    from scipy.stats import rankdata

    a, b = (rankdata(np.round(values, 12)) for values in (a, b))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1.0, 1.0)) if scale > 0 else 0.0


def _fragments(molecule: Any) -> list[tuple[int, ...]]:
    """The atoms of each ring system, and of each piece of what hangs on them that BRICS (Degen 2008) leaves whole."""
    from rdkit import Chem
    from rdkit.Chem import BRICS

    cut = {molecule.GetBondBetweenAtoms(*pair).GetIdx() for pair, _ in BRICS.FindBRICSBonds(molecule)}
    cut |= {
        bond.GetIdx()
        for bond in molecule.GetBonds()
        if not bond.IsInRing() and (bond.GetBeginAtom().IsInRing() or bond.GetEndAtom().IsInRing())
    }
    if cut:
        molecule = Chem.FragmentOnBonds(molecule, sorted(cut), addDummies=False)
    return [tuple(sorted(piece)) for piece in Chem.GetMolFrags(molecule)]
