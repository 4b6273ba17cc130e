"""What chance gives: the distribution by hand, its fit against sets drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gumbel_r

from iatros.core.errors import OutcomeError
from iatros.learners.compounds.packing import pack
from iatros.learners.compounds.tanimoto import similarities
from iatros.molecules.fishing.background import Background, chance, fit_background


def families(n: int = 300, seed: int = 0) -> np.ndarray:
    """Compounds of thirty families that share half of their bits."""
    rng = np.random.default_rng(seed)
    cores = rng.random((30, 256)) < 0.08
    return pack((cores[rng.integers(0, 30, n)] | (rng.random((n, 256)) < 0.06)).astype(np.uint8))


@given(st.floats(-3.0, 40.0))
def test_chance_is_the_extreme_value_distribution_of_scipy(z: float) -> None:
    scale = np.sqrt(6.0) / np.pi  # variance 1
    expected = gumbel_r(loc=-np.euler_gamma * scale, scale=scale).sf(z)
    assert chance(np.array([z]))[0] == pytest.approx(expected, rel=1e-9)


def test_chance_is_as_in_the_paper_and_never_leaves_its_range() -> None:
    # exp(-4 * 1.28255 - 0.57722) = 0.003321: 1 - exp(-0.003321)
    assert chance(np.array([4.0]))[0] == pytest.approx(0.003316, abs=2e-6)
    assert chance(np.array([-1e9, 1e9])).tolist() == [1.0, 0.0]


def test_mean_and_spread_are_those_of_sets_drawn_anew() -> None:
    words = families()
    fitted = fit_background(words, 0.3, 0)
    rng = np.random.default_rng(99)
    similar = similarities(words, words)
    np.fill_diagonal(similar, 0.0)
    similar[similar < 0.3] = 0.0
    for size in (10, 60, 150):
        raw = np.array(
            [similar[q, rng.permutation(len(words))[:size]].sum() for q in rng.integers(0, len(words), 4000)]
        )
        z = fitted.z(raw, np.full(len(raw), size))
        assert abs(z.mean()) < 0.12, size
        assert 0.75 < z.std() < 1.3, size


def test_z_by_hand() -> None:
    # (5 - 0.1 * 4) / (0.5 * 4 ** 0.5)
    made = Background(0.3, 0.1, 0.5, 0.5, 0.0)
    assert made.z(np.array([5.0]), np.array([4])).tolist() == pytest.approx([4.6])


def test_the_seed_decides_and_nothing_else() -> None:
    words = families()
    assert fit_background(words, 0.3, 1) == fit_background(words.copy(), 0.3, 1)
    assert fit_background(words, 0.3, 1) != fit_background(words, 0.3, 2)
    assert fit_background(words, 0.3, 1) != fit_background(words, 0.4, 1)


def test_too_few_or_too_different_compounds_are_refused() -> None:
    with pytest.raises(OutcomeError, match="from 19 compounds"):
        fit_background(families(19), 0.3, 0)
    alone = pack(np.eye(64, dtype=np.uint8))
    with pytest.raises(OutcomeError, match="lower threshold"):
        fit_background(alone, 0.3, 0)
