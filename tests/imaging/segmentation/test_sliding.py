"""Windows over large images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.imaging.segmentation.sliding import middle_weights, shares, windows

lengths = st.tuples(st.integers(5, 23), st.integers(4, 31))


@settings(max_examples=60, deadline=None)
@given(shape=lengths, overlap=st.floats(0.0, 0.9))
def test_windows_cover_everything_and_lie_inside(shape: tuple[int, ...], overlap: float) -> None:
    patch = (5, 4)
    seen = np.zeros(shape, dtype=int)
    for window in windows(shape, patch, overlap):
        assert seen[window].shape == patch
        seen[window] += 1
    assert seen.min() >= 1
    if 0 in (shape[0] - 5, shape[1] - 4):
        return
    starts = sorted({window[1].start for window in windows(shape, patch, 0.5)})
    assert max(np.diff(starts)) <= 2


def by_value(patches: np.ndarray) -> np.ndarray:
    """Logits of two labels that depend on each voxel alone."""
    return np.concatenate([-patches[:, :1], patches[:, :1]], axis=1)


@pytest.mark.parametrize("shape", [(9, 7, 6), (4, 17, 6), (3, 2, 5)])
def test_a_network_that_looks_at_single_voxels_gives_the_same_as_without_windows(
    shape: tuple[int, ...],
) -> None:
    values = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    found = shares(by_value, values, (4, 6, 5))
    assert found.shape == (2, *shape)
    assert found.sum(axis=0) == pytest.approx(np.ones(shape), abs=1e-6)
    assert found[1] == pytest.approx(1 / (1 + np.exp(-2 * values[0])), abs=1e-5)


def test_the_middle_of_a_window_weighs_more_than_its_edge() -> None:
    weights = middle_weights((8, 5))
    assert weights.argmax() in (3 * 5 + 2, 4 * 5 + 2)
    assert weights[0, 0] < weights[3, 0] < weights[3, 2] <= 1
    assert weights.min() > 0


def test_mirrored_images_are_averaged_in_the_place_they_came_from() -> None:
    def lopsided(patches: np.ndarray) -> np.ndarray:
        """Says label 1 at the first column of a patch, wherever that lies."""
        logits = np.zeros((len(patches), 2, *patches.shape[2:]), dtype=np.float32)
        logits[:, 1, :, 0] = 4.0
        return logits

    values = np.zeros((1, 3, 5), dtype=np.float32)
    alone = shares(lopsided, values, (3, 5))
    both = shares(lopsided, values, (3, 5), mirror_axes=(1,))
    assert alone[1, :, 0] == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert alone[1, :, 4] == pytest.approx(0.5)
    assert both[1, :, 0] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert both[1, :, 4] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert both[1, :, 2] == pytest.approx(0.5)


def test_small_images_are_surrounded_by_their_mean_and_cut_out_again() -> None:
    seen = []

    def watching(patches: np.ndarray) -> np.ndarray:
        seen.append(patches)
        return by_value(patches)

    values = np.full((1, 3, 2), 7.0, dtype=np.float32)
    assert shares(watching, values, (6, 6)).shape == (2, 3, 2)
    assert seen[0].shape == (1, 1, 6, 6)
    assert seen[0].sum() == 7.0 * 6
    assert (seen[0][0, 0, 1:4, 2:4] == 7.0).all()
