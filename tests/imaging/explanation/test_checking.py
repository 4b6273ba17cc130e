"""Checks of heat maps: what shows the image and not the model fails, what finds the place is told from chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_gradient_magnitude
from scipy.stats import spearmanr
from torch import nn

from iatros.core.errors import InputError
from iatros.core.intervals import wilson
from iatros.imaging.explanation.checking import (
    parameter_randomisation,
    pointing_game,
    randomisation,
    rank_correlation,
    structural_similarity,
)
from iatros.imaging.schema import InputSpec

SPEC = InputSpec("image", 1, (24, 32))


class Trained(nn.Module):
    """A small network, trained for a moment to tell a bright spot from none."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Linear(8, 2)

    def heat_layer(self) -> nn.Module:
        return self.encoder

    def parts(self, images: torch.Tensor, table: None = None) -> dict[str, torch.Tensor]:
        return {"logits": self.head(self.encoder(images).amax(dim=(2, 3)))}


def spots(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images with structure everywhere, a brighter spot in some, and where it is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:24, :32]
    y = (rng.random(n) < 0.4).astype(int)
    centre = rng.uniform([4, 4], [20, 28], (n, 2))
    far = np.hypot(rows - centre[:, 0, None, None], columns - centre[:, 1, None, None])
    stripes = 0.2 * np.sin(columns / 2.0 + rng.uniform(0, 6, (n, 1, 1)))
    images = (
        0.3
        + stripes
        + 0.05 * rng.normal(size=(n, 24, 32))
        + 0.6 * y[:, None, None] * np.exp(-((far / 2.5) ** 2))
    )
    return images[:, None].astype(np.float32), y, far < 3


@pytest.fixture(scope="module")
def trained() -> Trained:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = Trained()
        images, y, _ = spots(200, seed=0)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(60):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network.parts(torch.tensor(images))["logits"], torch.tensor(y))
            loss.backward()
            optimiser.step()
    assert float(loss.detach()) < 0.1
    return network.eval()


def test_a_map_that_ignores_the_weights_fails(trained: Trained) -> None:
    """An edge detector looks like an explanation, and is none."""
    images, _, _ = spots(5, seed=2)
    found = randomisation(
        trained, lambda network: gaussian_gradient_magnitude(images[:, 0], (0, 1, 1)), seed=0
    )
    assert not found["passes"]
    assert found["similarity"] == pytest.approx(1.0)
    assert [stage["structural_similarity"] for stage in found["stages"]] == pytest.approx(
        [1.0] * len(found["stages"])
    )


def test_a_map_of_what_was_learned_passes(trained: Trained) -> None:
    images, y, _ = spots(30, seed=3)
    ill = images[y == 1]
    found = parameter_randomisation(
        trained, ill, np.ones(len(ill), dtype=int), "integrated-gradients", SPEC, seed=0
    )
    assert found["passes"]
    assert abs(found["similarity"]) < found["bound"] == 0.5
    assert found["n"] == len(ill)
    assert [stage["layers"] for stage in found["stages"]] == [1, 2, 3]
    assert [stage["deepest"] for stage in found["stages"]] == ["head", "encoder.2", "encoder.0"]


def test_the_check_is_the_same_every_time_and_leaves_the_network_alone(trained: Trained) -> None:
    images, _, _ = spots(3, seed=4)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    state = torch.random.get_rng_state()
    one, other = (
        parameter_randomisation(trained, images, np.ones(3, dtype=int), "gradcam", SPEC, seed=5)
        for _ in range(2)
    )
    assert one == other
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


def test_the_pointing_game_tells_a_trained_network_from_chance(trained: Trained) -> None:
    from iatros.imaging.explanation import heat_maps

    images, y, masks = spots(60, seed=6)
    ill = y == 1
    maps = heat_maps(trained, images[ill], np.ones(ill.sum(), dtype=int), "occlusion", SPEC)
    found = pointing_game(maps, masks[ill], tolerance_px=1)
    assert found["hit_rate"]["low"] > 0.6 > 0.2 > found["other_maps"]


def test_the_pointing_game_by_hand() -> None:
    masks = np.zeros((4, 5, 7), dtype=bool)
    masks[0, 1, 1] = masks[1, 3, 5] = masks[2, 0, 0] = masks[3, 2, 4] = True
    maps = np.zeros((4, 5, 7))
    maps[0, 1, 1] = 0.9  # on it
    maps[1, 3, 4] = 0.9  # beside it
    maps[2, 4, 6] = 0.9  # far away; the fourth has no heat at all
    exact = pointing_game(maps, masks, tolerance_px=0)
    assert (exact["hits"], exact["n"], exact["without_heat"]) == (1, 4, 1)
    assert exact["chance"] == pytest.approx(1 / 35)
    assert exact["centre"] == 0
    near = pointing_game(maps, masks, tolerance_px=1)
    assert near["hits"] == 2
    assert (near["hit_rate"]["low"], near["hit_rate"]["high"]) == pytest.approx(wilson(2, 4))
    assert near["centre"] == pytest.approx(1 / 4)
    # crosses of five pixels, of which one lies in the image's corner
    assert near["chance"] == pytest.approx((5 + 5 + 3 + 5) / 4 / 35)
    # the point of the second image lies beside the fourth finding, that of the first hits no other
    assert near["other_maps"] == pytest.approx(1 / 12)


def test_patients_and_not_images_count() -> None:
    masks = np.zeros((6, 4, 5), dtype=bool)
    masks[:, 1, 1] = True
    maps = np.zeros((6, 4, 5))
    maps[:4, 1, 1], maps[4:, 3, 4] = 1.0, 1.0
    alone = pointing_game(maps, masks)["hit_rate"]
    grouped = pointing_game(maps, masks, groups=np.array(["a", "a", "b", "b", "c", "c"]))["hit_rate"]
    assert grouped["value"] == alone["value"]
    assert grouped["high"] - grouped["low"] > alone["high"] - alone["low"]


def test_volumes_are_widened_in_the_plane_only() -> None:
    masks = np.zeros((1, 3, 5, 5), dtype=bool)
    masks[0, 1, 2, 2] = True
    maps = np.zeros((1, 3, 5, 5))
    maps[0, 0, 2, 2] = 1.0
    assert pointing_game(maps, masks, tolerance_px=1)["hits"] == 0
    maps[0, 1, 2, 3] = 2.0
    assert pointing_game(maps, masks, tolerance_px=1)["hits"] == 1


@given(st.integers(0, 2**16))
def test_rank_correlation_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 6, (2, 5, 7)).astype(float)
    assert rank_correlation(one, other) == pytest.approx(
        float(spearmanr(one.ravel(), other.ravel()).statistic)
    )


def test_similarities_at_their_ends() -> None:
    rng = np.random.default_rng(0)
    one = rng.random((20, 13))
    assert rank_correlation(one, one**3) == pytest.approx(1.0)
    assert rank_correlation(one, -one) == pytest.approx(-1.0)
    assert rank_correlation(one, np.zeros((20, 13))) == 0.0
    assert structural_similarity(one, one) == pytest.approx(1.0)
    assert abs(structural_similarity(one, rng.random((20, 13)))) < 0.2


def test_empty_questions_are_refused(trained: Trained) -> None:
    maps = np.zeros((2, 4, 5))
    with pytest.raises(InputError, match="one shape"):
        pointing_game(maps, np.zeros((2, 5, 4), dtype=bool))
    with pytest.raises(InputError, match="finding in every mask"):
        pointing_game(maps, maps > 0)
    with pytest.raises(InputError, match="at least one image"):
        randomisation(trained, lambda network: maps[:0], seed=0)
