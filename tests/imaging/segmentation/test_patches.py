"""Where patches are cut."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.segmentation.patches import Sampler


def a_sampler(foreground: float) -> Sampler:
    masks = [np.zeros((12, 40, 30), np.uint8), np.zeros((3, 9, 50), np.uint8)]
    masks[0][10, 37, 2] = 1  # one voxel in a corner
    masks[0][1:4, 3:30, 20:28] = 2
    values = [np.stack([mask + 10.0, mask * 0.0]).astype(np.float32) for mask in masks]
    return Sampler(values, masks, (4, 10, 8), foreground)


def test_patches_hold_image_and_mask_of_the_same_place() -> None:
    rng = np.random.default_rng(0)
    sampler = a_sampler(0.5)
    for _ in range(50):
        image, mask = sampler.draw(0, rng)
        assert image.shape == (2, 4, 10, 8)
        assert mask.shape == (4, 10, 8)
        assert (image[0] == mask + 10.0).all()


def test_each_structure_is_centred_equally_often_however_small() -> None:
    rng = np.random.default_rng(1)
    drawn = [a_sampler(1.0).draw(0, rng)[1] for _ in range(200)]
    assert all(mask.any() for mask in drawn)
    rare = np.mean([(mask == 1).any() for mask in drawn])
    assert 0.4 < rare < 0.6  # one voxel of 14,400 in half of the patches
    anywhere = [a_sampler(0.0).draw(0, rng)[1] for _ in range(200)]
    assert np.mean([(mask == 1).any() for mask in anywhere]) < 0.15


def test_smaller_images_lie_somewhere_in_the_patch_whole_and_surrounded_by_0() -> None:
    sampler = Sampler(
        [np.full((1, 3, 6, 5), 2.0, np.float32)], [np.ones((3, 6, 5), np.uint8)], (4, 10, 8), foreground=0.3
    )
    rng = np.random.default_rng(2)
    corners = set()
    for _ in range(60):
        image, mask = sampler.draw(0, rng)
        assert image.sum() == 2.0 * 90
        assert mask.sum() == 90
        corners.add(tuple(np.argwhere(mask).min(axis=0).tolist()))
    assert len(corners) > 20
    assert max(corner[1] for corner in corners) == 4


def test_an_epoch_shows_every_image_and_fills_its_batches() -> None:
    sampler = Sampler(
        [np.full((1, 5, 5), k, np.float32) for k in range(7)], [np.zeros((5, 5), np.uint8)] * 7, (5, 5), 0.3
    )
    batches = list(sampler.epoch(2, 4, np.random.default_rng(3)))
    assert len(batches) == sampler.steps(2, 4) == 4
    assert all(images.shape == (4, 1, 5, 5) and masks.shape == (4, 5, 5) for images, masks in batches)
    shown = np.concatenate([images[:, 0, 0, 0] for images, _ in batches]).astype(int)
    assert np.bincount(shown).min() >= 2
    assert len(shown) == 16


@pytest.mark.parametrize("seed", [4, 5])
def test_the_same_generator_draws_the_same(seed: int) -> None:
    one, other = (a_sampler(0.4).draw(0, np.random.default_rng(seed)) for _ in range(2))
    assert (one[0] == other[0]).all()
    assert (one[1] == other[1]).all()
