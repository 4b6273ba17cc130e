"""Measures of mode collapse by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.molecules.generators.adversarial.collapse import Yardstick, precision_and_recall
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.texts.reading import read_all


def test_precision_and_recall_on_a_line() -> None:
    real = np.array([[0.0], [2.0], [5.0], [6.0]])
    # nearest others: 2, 2, 1, 1 away, so the real ground is [-2, 4], [4, 6] and [5, 7]
    made = np.array([[-1.5], [3.9], [7.5], [30.0], [30.2]])
    # nearest others: 5.4, 3.6, 3.6, 0.2, 0.2 away: the made ground is [-6.9, 3.9], [0.3, 7.5], [3.9, 11.1] and two
    # short stretches about 30
    assert precision_and_recall(real, made, 1) == (2 / 5, 1.0)
    assert precision_and_recall(made, real, 1) == (1.0, 2 / 5)


def test_a_collapsed_generator_is_precise_and_recalls_little() -> None:
    rng = np.random.default_rng(0)
    real = rng.standard_normal((400, 3))
    alike = precision_and_recall(real, rng.standard_normal((400, 3)))
    collapsed = precision_and_recall(real, 0.05 * rng.standard_normal((400, 3)))
    assert min(alike) > 0.8
    assert collapsed[0] == 1.0
    assert collapsed[1] < 0.1


def test_read_all_gives_canonical_smiles_or_nothing() -> None:
    assert read_all(["OCC", "C1CC", "", "c1ccccc1"]) == ["CCO", "", "", "c1ccccc1"]


@pytest.fixture
def yardstick() -> Yardstick:
    smiles = ("Cc1ccccc1", "CC1CCCC1", "CCO", "Oc1ccccc1", "CN1CCOCC1", "NC1CCCC1")
    return Yardstick(Library(smiles), np.array([0, 1, 2]), np.array([3, 4, 5]), 0)


def test_what_was_written_is_held_against_the_library(yardstick: Yardstick) -> None:
    # the tuning compounds have three scaffolds: benzene, morpholine, cyclopentane; two are hit
    found = yardstick.measures(["Cc1ccccc1", "c1ccccc1C", "CCC", "CC1CCCC1", "C1CC"])
    assert found["valid"] == 4 / 5
    assert found["unique"] == 3 / 4
    assert found["coverage"] == pytest.approx(2 / 3)
    assert 0.0 < found["internal_diversity"] < 1.0


def test_diversity_is_that_of_all_pairs_each_with_itself_too(yardstick: Yardstick) -> None:
    assert yardstick.measures(["CCO", "CCO"])["internal_diversity"] == pytest.approx(0.0)
    # methane and water have no bit in common: of four pairs two are with themselves
    assert yardstick.measures(["C", "O"])["internal_diversity"] == pytest.approx(0.5)


def test_nothing_valid_is_no_error(yardstick: Yardstick) -> None:
    found = yardstick.measures(["C1CC", "(("])
    assert found == {"valid": 0.0, "unique": 0.0, "internal_diversity": 0.0, "coverage": 0.0}


def test_the_library_itself_is_the_best_to_be_hoped_for(yardstick: Yardstick) -> None:
    found = yardstick.of_library(10_000)
    assert found["valid"] == found["unique"] == 1.0
    assert found["coverage"] == pytest.approx(2 / 3)
