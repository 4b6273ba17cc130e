"""Each augmentation does what it says, to each image by itself, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iatros.imaging.fitting.augmentation import AUGMENTATIONS, Augmenter, Strength
from iatros.imaging.requests import AUGMENTATIONS as OFFERED

ROWS, COLUMNS = 40, 26


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(n: int, *, down: float = 6.0, right: float = -5.0) -> torch.Tensor:
    """A soft spot off the centre, on black."""
    rows, columns = torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing="ij")
    square = (rows - (ROWS - 1) / 2 - down) ** 2 + (columns - (COLUMNS - 1) / 2 - right) ** 2
    return torch.exp(-square / 8).repeat(n, 1, 1, 1)


def centres(images: torch.Tensor) -> np.ndarray:
    """Centre of mass (n, 2), down and right of the middle, in pixels."""
    mass = images[:, 0].double()
    total = mass.sum(dim=(1, 2))
    down = (mass.sum(dim=2) * torch.arange(ROWS)).sum(dim=1) / total - (ROWS - 1) / 2
    right = (mass.sum(dim=1) * torch.arange(COLUMNS)).sum(dim=1) / total - (COLUMNS - 1) / 2
    return torch.stack([down, right], dim=1).numpy()


def textured(n: int, channels: int = 1) -> torch.Tensor:
    return torch.rand((n, channels, 20, 14), generator=seeded(8)) * 0.8 + 0.1


def test_the_request_offers_what_there_is() -> None:
    assert OFFERED == AUGMENTATIONS


def test_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    images = textured(60)
    changed = Augmenter(["flip"], "image")(images, seeded())
    as_it_was = torch.isclose(changed, images, atol=1e-5).flatten(1).all(dim=1)
    mirrored = torch.isclose(changed, images.flip(-1), atol=1e-5).flatten(1).all(dim=1)
    assert (as_it_was ^ mirrored).all()
    assert 15 < int(mirrored.sum()) < 45


def test_rotation_keeps_distances_in_an_image_that_is_not_square() -> None:
    changed = Augmenter(["rotate"], "image", Strength(rotate=50.0))(blobs(40), seeded())
    where = centres(changed)
    np.testing.assert_allclose(np.hypot(*where.T), np.hypot(6, 5), atol=0.15)
    angles = np.degrees(np.arctan2(where[:, 0], where[:, 1])) - np.degrees(np.arctan2(6, -5))
    angles = (angles + 180) % 360 - 180
    assert np.abs(angles).max() <= 50.5
    assert angles.min() < -20
    assert angles.max() > 20


def test_shift_moves_by_at_most_its_share_of_each_side() -> None:
    moved = centres(Augmenter(["shift"], "image", Strength(shift=0.1))(blobs(60), seeded())) - [6, -5]
    assert np.abs(moved[:, 0]).max() <= 0.1 * ROWS + 0.05
    assert np.abs(moved[:, 1]).max() <= 0.1 * COLUMNS + 0.05
    assert (np.abs(moved).max(axis=0) > [0.07 * ROWS, 0.07 * COLUMNS]).all()


def test_scale_changes_the_area_within_its_bounds_and_not_the_shape() -> None:
    images = blobs(60, down=0.0, right=0.0)
    changed = Augmenter(["scale"], "image", Strength(scale=0.2))(images, seeded())
    factor = (changed.sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))).sqrt().numpy()
    assert 1 / 1.21 < factor.min() < 0.9
    assert 1.1 < factor.max() < 1.21
    np.testing.assert_allclose(
        changed[:, 0].sum(dim=1).amax(dim=1), changed[:, 0].sum(dim=2).amax(dim=1), rtol=0.02
    )


def test_contrast_is_a_straight_line_and_gamma_a_power() -> None:
    images = textured(30) * 0.4 + 0.3  # far enough from black and white not to be cut off
    for number, changed in enumerate(Augmenter(["contrast"], "image")(images, seeded())):
        slope, offset = np.polyfit(images[number].flatten().numpy(), changed.flatten().numpy(), 1)
        np.testing.assert_allclose(changed, slope * images[number] + offset, atol=1e-4)
        assert 1 / 1.31 < slope < 1.31
    powers = []
    for number, changed in enumerate(Augmenter(["gamma"], "image")(images, seeded())):
        power = torch.log(changed) / torch.log(images[number])
        torch.testing.assert_close(power, power.mean().expand_as(power), atol=1e-3, rtol=0)
        powers.append(float(power.mean()))
    assert 1 / 1.31 < min(powers) < 0.9
    assert 1.1 < max(powers) < 1.31


def test_noise_differs_in_every_pixel_and_has_no_mean() -> None:
    images = torch.full((50, 2, 30, 20), 0.5)
    added = (Augmenter(["noise"], "image")(images, seeded()) - images).numpy()
    assert abs(added.mean()) < 1e-3
    spread = added.std(axis=(1, 2, 3))
    assert spread.max() < 0.042
    assert spread.min() < 0.005
    assert abs(np.corrcoef(added[:, 0].ravel(), added[:, 1].ravel())[0, 1]) < 0.02


def test_cutout_replaces_one_rectangle_by_the_mean_in_about_half_of_the_images() -> None:
    images = textured(80, channels=3)
    changed = Augmenter(["cutout"], "image")(images, seeded())
    differs = (changed != images).any(dim=1)
    cut = differs.flatten(1).any(dim=1)
    assert 20 < int(cut.sum()) < 60
    for image, after, where in zip(images[cut], changed[cut], differs[cut], strict=True):
        rows, columns = where.any(dim=1), where.any(dim=0)
        assert where[rows][:, columns].all()
        assert int(rows.sum()) <= 0.35 * 20 + 1
        torch.testing.assert_close(after[:, where], image.mean().expand_as(after[:, where]))


def test_what_is_switched_off_does_nothing_and_the_given_images_stay() -> None:
    images = textured(4)
    kept = images.clone()
    assert torch.equal(Augmenter(["none"], "image")(images, seeded()), images)
    everything = Augmenter(AUGMENTATIONS, "image")
    first = everything(images, seeded(5))
    assert torch.equal(images, kept)
    assert torch.equal(first, everything(images, seeded(5)))
    assert not torch.equal(first, everything(images, seeded(6)))
    assert first.min() >= 0
    assert first.max() <= 1


def test_all_slices_of_a_study_are_changed_alike_and_studies_by_themselves() -> None:
    slices = torch.rand((3, 1, 1, 12, 9), generator=seeded()).repeat(1, 5, 1, 1, 1)
    names = [name for name in AUGMENTATIONS if name != "noise"]
    changed = Augmenter(names, "sequence")(slices, seeded())
    assert changed.shape == slices.shape
    torch.testing.assert_close(changed, changed[:, :1].expand_as(changed), atol=1e-6, rtol=0)
    same = Augmenter(names, "sequence")(slices[:1].repeat(3, 1, 1, 1, 1), seeded())
    assert not torch.allclose(same[0], same[1], atol=1e-3)


@pytest.mark.parametrize("name", ["rotate", "shift", "scale", "flip"])
def test_volumes_are_moved_in_three_dimensions(name: str) -> None:
    volumes = torch.rand((6, 2, 7, 12, 9), generator=seeded())
    changed = Augmenter([name], "volume")(volumes, seeded())
    assert changed.shape == volumes.shape
    assert not torch.allclose(changed, volumes, atol=1e-3)
    if name == "flip":
        mirrored = torch.isclose(changed, volumes.flip(-1), atol=1e-5).flatten(1).all(dim=1)
        as_it_was = torch.isclose(changed, volumes, atol=1e-5).flatten(1).all(dim=1)
        assert (mirrored ^ as_it_was).all()


def test_a_volume_turns_mostly_in_the_plane_of_its_slices() -> None:
    theta = Augmenter(["rotate"], "volume", Strength(rotate=30.0)).affine(200, (20, 20, 20), seeded())
    out_of_plane = torch.rad2deg(torch.arccos(theta[:, 2, 2].clamp(-1, 1)))
    in_plane = torch.rad2deg(torch.atan2(theta[:, 1, 0], theta[:, 0, 0]))
    assert float(out_of_plane.max()) < 15
    assert float(in_plane.abs().max()) > 25
