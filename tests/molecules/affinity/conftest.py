"""Affinities with a known rule: families of drugs meet families of proteins."""

import numpy as np
import pytest

from iatros.molecules.affinity.schema import Pairs

SMILES = (
    "CCO", "CCCO", "CCCCO", "CCCCCO",
    "c1ccccc1", "Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1",
    "CC(=O)N", "CCC(=O)N", "CCCC(=O)N",
)  # fmt: skip
DRUG_FAMILY = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
EFFECT = np.array([[1.5, -1.0, 0.0, 0.5], [-1.0, 1.0, 0.5, -0.5], [0.0, 0.5, -1.5, 1.0]])
N_TARGETS = 17


def sequences(rng):
    """Four families of proteins, four or five to each, a twentieth of the residues changed within a family."""
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    family = np.arange(N_TARGETS) % 4
    heads = [rng.choice(letters, 60) for _ in range(4)]
    made = []
    for k in family:
        one = heads[k].copy()
        places = rng.choice(60, 3, replace=False)
        one[places] = rng.choice(letters, 3)
        made.append("".join(one))
    return tuple(made), family


def make_pairs(share=1.0, seed=0):
    rng = np.random.default_rng(seed)
    made, family = sequences(rng)
    drug, target = (axis.ravel() for axis in np.mgrid[: len(SMILES), :N_TARGETS])
    y = 6 + EFFECT[DRUG_FAMILY[drug], family[target]] + 0.05 * rng.normal(size=len(drug))
    y += 0.1 * drug / len(SMILES)
    pairs = Pairs(
        tuple(f"d{k}" for k in range(len(SMILES))),
        SMILES,
        tuple(f"t{k}" for k in range(N_TARGETS)),
        made,
        drug.astype(np.int64),
        target.astype(np.int64),
        y,
        np.zeros(len(y), dtype=np.int8),
    )
    if share == 1.0:
        return pairs
    kept = np.sort(rng.permutation(len(pairs))[: int(share * len(pairs))])
    return pairs.take(kept)


@pytest.fixture(scope="session")
def whole():
    return make_pairs()


@pytest.fixture(scope="session")
def gappy():
    return make_pairs(0.7, seed=1)
