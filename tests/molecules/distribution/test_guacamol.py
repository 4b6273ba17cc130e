"""Divergences and shares of GuacaMol against SciPy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import entropy, gaussian_kde

from iatros.core.errors import InputError
from iatros.molecules.distribution import guacamol
from iatros.molecules.distribution.guacamol import Profile


def _profile(seed: int, n: int, shift: float = 0.0) -> Profile:
    rng = np.random.default_rng(seed)
    continuous = rng.gamma(4.0, [200.0, 1.0, 90.0, 20.0], size=(n, 4)) + shift
    counted = rng.poisson(3.0 + shift, size=(n, 5))
    return Profile(np.hstack([continuous, counted]), rng.beta(5, 4, size=n))


def test_a_divergence_of_numbers_is_that_of_gaussian_kernel_densities() -> None:
    reference, generated = _profile(0, 700), _profile(1, 500, 1.5)
    p, q = reference.descriptors[:, 2], generated.descriptors[:, 2]
    at = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), 1000)
    expected = entropy(gaussian_kde(p)(at) + 1e-10, gaussian_kde(q)(at) + 1e-10)
    assert guacamol.divergences(reference, generated)["MolWt"] == pytest.approx(expected, rel=1e-9)


def test_a_divergence_of_counts_uses_ten_bins_of_the_reference() -> None:
    reference, generated = _profile(0, 700), _profile(1, 500, 1.5)
    p, q = reference.descriptors[:, 5], generated.descriptors[:, 5]
    heights, edges = np.histogram(p, bins=10, density=True)
    expected = entropy(heights + 1e-10, np.histogram(q, bins=edges, density=True)[0] + 1e-10)
    assert guacamol.divergences(reference, generated)["NumHDonors"] == pytest.approx(expected, rel=1e-12)


def test_a_set_beside_itself_scores_one() -> None:
    one = _profile(0, 300)
    assert guacamol.score(guacamol.divergences(one, one)) == pytest.approx(1.0)


def test_a_collapsed_set_scores_little_and_breaks_nothing() -> None:
    one = _profile(0, 300)
    collapsed = Profile(np.repeat(one.descriptors[:1], 50, axis=0) + 1e6, np.zeros(50))
    found = guacamol.divergences(one, collapsed)
    assert found["MolWt"] == math.inf
    assert guacamol.score(found) < 0.01


def test_too_few_compounds_have_no_density() -> None:
    with pytest.raises(InputError, match="3 different"):
        guacamol.divergences(_profile(0, 10), _profile(1, 2))


def test_shares_are_of_ten_thousand() -> None:
    found = guacamol.shares(3, 4, ["a", "b", "a"], np.array([True, False]))
    assert found == {"validity": 0.75, "uniqueness": 2 / 10_000, "novelty": 1 / 10_000}
    assert guacamol.shares(3, 4, ["a"], None)["novelty"] is None


def test_stereochemistry_is_taken_off_before_compounds_are_compared() -> None:
    assert guacamol.without_stereo(["C[C@H](N)C(=O)O", "CCO", "[13CH4]", "F/C=C/F"]) == [
        "CC(N)C(=O)O", "CCO", "C", "FC=CF",
    ]  # fmt: skip
