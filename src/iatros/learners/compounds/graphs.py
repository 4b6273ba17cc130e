"""Compounds as graphs: what is known of each atom and bond, one compound behind the other in flat arrays.

The features are those of Yang et al. (2019, "Analyzing Learned Molecular Representations for Property Prediction", J Chem
Inf Model 59, 3370) in their second edition (Heid et al. 2024), so that a network over them can be compared.

| atom (72 columns) | choices | bond (14 columns) | choices |
|---|---|---|---|
| atomic number | 1 to 36, 53, another | no bond | never here |
| neighbours, hydrogens included | 0 to 5, another | order | single, double, triple, aromatic |
| charge | -1, -2, 1, 2, 0, another | conjugated | yes |
| chirality, as written | RDKit's tags 0 to 3, another | in a ring | yes |
| hydrogens | 0 to 4, another | double bond's stereo | RDKit's kinds 0 to 5, another |
| hybridisation | s, sp, sp2, sp2d, sp3, sp3d, sp3d2, another | | |
| aromatic; mass / 100 | | | |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from iatros.core.errors import InputError

ATOM_WIDTH = 72
BOND_WIDTH = 14

_ELEMENTS = {number: place for place, number in enumerate([*range(1, 37), 53])}
_CHARGES = {-1: 0, -2: 1, 1: 2, 2: 3, 0: 4}
_SIZES = (38, 7, 6, 5, 6, 8)
_STARTS = tuple(int(start) for start in np.cumsum((0, *_SIZES)))
_AROMATIC, _MASS = _STARTS[-1], _STARTS[-1] + 1


@dataclass(frozen=True)
class Graphs:
    """n compounds with a atoms and b bonds together.

    `flags` (a, 71) uint8 are the features of an atom but its mass, `mass` (a,) float32 is that over 100. `bonds`
    (b, 14) uint8 are the features of a bond and `ends` (b, 2) int64 its two atoms, counted within the compound.
    `n_atoms` and `n_bonds` (n,) say how many rows belong to each compound, in order.
    """

    flags: np.ndarray
    mass: np.ndarray
    bonds: np.ndarray
    ends: np.ndarray
    n_atoms: np.ndarray
    n_bonds: np.ndarray

    def __len__(self) -> int:
        return len(self.n_atoms)

    def take(self, rows: np.ndarray) -> Graphs:
        """The compounds at `rows`, in that order, repeats allowed."""
        rows = np.asarray(rows, dtype=np.int64)
        atoms, bonds = _spans(self.n_atoms, rows), _spans(self.n_bonds, rows)
        return Graphs(
            self.flags[atoms],
            self.mass[atoms],
            self.bonds[bonds],
            self.ends[bonds],
            self.n_atoms[rows],
            self.n_bonds[rows],
        )

    @property
    def atom_features(self) -> np.ndarray:
        """float32 (a, 72)."""
        return np.concatenate([self.flags.astype(np.float32), self.mass[:, None]], axis=1)

    @property
    def bond_features(self) -> np.ndarray:
        """float32 (2 b, 14), a line for each direction: row 2 i is bond i as it is given, 2 i + 1 the way back."""
        return np.repeat(self.bonds.astype(np.float32), 2, axis=0)

    @property
    def edges(self) -> np.ndarray:
        """int64 (2, 2 b): the atom, counted over all compounds, from which each direction leads, and that to which."""
        first = np.repeat(np.cumsum(self.n_atoms) - self.n_atoms, self.n_bonds)
        ends = self.ends + first[:, None]
        return np.stack([ends.ravel(), ends[:, ::-1].ravel()])

    @property
    def owners(self) -> np.ndarray:
        """int64 (a,): the compound of each atom."""
        return np.repeat(np.arange(len(self)), self.n_atoms)


def compute_graphs(smiles: Sequence[str]) -> Graphs:
    """The graphs of `smiles`, atoms and bonds in RDKit's order; InputError that names the first it cannot read.

    >>> graphs = compute_graphs(["CCO", "C#N"])
    >>> graphs.n_atoms.tolist(), graphs.edges.tolist()
    ([3, 2], [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
    """
    return _joined([_graph(read_molecule(text, place)) for place, text in enumerate(smiles)])


def hidden_graphs(smiles: str) -> Graphs:
    """The graph of one compound as many times as it has atoms: in the i-th copy atom i and its bonds have no features.

    The atoms and bonds themselves stay, so that all copies have the shape of the compound.
    """
    whole = compute_graphs([smiles])
    n = int(whole.n_atoms[0])
    copies = whole.take(np.zeros(n, dtype=np.int64))
    seen = 1 - np.eye(n, dtype=np.uint8)
    touched = np.stack([(whole.ends == atom).any(axis=1) for atom in range(n)])
    return Graphs(
        copies.flags * seen.reshape(-1, 1),
        copies.mass * seen.ravel(),
        copies.bonds * (~touched).reshape(-1, 1).astype(np.uint8),
        copies.ends,
        copies.n_atoms,
        copies.n_bonds,
    )


def read_molecule(smiles: str, place: int = 0) -> Any:
    """RDKit's molecule of one SMILES, the `place`-th (from 0) of its list; InputError where there is none."""
    from rdkit import Chem, rdBase

    # RDKit takes what follows a space for a name, so that "CO poisoning" would be methanol.
    first, _, rest = smiles.strip().partition(" ")
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(first) if not rest or rest.lstrip().startswith("|") else None
    if molecule is None or not molecule.GetNumAtoms():
        raise InputError(
            "not a valid SMILES", where=f"compound {place + 1}", cell=smiles, hint="curate the file first"
        )
    return molecule


def _spans(counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The numbers of all lines that belong to the compounds at `rows`, each of which has `counts` lines."""
    lengths = counts[rows]
    starts = (np.cumsum(counts) - counts)[rows]
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


@dataclass(frozen=True)
class _One:
    """Of one compound: columns that are 1 in each atom, masses, columns that are 1 in each bond, ends."""

    atoms: list[tuple[int, ...]]
    mass: list[float]
    bonds: list[tuple[int, ...]]
    ends: list[tuple[int, int]]


def _graph(molecule: Any) -> _One:
    atoms = list(molecule.GetAtoms())
    bonds = list(molecule.GetBonds())
    return _One(
        [_atom_columns(atom) for atom in atoms],
        [atom.GetMass() for atom in atoms],
        [_bond_columns(bond) for bond in bonds],
        [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds],
    )


def _atom_columns(atom: Any) -> tuple[int, ...]:
    """The columns of an atom that are 1; the last one is that of aromatic atoms, or a spare one behind them."""
    return (
        _ELEMENTS.get(atom.GetAtomicNum(), 37),
        _STARTS[1] + min(atom.GetTotalDegree(), 6),
        _STARTS[2] + _CHARGES.get(atom.GetFormalCharge(), 5),
        _STARTS[3] + min(int(atom.GetChiralTag()), 4),
        _STARTS[4] + min(atom.GetTotalNumHs(), 5),
        _STARTS[5] + _hybridisations().get(atom.GetHybridization(), 7),
        _AROMATIC if atom.GetIsAromatic() else _MASS,
    )


def _bond_columns(bond: Any) -> tuple[int, ...]:
    """The columns of a bond that are 1, a spare one behind them where something does not hold."""
    return (
        _orders().get(bond.GetBondType(), BOND_WIDTH),
        5 if bond.GetIsConjugated() else BOND_WIDTH,
        6 if bond.IsInRing() else BOND_WIDTH,
        7 + min(int(bond.GetStereo()), 6),
    )


@cache
def _hybridisations() -> dict[Any, int]:
    from rdkit.Chem import HybridizationType as H

    return {kind: place for place, kind in enumerate((H.S, H.SP, H.SP2, H.SP2D, H.SP3, H.SP3D, H.SP3D2))}


@cache
def _orders() -> dict[Any, int]:
    from rdkit.Chem import BondType as B

    return {kind: place for place, kind in enumerate((B.SINGLE, B.DOUBLE, B.TRIPLE, B.AROMATIC), start=1)}


def _joined(found: list[_One]) -> Graphs:
    atoms = np.array([line for one in found for line in one.atoms], dtype=np.int64).reshape(-1, 7)
    bonds = np.array([line for one in found for line in one.bonds], dtype=np.int64).reshape(-1, 4)
    return Graphs(
        _flags(atoms, _MASS),
        (0.01 * np.array([mass for one in found for mass in one.mass])).astype(np.float32),
        _flags(bonds, BOND_WIDTH),
        np.array([ends for one in found for ends in one.ends], dtype=np.int64).reshape(-1, 2),
        np.array([len(one.atoms) for one in found], dtype=np.int64),
        np.array([len(one.bonds) for one in found], dtype=np.int64),
    )


def _flags(columns: np.ndarray, width: int) -> np.ndarray:
    """uint8 (rows, width) with 1 in the columns named in each row; the column `width` is dropped."""
    flags = np.zeros((len(columns), width + 1), dtype=np.uint8)
    flags[np.arange(len(columns))[:, None], columns] = 1
    return flags[:, :width]
