"""The nearest pictures are those that a search of all pairs finds."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.leakage import neighbours
from iatros.imaging.leakage.neighbours import Sketcher, nearest, unordered


def units(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("n", [7, 300, 5003])
def test_every_one_of_the_k_nearest_is_found(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_CELLS", 70 * n)
    rows = units(n, 9, seed=n)
    one, two = nearest(rows, rows, 5, but_itself=True)
    close = rows @ rows.T
    np.fill_diagonal(close, -2)
    wanted = {(i, int(j)) for i in range(n) for j in np.argsort(-close[i])[:5]}
    found = set(zip(one.tolist(), two.tolist(), strict=True))
    assert wanted <= found
    assert len(found) < 1.3 * len(wanted)
    assert all(i != j for i, j in found)


def test_queries_may_find_their_own_row() -> None:
    rows = units(50, 6, seed=0)
    one, two = nearest(rows[[3, 8]], rows, 1, but_itself=False)
    assert sorted(zip(one.tolist(), two.tolist(), strict=True)) == [(0, 3), (1, 8)]


def test_pairs_are_listed_once() -> None:
    one, two = unordered(np.array([4, 1, 1, 2]), np.array([1, 4, 2, 0]), 5)
    assert list(zip(one.tolist(), two.tolist(), strict=True)) == [(0, 2), (1, 2), (1, 4)]


def test_what_all_pictures_share_is_taken_away() -> None:
    rng = np.random.default_rng(5)
    shared, own = rng.normal(size=(32, 32)) * 6, rng.normal(size=(400, 32, 32))
    # without the whitening, every two of these correlate by more than 0.9
    pictures = (shared + own).astype(np.float32)
    sketches = Sketcher.learned(pictures)(pictures)
    close = sketches @ sketches.T
    assert np.abs(close[np.triu_indices(400, 1)]).mean() < 0.1
    assert close.diagonal() == pytest.approx(1.0, abs=1e-5)
