"""What a bundle remembers of the compounds that a generator learned from: enough to tell whether one is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.context import Context

HASHES, RINGS = "known.safetensors", "rings.json"
MOST_FOR_RINGS = 200_000
"""Compounds of which the ring systems are collected; more hardly bring another one."""
_BATCH = 1000


@dataclass(frozen=True)
class Known:
    """64-bit hashes of canonical SMILES, sorted, uint64 (n,), and the ring systems that occur.

    No structure can be read off a hash, but whoever has a structure can see whether it was learned from. Two different
    compounds share a hash with a probability of 5e-13 for each compound asked about, of ten million that are known.
    """

    hashes: np.ndarray = field(repr=False)
    rings: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, smiles: Sequence[str], context: Context) -> Known:
        """From canonical SMILES; ring systems come from every k-th compound where there are many."""
        step = -(-len(smiles) // MOST_FOR_RINGS) or 1
        some = smiles[::step]
        batches = [list(some[at : at + _BATCH]) for at in range(0, len(some), _BATCH)]
        found = context.engine.map(_rings_of, batches, None, progress=context.progress, label="ring systems")
        return cls(np.unique(hashed(smiles)), frozenset(ring for part in found for ring in part))

    def holds(self, smiles: Sequence[str]) -> np.ndarray:
        """Which of the canonical SMILES were learned from, bool (n,)."""
        return np.isin(hashed(smiles), self.hashes)

    def save(self) -> dict[str, bytes]:
        """Files for a bundle."""
        return {
            HASHES: pack_arrays({"hashes": self.hashes}),
            RINGS: json.dumps(sorted(self.rings)).encode(),
        }

    @classmethod
    def load(cls, hashes: bytes, rings: bytes) -> Known:
        """The reverse of `save`."""
        return cls(unpack_arrays(hashes)["hashes"], frozenset(json.loads(rings)))


def hashed(smiles: Sequence[str]) -> np.ndarray:
    """BLAKE2b of each text, cut to 64 bits, uint64 (n,)."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in smiles)
    return np.frombuffer(digests, dtype="<u8")


def _rings_of(_: None, smiles: list[str]) -> set[str]:
    from rdkit import Chem

    from iatros.molecules.generating.rings import ring_systems

    return {ring for text in smiles for ring in ring_systems(Chem.MolFromSmiles(text))}
