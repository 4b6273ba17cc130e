"""How like a list of reference compounds each compound is, by Tanimoto similarity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from rdkit import Chem, DataStructs

from iatros.molecules.objectives.fingerprints import CIRCULAR, fingerprint
from iatros.molecules.objectives.molecule import Molecule
from iatros.molecules.objectives.references import References

MANY = 500
"""References from which the nearest is looked for by the index of the project's own kernel, which spares most pairs."""
_OF_MANY_BITS = ("pharmacophore",)
"""Kinds whose bits are not folded, so that they are not packed into words."""


def similarities(
    references: References, read: Sequence[Molecule], kind: str, radius: int, to: Literal["nearest", "mean"]
) -> np.ndarray:
    """Similarity (n,) of each compound to the nearest reference, or the mean over all of them, 0 to 1."""
    radius = radius if kind in CIRCULAR else 0
    vectors = [one.fingerprint(kind, radius) for one in read]
    packed = not kind.endswith("-counts") and kind not in _OF_MANY_BITS
    if to == "nearest" and packed and len(references.smiles) >= MANY and vectors:
        from iatros.learners.compounds.tanimoto import search

        return search(_index(references, kind, radius), _words(vectors), 1).similarities[:, 0]
    known = _vectors(references, kind, radius)
    found = (DataStructs.BulkTanimotoSimilarity(vector, known) for vector in vectors)
    values = [max(one) if to == "nearest" else sum(one) / len(one) for one in found]
    return np.array(values, dtype=np.float64)


@lru_cache(maxsize=128)
def _vectors(references: References, kind: str, radius: int) -> list[Any]:
    return [fingerprint(Chem.MolFromSmiles(smiles), kind, radius) for smiles in references.smiles]


@lru_cache(maxsize=16)
def _index(references: References, kind: str, radius: int) -> Any:
    from iatros.learners.compounds.tanimoto import build_index

    return build_index(_words(_vectors(references, kind, radius)))


def _words(vectors: list[Any]) -> np.ndarray:
    """Vectors of bits as the kernel takes them (n, words)."""
    lines = [DataStructs.BitVectToBinaryText(one) for one in vectors]
    width = -(-len(lines[0]) // 8) * 8
    words = np.frombuffer(b"".join(line.ljust(width, b"\0") for line in lines), dtype="<u8")
    return words.reshape(len(lines), -1).astype(np.uint64)
