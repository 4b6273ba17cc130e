"""y-scrambling: real structure beats permutations, noise does not, and a permutation keeps what it must."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay
from iatros.molecules.trust.scrambling import scramble

SMILES = [f"{'C' * length}{end}" for end in ("O", "N", "C(=O)O", "Cl", "F") for length in range(2, 14)]
FOLDS = np.arange(len(SMILES)) % 3


def _assay(y: np.ndarray) -> Assay:
    bound = np.zeros(y.shape, dtype=np.int8)
    bound[::7, 0] = 1
    targets = tuple(Target(f"logS{k}", "continuous") for k in range(y.shape[1]))
    return Assay(Compounds(SMILES), y, bound, targets, np.arange(len(y)))


def _by_length(train: Assay, test: Assay, seed: int) -> np.ndarray:
    """A line through the number of letters."""
    x, asked = (np.array([len(one) for one in side.compounds.smiles], dtype=float) for side in (train, test))
    columns = []
    for column in range(train.y.shape[1]):
        known = train.measured[:, column]
        slope, offset = np.polyfit(x[known], train.y[known, column], 1)
        columns.append(slope * asked + offset)
    return np.column_stack(columns)


def _score(assay: Assay, prediction: np.ndarray) -> float:
    return -float(np.sqrt(np.nanmean((assay.y - prediction) ** 2)))


def test_structure_that_is_there_beats_every_permutation() -> None:
    y = np.array([[float(len(one))] for one in SMILES])
    found = scramble(_assay(y), FOLDS, _by_length, _score, n=19, seed=1)
    assert found["p_value"] == pytest.approx(1 / 20)
    assert found["score"] > found["best_permuted"]
    assert found["standard_deviations_above"] > 3
    assert len(found["permuted"]) == 19
    assert found == scramble(_assay(y), FOLDS, _by_length, _score, n=19, seed=1)


def test_noise_does_not() -> None:
    rng = np.random.default_rng(0)
    p_values = [
        scramble(_assay(rng.normal(size=(len(SMILES), 1))), FOLDS, _by_length, _score, n=9, seed=k)["p_value"]
        for k in range(40)
    ]
    assert 0.35 < np.mean(p_values) < 0.75
    assert np.mean(np.array(p_values) <= 0.1) < 0.35


def test_every_fold_keeps_its_values_bounds_and_gaps() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(len(SMILES), 2))
    y[rng.random(y.shape) < 0.3] = np.nan
    assay = _assay(y)
    seen: list[Assay] = []

    def keep(whole: Assay, prediction: np.ndarray) -> float:
        seen.append(whole)
        return 0.0

    scramble(assay, FOLDS, lambda train, test, seed: np.zeros(test.y.shape), keep, n=2)
    assert seen[0] is assay
    for other in seen[1:]:
        assert np.array_equal(np.isnan(other.y), np.isnan(y))
        assert not np.array_equal(other.y, y, equal_nan=True)
        for fold in range(3):
            for column in range(2):
                rows = np.flatnonzero((fold == FOLDS) & ~np.isnan(y[:, column]))
                before = sorted(zip(y[rows, column], assay.bound[rows, column], strict=True))
                assert sorted(zip(other.y[rows, column], other.bound[rows, column], strict=True)) == before


def test_bad_input_is_refused() -> None:
    assay = _assay(np.ones((len(SMILES), 1)))
    with pytest.raises(InputError, match="a fold"):
        scramble(assay, FOLDS[:3], _by_length, _score)
    with pytest.raises(InputError, match="two folds"):
        scramble(assay, np.zeros(len(SMILES)), _by_length, _score)
    with pytest.raises(InputError, match="permutation"):
        scramble(assay, FOLDS, _by_length, _score, n=0)
