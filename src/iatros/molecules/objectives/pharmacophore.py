"""Two- and three-point pharmacophores of a compound: which kinds of points it has, and how many bonds apart.

Source: Gobbi and Poppinger, Biotechnol Bioeng 61:47 (1998), with RDKit's definitions of the eight kinds of points and
its distances: 2, 3, ... 7 bonds and more; points less than 2 bonds apart, or not connected, make no pharmacophore.
RDKit's own fingerprint goes through them one by one in Python; here all of a compound are numbered at once. The numbers
are other than RDKit's, and which are equal is the same, so every similarity is too.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.DataStructs import SparseBitVect

_NEAREST, _FARTHEST, _LAST = 2, 100, 8
"""Distances in bonds: the least, the one from which two points are not connected, and the last that is told apart."""
_KINDS = 8
_PAIRS = _KINDS**2 * (_LAST + 1)
SIZE = _PAIRS + _KINDS**3 * (_LAST + 1) ** 3


def pharmacophore(mol: Any) -> Any:
    """The pharmacophores of `mol` as RDKit's vector of bits, of which few are set."""
    vector = SparseBitVect(SIZE)
    vector.SetBitsFromList(numbers(mol).tolist())
    return vector


def numbers(mol: Any) -> np.ndarray:
    """The number of each different pharmacophore of `mol`, rising."""
    kinds, atoms = _points(mol)
    if len(kinds) < 2:
        return np.empty(0, dtype=np.int64)
    bonds = Chem.GetDistanceMatrix(mol)[np.ix_(atoms, atoms)]
    apart = np.where((bonds >= _NEAREST) & (bonds < _FARTHEST), np.minimum(bonds, _LAST), 0).astype(np.int64)
    first, second = np.triu_indices(len(kinds), 1)
    found = (kinds[first] * _KINDS + kinds[second]) * (_LAST + 1) + apart[first, second]
    pairs = found[apart[first, second] > 0]
    return np.unique(np.concatenate([pairs, _PAIRS + _triangles(kinds, apart)]))


def _triangles(kinds: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """The number of each triangle of points, whose `kinds` (n,) rise and which are `apart` (n, n), 0 for none."""
    i, j, k = _triples(len(kinds))
    ij, ik, jk = apart[i, j], apart[i, k], apart[j, k]
    there = (ij > 0) & (ik > 0) & (jk > 0)
    i, j, k, ij, ik, jk = (one[there] for one in (i, j, k, ij, ik, jk))
    a, b, c = kinds[i], kinds[j], kinds[k]
    # Points of one kind have no order, so of distances that could change places the greater comes first.
    ik, jk = _ordered(a == b, ik, jk)
    ij, ik = _ordered(b == c, ij, ik)
    ik, jk = _ordered(a == b, ik, jk)
    width = _LAST + 1
    return (((a * _KINDS + b) * _KINDS + c) * width + ij) * width**2 + ik * width + jk


def _ordered(where: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    swapped = where & (one < other)
    return np.where(swapped, other, one), np.where(swapped, one, other)


def _points(mol: Any) -> tuple[np.ndarray, np.ndarray]:
    """The kind of each point, rising, and its atom."""
    found = [
        (kind, atom)
        for kind, pattern in enumerate(_patterns())
        for (atom,) in mol.GetSubstructMatches(pattern)
    ]
    points = np.array(found, dtype=np.int64).reshape(-1, 2)
    return points[:, 0], points[:, 1]


@lru_cache(maxsize=128)
def _triples(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every i < j < k below n."""
    found = np.array(list(combinations(range(n), 3)), dtype=np.int16).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]


@cache
def _patterns() -> tuple[Any, ...]:
    """One pattern of one atom for each kind of point: asking for them is ten times faster than RDKit's own factory."""
    from rdkit.Chem.Pharm2D import Gobbi_Pharm2D

    definitions = Gobbi_Pharm2D.factory.featFactory.GetFeatureDefs()
    return tuple(Chem.MolFromSmarts(definitions[name]) for name in sorted(definitions))
