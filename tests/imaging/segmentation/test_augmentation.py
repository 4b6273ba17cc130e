"""Random changes of images and masks together."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from iatros.imaging.segmentation.augmentation import USED, Augmentation  # noqa: E402
from iatros.imaging.segmentation.losses import dice_cross_entropy  # noqa: E402


def a_batch(n: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth blob off the middle, bright where its mask is 1."""
    place = np.indices(shape)
    centre = np.array(shape) * 0.4
    radius = np.sqrt(sum(((p - c) / (0.25 * s)) ** 2 for p, c, s in zip(place, centre, shape, strict=True)))
    image = np.repeat((1.5 - radius)[None, None], n, axis=0).astype(np.float32)
    return torch.from_numpy(image), torch.from_numpy(
        np.repeat((radius < 1)[None], n, axis=0).astype(np.uint8)
    )


def test_without_names_nothing_changes() -> None:
    images, masks = a_batch(3, (8, 14, 12))
    found = Augmentation((), (8.0, 14.0, 12.0), None)(images, masks, torch.Generator().manual_seed(0))
    assert torch.equal(found[0], images)
    assert torch.equal(found[1], masks)


@pytest.mark.parametrize("shape", [(20, 28, 24), (36, 28)])
@pytest.mark.parametrize("name", ["rotate", "scale", "shift", "flip"])
def test_mask_and_image_move_together(name: str, shape: tuple[int, ...]) -> None:
    images, masks = a_batch(12, shape)
    sides = tuple(float(length) for length in shape)
    moved, labels = Augmentation((name,), sides, len(shape) - 1)(
        images, masks, torch.Generator().manual_seed(1)
    )
    assert labels.dtype == masks.dtype
    assert not torch.equal(labels, masks)
    # where the mask is, the image is brighter than the rim it was cut at
    agree = ((moved[:, 0] > 0.5) == (labels > 0)).float().mean()
    assert agree > 0.97


def test_flips_run_from_left_to_right_only_and_not_without_an_axis() -> None:
    images, masks = a_batch(16, (5, 6, 9))
    images = images + torch.arange(9.0)  # tells left from right
    found, labels = Augmentation(("flip",), (5.0, 6.0, 9.0), 2)(
        images, masks, torch.Generator().manual_seed(2)
    )
    turned = [torch.equal(one, images[0].flip(3)) for one in found]
    kept = [torch.equal(one, images[0]) for one in found]
    assert all(a != b for a, b in zip(turned, kept, strict=True))
    assert 3 < sum(turned) < 13
    assert all(torch.equal(labels[k], masks[0].flip(2) if turned[k] else masks[0]) for k in range(16))
    same = Augmentation(("flip",), (5.0, 6.0, 9.0), None)(images, masks, torch.Generator().manual_seed(2))[0]
    assert torch.equal(same, images)


def test_rotation_keeps_lengths_in_mm_where_voxels_are_not_cubes() -> None:
    # 30 rows of 2 mm and 60 columns of 1 mm: a disc of 12 mm is 12 voxels high and 24 wide, before and after.
    rows, columns = np.indices((30, 60))
    disc = ((rows - 14.5) * 2) ** 2 + (columns - 29.5) ** 2 < 12**2
    masks = torch.from_numpy(np.repeat(disc[None], 20, axis=0).astype(np.uint8))
    images = masks[:, None].float()
    _, labels = Augmentation(("rotate",), (60.0, 60.0), None)(images, masks, torch.Generator().manual_seed(3))
    overlap = 2 * (labels * masks).sum(dim=(1, 2)) / (labels.sum(dim=(1, 2)) + masks.sum(dim=(1, 2)))
    assert overlap.min() > 0.96


def test_thin_slabs_turn_in_their_plane() -> None:
    masks = torch.zeros((8, 4, 40, 40), dtype=torch.uint8)
    masks[:, 1] = 1
    _, labels = Augmentation(("rotate",), (12.0, 40.0, 40.0), None)(
        masks[:, None].float(), masks, torch.Generator().manual_seed(4)
    )
    assert labels[:, [0, 2, 3]].sum() == 0
    assert labels[:, 1, 12:28, 12:28].float().mean() == 1


@pytest.mark.parametrize("name", ["contrast", "gamma", "noise"])
def test_grey_values_change_and_masks_do_not(name: str) -> None:
    images, masks = a_batch(16, (9, 13))
    found, labels = Augmentation((name,), (9.0, 13.0), None)(images, masks, torch.Generator().manual_seed(5))
    assert torch.equal(labels, masks)
    changed = [not torch.allclose(one, before, atol=1e-5) for one, before in zip(found, images, strict=True)]
    assert 1 < sum(changed) < 15
    assert torch.isfinite(found).all()
    if name == "gamma":
        assert found.amin() == pytest.approx(float(images.amin()), abs=1e-3)
        assert found.amax() == pytest.approx(float(images.amax()), abs=1e-3)


def test_the_same_generator_changes_the_same_way() -> None:
    images, masks = a_batch(4, (10, 12, 14))
    whole = Augmentation(USED, (10.0, 12.0, 14.0), 2)
    one, other = (whole(images, masks, torch.Generator().manual_seed(6)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


def test_the_loss_of_even_odds_by_hand() -> None:
    # two labels, all logits 0: every share is 1/2; 3 of 8 voxels are the structure
    masks = torch.zeros((1, 2, 4), dtype=torch.uint8)
    masks[0, 0, :3] = 1
    found = dice_cross_entropy(torch.zeros((1, 2, 2, 4)), masks)
    soft = 2 * 1.5 / (4 + 3)
    assert float(found) == pytest.approx(math.log(2) + 1 - soft, abs=1e-5)


def test_the_loss_of_certain_and_right_answers_is_0_and_of_wrong_ones_is_not() -> None:
    masks = torch.tensor([[[0, 1, 2], [0, 0, 2]]], dtype=torch.uint8)
    logits = 40.0 * torch.nn.functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    assert float(dice_cross_entropy(logits, masks)) == pytest.approx(0.0, abs=1e-4)
    assert float(dice_cross_entropy(-logits, masks)) > 10


def test_dice_is_of_the_batch_so_that_an_empty_patch_is_no_failure() -> None:
    masks = torch.zeros((2, 2, 3), dtype=torch.uint8)
    masks[0, 0] = 1
    logits = 40.0 * torch.nn.functional.one_hot(masks.long(), 2).movedim(-1, 1).float()
    assert float(dice_cross_entropy(logits, masks)) == pytest.approx(0.0, abs=1e-4)
