"""Near-duplicates across a split: pairs whose similarity is known."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.cohort import Cohort
from iatros.molecules.duplicates import FIRST, near_duplicates

SMILES = (
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "CCCCCCCCCCCCO",
    "CCCCCCCCCCCCCO",
    "c1ccc2ccccc2c1",
    "CN1CCOCC1",
    "Cc1ncc[nH]1",
    "OC(=O)c1ccccc1",
)


def cohort_of(smiles) -> Cohort:
    n = len(smiles)
    return Cohort(
        Compounds(smiles),
        tuple(f"compound {row}" for row in range(n)),
        tuple(Chem.MolToInchiKey(Chem.MolFromSmiles(one)) for one in smiles),
        np.arange(2, n + 2),
        np.zeros((n, 1)),
        np.zeros((n, 1), dtype=np.int8),
        np.full((n, 1), np.nan),
        (Target("y", "continuous"),),
    )


def test_mirror_images_and_longer_chains_are_found():
    found = near_duplicates(cohort_of(SMILES), np.array([0, 2, 4, 6]), np.array([1, 3, 5, 7]))
    assert (found["n_test"], found["n_near"], found["n_identical"], found["n_same_connectivity"]) == (
        4,
        2,
        2,
        1,
    )
    assert found["pairs"] == [
        {
            "test": {"line": 3, "name": "compound 1"},
            "development": {"line": 2, "name": "compound 0"},
            "similarity": 1.0,
            "same_connectivity": True,
        },
        {
            "test": {"line": 5, "name": "compound 3"},
            "development": {"line": 4, "name": "compound 2"},
            "similarity": 1.0,
            "same_connectivity": False,
        },
    ]


def test_a_tautomer_is_a_near_duplicate_that_the_fingerprint_does_not_see():
    """2-Hydroxypyridine and 2-pyridone: one InChI, and a Tanimoto similarity below a half."""
    found = near_duplicates(cohort_of(("O=c1cccc[nH]1", "CCO", "Oc1ccccn1")), np.array([0, 1]), np.array([2]))
    assert (found["n_near"], found["n_same_connectivity"], found["n_pairs"]) == (0, 1, 1)
    assert found["pairs"][0]["development"]["line"] == 2
    assert found["pairs"][0]["similarity"] < 0.5


def test_the_histogram_is_what_rdkit_counts():
    development, test = np.array([0, 2, 4, 6]), np.array([1, 3, 5, 7])
    found = near_duplicates(cohort_of(SMILES), development, test)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in SMILES]
    expected = [max(BulkTanimotoSimilarity(bits[row], [bits[k] for k in development])) for row in test]
    assert found["histogram"]["counts"] == np.histogram(expected, bins=np.linspace(0, 1, 11))[0].tolist()
    assert sum(found["histogram"]["counts"]) == 4
    assert found["median_similarity"] == pytest.approx(np.median(expected), abs=1e-4)


def test_the_threshold_decides_what_is_near():
    cohort = cohort_of(("Cc1ccccc1CCO", "Cc1ccccc1CCCO"))
    sides = np.array([0]), np.array([1])
    assert near_duplicates(cohort, *sides)["n_near"] == 0
    assert near_duplicates(cohort, *sides, threshold=0.3)["n_near"] == 1


def test_only_the_first_pairs_are_listed_and_all_are_counted():
    chains = ["C" * k + "O" for k in range(8, 8 + FIRST + 20)]
    found = near_duplicates(cohort_of(chains), np.array([0]), np.arange(1, len(chains)))
    assert len(found["pairs"]) == FIRST
    assert found["n_pairs"] == found["n_near"] == len(chains) - 1


def test_an_empty_side_is_refused():
    with pytest.raises(InputError, match="both sides"):
        near_duplicates(cohort_of(SMILES), np.arange(8), np.arange(0))
