"""A compound with each atom hidden in turn, as the features that are left of it.

| kind of fingerprint | what hiding an atom means |
|---|---|
| circular | the environments in which the atom takes part are left out, exactly (Riniker and Landrum 2013) |
| the others | the feature of the compound without the atom, hydrogens at its bonds' other ends (Polishchuk 2013) |

A bit stays set where another environment, in which the atom takes no part, sets it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import BIT_KINDS, Fingerprint, of_molecules
from iatros.learners.compounds.packing import pack

_MOST = np.iinfo(np.uint16).max


class EachAtomHidden(Compounds):
    """One compound as many times as it has atoms, each time without one of them, in RDKit's order.

    InputError where RDKit cannot read `smiles`.

    >>> ethanol = EachAtomHidden("CCO")
    >>> len(ethanol), ethanol.values(Fingerprint("morgan-counts", n_bits=128)).sum(axis=1).tolist()
    (3, [3, 2, 3])
    """

    def __init__(self, smiles: str) -> None:
        self._molecule = _read(smiles)
        self._hidden: dict[Fingerprint, np.ndarray] = {}
        super().__init__([smiles] * self._molecule.GetNumAtoms())

    def take(self, rows: Sequence[int] | np.ndarray) -> EachAtomHidden:
        """The compound without each of the atoms at `rows`."""
        taken = copy(self)
        chosen = np.asarray(rows, dtype=np.int64)
        taken._rows = chosen if self._rows is None else self._rows[chosen]
        return taken

    def values(self, fingerprint: Fingerprint) -> np.ndarray:
        """What is left of the feature, a line for each atom, in the form of `Compounds.values`."""
        if fingerprint not in self._hidden:
            self._hidden[fingerprint] = _left(self._molecule, fingerprint)
        values = self._hidden[fingerprint]
        return values if self._rows is None else values[self._rows]


@lru_cache(maxsize=4)
def each_atom_hidden(smiles: str) -> EachAtomHidden:
    """The same, kept for the next model that is asked about this compound: fits of one model share their features."""
    return EachAtomHidden(smiles)


def _left(molecule: Any, fingerprint: Fingerprint) -> np.ndarray:
    if "morgan" in fingerprint.kind:
        counts = _without_environments(molecule, fingerprint)
        return pack(counts > 0) if fingerprint.kind in BIT_KINDS else counts
    left = [_without_atom(molecule, atom) for atom in range(molecule.GetNumAtoms())]
    values = of_molecules(fingerprint, [one or molecule for one in left])
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, np.float32(0.0))
    values[[one is None for one in left]] = 0
    return values


def _read(smiles: str) -> Any:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles.split()[0]) if smiles.strip() else None
    if molecule is None or not molecule.GetNumAtoms():
        raise InputError("not a valid SMILES", cell=smiles, hint="give the structure as curated")
    return molecule


def _without_environments(molecule: Any, fingerprint: Fingerprint) -> np.ndarray:
    """Counts (atoms, n_bits), uint16, of the environments in which each atom takes no part."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    found = rdFingerprintGenerator.AdditionalOutput()
    found.AllocateBitInfoMap()
    _generator(fingerprint).GetCountFingerprint(molecule, additionalOutput=found)
    distance = Chem.GetDistanceMatrix(molecule)
    counts = np.zeros((len(distance), fingerprint.n_bits), dtype=np.int64)
    for bit, environments in found.GetBitInfoMap().items():
        for centre, radius in environments:
            counts[:, bit] += distance[centre] > radius
    return np.minimum(counts, _MOST).astype(np.uint16)


@cache
def _generator(fingerprint: Fingerprint) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    features = fingerprint.kind.startswith("feature")
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=fingerprint.radius,
        fpSize=fingerprint.n_bits,
        includeChirality=fingerprint.chirality,
        atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if features else None,
    )


def _without_atom(molecule: Any, atom: int) -> Any:
    """The compound without `atom`, hydrogens where its bonds were; None where nothing is left."""
    from rdkit import Chem, rdBase

    if molecule.GetNumAtoms() == 1:
        return None
    left = Chem.RWMol(molecule)
    Chem.Kekulize(left, clearAromaticFlags=True)
    for neighbour in left.GetAtomWithIdx(atom).GetNeighbors():
        neighbour.SetNoImplicit(False)
    left.RemoveAtom(atom)
    with rdBase.BlockLogs():
        Chem.SanitizeMol(left)
    return left.GetMol()
