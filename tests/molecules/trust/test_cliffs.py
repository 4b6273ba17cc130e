"""Cliffs built by hand: close pairs with and without a gap, bounds, classes, and the error of a model by similarity."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import TanimotoSimilarity

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay
from iatros.molecules.trust.cliffs import errors_at_cliffs, find_cliffs

P = Target("pIC50", "continuous", unit="p")
LONG = ["CCCCCCCCCCCCO", "CCCCCCCCCCCCCO", "CCCCCCCCCCCCCCO"]
"""Alkanols with equal circular fingerprints."""
RING = ["CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CC(C)Cc1ccc(cc1)C(C)C(=O)N", "OC1CCC1"]
"""Ibuprofen and its amide (one scaffold), and something else."""


def _assay(smiles: list[str], y: list[float], bound: list[int] | None = None, target: Target = P) -> Assay:
    n = len(smiles)
    sides = np.zeros((n, 1), dtype=np.int8) if bound is None else np.array(bound, dtype=np.int8)[:, None]
    return Assay(Compounds(smiles), np.array(y)[:, None], sides, (target,), np.arange(n))


def _similarity(a: str, b: str) -> float:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return TanimotoSimilarity(*(generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in (a, b)))


def test_close_compounds_with_a_hundred_fold_gap_are_a_cliff() -> None:
    smiles = [*LONG, *RING]
    (found,) = find_cliffs(_assay(smiles, [5.0, 5.5, 8.0, 4.0, 7.0, 9.0]))
    assert found.pairs.tolist() == [[0, 2], [1, 2], [3, 4]]
    assert found.n_similar == 4
    assert found.gap.tolist() == [3.0, 2.5, 3.0]
    similarity = _similarity(RING[0], RING[1])
    assert 0.6 <= similarity < 0.85
    assert found.similarity.tolist() == pytest.approx([1.0, 1.0, similarity])
    assert found.sali[2] == pytest.approx(3 / (1 - similarity))
    assert np.isinf(found.sali[:2]).all()
    document = json.loads(json.dumps(found.document(most=2), allow_nan=False))
    assert (document["cliffs"], document["compounds"], len(document["steepest"])) == (3, 5, 2)
    assert document["steepest"][0] == {"rows": [0, 2], "similarity": 1.0, "gap": 3.0, "sali": None}


def test_chains_of_another_length_are_not_nearly_the_same() -> None:
    """To bit fingerprints they are equal."""
    smiles = ["C" * 12 + "O", "C" * 22 + "O", "C" * 23 + "O"]
    assert _similarity(smiles[0], smiles[1]) == 1
    (found,) = find_cliffs(_assay(smiles, [2.0, 8.0, 5.0]))
    assert found.pairs.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("y", "bound", "gap"),
    [
        ([8.0, 5.0], [1, 0], 3.0),
        ([8.0, 5.0], [-1, 0], None),
        ([8.0, 5.0], [0, -1], 3.0),
        ([8.0, 5.0], [0, 1], None),
        ([8.0, 5.0], [1, -1], 3.0),
        ([5.0, 5.0], [-1, 0], None),
    ],
)
def test_of_bounds_only_what_is_certain_counts(y: list[float], bound: list[int], gap: float | None) -> None:
    (found,) = find_cliffs(_assay(LONG[:2], y, bound))
    assert found.gap.tolist() == ([] if gap is None else [gap])


def test_limit_is_two_deviations_on_another_scale_and_classes_must_differ() -> None:
    rng = np.random.default_rng(0)
    others = [f"C1CC{'C' * k}1" for k in range(1, 9)]
    y = [0.0, 1.9, 2.3, *rng.normal(0, 0.1, 8)]
    (found,) = find_cliffs(_assay([*LONG, *others], y, target=Target("logS", "continuous")))
    assert found.limit == pytest.approx(2 * np.std(y))
    assert all(gap > found.limit for gap in found.gap)
    (classes,) = find_cliffs(_assay(LONG, [0.0, 1.0, 1.0], target=Target("toxic", "binary", ("no", "yes"))))
    assert classes.pairs.tolist() == [[0, 1], [0, 2]]
    (given,) = find_cliffs(_assay(LONG, [5.0, 5.5, 8.0]), limits=(2.9,))
    assert given.pairs.tolist() == [[0, 2]]


def test_gaps_in_what_was_measured_make_no_cliffs() -> None:
    assay = _assay(LONG, [5.0, np.nan, 8.0])
    (found,) = find_cliffs(assay)
    assert (found.n_similar, found.pairs.tolist()) == (1, [[0, 2]])
    assert find_cliffs(_assay(["CCO"], [5.0]))[0].pairs.shape == (0, 2)


def test_error_at_cliffs_beside_the_others() -> None:
    assay = _assay([*LONG, *RING], [5.0, 5.0, 8.0, 4.0, 4.5, 9.0])
    cliffs = find_cliffs(assay)
    prediction = np.array([6.0, 6.0, 6.0, 4.0, 4.0, 8.0])[:, None]
    (told,) = errors_at_cliffs(assay, prediction, cliffs)
    assert (told["n_at_cliffs"], told["n_others"]) == (3, 3)
    assert told["rmse_at_cliffs"] == pytest.approx(np.sqrt((1 + 1 + 4) / 3))
    assert told["rmse_others"] == pytest.approx(np.sqrt((0 + 0.25 + 1) / 3))
    assert told["difference"]["low"] < told["difference"]["value"] < told["difference"]["high"]
    none = errors_at_cliffs(assay, prediction, find_cliffs(assay, limits=(50.0,)))
    assert none[0]["rmse_at_cliffs"] is None


def test_limits_for_another_number_of_endpoints_are_refused() -> None:
    with pytest.raises(InputError, match="one limit"):
        find_cliffs(_assay(LONG, [5.0, 5.5, 8.0]), limits=(1.0, 2.0))
