"""Scores of a compound against sets of ligands: those of RDKit, and the orders they give."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.learners.compounds.fingerprints import compute
from iatros.molecules.fishing.background import Background
from iatros.molecules.fishing.ranking import RANKINGS, Ligands, Scores, score, significance

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "OC(=O)c1ccccc1O", "CCCCCC", "CCCCCCC", "c1ccccc1C(=O)O", "CCN"]
MEMBERS, STARTS = np.array([0, 1, 4, 2, 3, 1, 5]), np.array([0, 3, 5, 7])


def test_scores_are_sums_and_maxima_of_what_rdkit_says() -> None:
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in SMILES]
    query = generator.GetFingerprint(Chem.MolFromSmiles("Cc1ccccc1C(=O)O"))
    similar = np.array(DataStructs.BulkTanimotoSimilarity(query, bits))
    ligands = Ligands(compute(SMILES).values, MEMBERS, STARTS)
    background = Background(0.3, 0.01, 0.1, 0.5, 0.0)
    found = score(ligands, background, compute(["Cc1ccccc1C(=O)O"]).values, rows=True)
    for target in range(3):
        rows = MEMBERS[STARTS[target] : STARTS[target + 1]]
        near = similar[rows]
        assert found.raw[0, target] == pytest.approx(near[near >= 0.3].sum())
        assert found.nearest[0, target] == near.max()
        assert found.nearest_rows is not None
        assert found.nearest_rows[0, target] == rows[near.argmax()]
    assert found.z[0] == pytest.approx((found.raw[0] - 0.01 * ligands.sizes) / (0.1 * ligands.sizes**0.5))


def test_many_compounds_score_as_one_by_one() -> None:
    ligands = Ligands(compute(SMILES).values, MEMBERS, STARTS)
    background = Background(0.3, 0.01, 0.1, 0.5, 0.0)
    together = score(ligands, background, ligands.words)
    for row in range(len(SMILES)):
        alone = score(ligands, background, ligands.words[row : row + 1])
        assert (together.z[row] == alone.z[0]).all()


def test_orders_follow_their_name_and_break_ties_as_told() -> None:
    scores = Scores(
        raw=np.array([[1.0, 3.0, 3.0, 0.0]]),
        z=np.array([[5.0, 2.0, 1.0, -1.0]]),
        nearest=np.array([[0.6, 0.5, 0.9, 0.9]]),
    )
    sizes = np.array([2, 9, 30, 40])
    orders = {name: order(scores, 0, sizes).tolist() for name, order in RANKINGS.items()}
    assert orders == {
        "ensemble": [0, 1, 2, 3],
        "sum": [2, 1, 0, 3],
        "nearest": [3, 2, 0, 1],
        "popularity": [3, 2, 1, 0],
    }


def test_q_is_that_of_scipy() -> None:
    from scipy.stats import false_discovery_control

    z = np.random.default_rng(0).normal(1.0, 2.0, 57)
    p, e_value, q = significance(z)
    assert q == pytest.approx(false_discovery_control(p))
    assert e_value == pytest.approx(57 * p)
