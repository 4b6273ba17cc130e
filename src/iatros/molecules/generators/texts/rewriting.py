"""The texts that a language model learns of each compound: in its notation, and in random writings where asked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from iatros.core.engine import Engine
from iatros.core.errors import InputError
from iatros.core.progress import SilentProgress
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import Notation, to_selfies

_BATCH = 2_000


def ways_to_write(
    smiles: Sequence[str], n_random: int, *, notation: Notation, seed: int, engine: Engine
) -> list[list[str]]:
    """Texts of canonical `smiles`: those as they are, then `n_random` times all of them written at random.

    A random writing is drawn from the compound and `seed` alone: its atoms are renumbered, and written in the order of
    their numbers (Arús-Pous et al. 2019, "restricted" SMILES). A compound that cannot be written in the notation has
    empty texts.
    """
    if not n_random and notation == "smiles":
        return [list(smiles)]
    batches = [list(smiles[begin : begin + _BATCH]) for begin in range(0, len(smiles), _BATCH)]
    found = engine.map(
        _write, batches, (n_random, notation, seed), progress=SilentProgress(), label="writings"
    )
    return [[text for part in found for text in part[way]] for way in range(1 + n_random)]


def _write(shared: tuple[int, Notation, int], batch: list[str]) -> list[list[str]]:
    """The texts of a batch, way by way; what a worker runs."""
    n_random, notation, seed = shared
    several = [[smiles, *rewritten(smiles, n_random, seed=seed)] for smiles in batch]
    if notation == "selfies":
        several = [_in_selfies(texts) for texts in several]
    return [list(way) for way in zip(*several, strict=True)]


def rewritten(smiles: str, n: int, *, seed: int) -> list[str]:
    """`n` random writings of one compound; of a small compound some are equal."""
    from rdkit import Chem

    if not n:
        return []
    molecule = read_molecule(smiles)
    rng = np.random.default_rng([seed, zlib.crc32(smiles.encode())])
    drawn = (rng.permutation(molecule.GetNumAtoms()).tolist() for _ in range(n))
    return [Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False) for order in drawn]


def _in_selfies(texts: list[str]) -> list[str]:
    try:
        return [to_selfies(text) for text in texts]
    except InputError:
        return [""] * len(texts)
