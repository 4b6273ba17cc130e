"""Draws of tokens, and batches that are the same on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.networks.stepping import drawn, in_batches

ODDS = np.log(np.array([[0.9, 0.9, 0.9, 0.05, 0.15, 0.3, 0.5]], dtype=np.float32))
"""Filling, unknown, begin, and four tokens, whose shares are 5, 15, 30 and 50 of a hundred."""


def shares(draw: Draw, n: int = 20_000) -> np.ndarray:
    """How often each token is drawn."""
    codes = drawn(np.repeat(ODDS, n, axis=0), np.random.default_rng(0), draw)
    return np.bincount(codes, minlength=7) / n


def test_shares_are_those_of_the_network_and_special_tokens_never_come() -> None:
    found = shares(Draw())
    assert found[:3].sum() == 0
    np.testing.assert_allclose(found[3:], [0.05, 0.15, 0.3, 0.5], atol=0.01)


def test_half_the_temperature_squares_the_shares() -> None:
    squares = np.array([0.05, 0.15, 0.3, 0.5]) ** 2
    np.testing.assert_allclose(shares(Draw(temperature=0.5))[3:], squares / squares.sum(), atol=0.01)


@pytest.mark.parametrize(
    ("nucleus", "expected"),
    [(0.49, [0, 0, 0, 1]), (0.51, [0, 0, 3 / 8, 5 / 8]), (0.79, [0, 0, 3 / 8, 5 / 8]), (1e-9, [0, 0, 0, 1])],
)
def test_the_nucleus_is_the_fewest_that_reach_it(nucleus: float, expected: list[float]) -> None:
    np.testing.assert_allclose(shares(Draw(nucleus=nucleus))[3:], expected, atol=0.01)


def test_a_token_that_is_impossible_is_not_drawn() -> None:
    odds = np.full((50_000, 6), -np.inf, dtype=np.float32)
    odds[:, 4] = 0.0
    assert set(drawn(odds, np.random.default_rng(0), Draw()).tolist()) == {4}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_batches_have_numbers_of_their_own(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    found = in_batches(
        lambda begin, end, rng: (begin, end, rng.integers(2**62)), 600, np.random.default_rng(5)
    )
    assert [one[:2] for one in found] == [(0, 256), (256, 512), (512, 600)]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert found == in_batches(
        lambda begin, end, rng: (begin, end, rng.integers(2**62)), 600, np.random.default_rng(5)
    )
    assert len({one[2] for one in found}) == 3
