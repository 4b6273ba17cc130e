"""Blank, clipped and noisy images."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.quality.appearance import Appearance, measure
from iatros.imaging.quality.finding import views
from iatros.imaging.schema import InputSpec

TRAINING = np.tile([[0.2, 0.02, 0.1]], (100, 1)) * np.linspace(0.8, 1.2, 100)[:, None]


def test_measures_by_hand() -> None:
    halves = np.zeros((1, 10, 14), dtype=np.float32)
    halves[:, :, 7:] = 0.5
    contrast, clipped, grain = measure(halves)
    assert contrast == pytest.approx(0.25)
    assert clipped == pytest.approx(0.5)
    # of 8 x 12 inner pixels, the 16 at the edge differ from their neighbours' mean by 0.125
    assert grain == pytest.approx(np.sqrt(16 * 0.125**2 / 96 / 1.25) / 0.25)


def test_white_noise_has_a_grain_of_one() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.1, (1, 200, 150)).astype(np.float32)
    assert measure(noise)[2] == pytest.approx(1.0, abs=0.02)


def test_a_constant_image_has_no_grain() -> None:
    assert measure(np.full((1, 9, 9), 0.4, dtype=np.float32)) == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ((0.2, 0.02, 0.1), []),
        ((0.001, 0.0, 0.0), [("blank", "refuse")]),
        ((0.1, 0.02, 0.1), [("blank", "flag")]),
        ((0.2, 0.4, 0.1), [("saturated", "flag")]),
        ((0.2, 0.8, 0.1), [("saturated", "refuse")]),
        ((0.2, 0.02, 0.9), [("noise", "refuse")]),
        ((0.2, 0.4, 0.5), [("saturated", "flag"), ("noise", "flag")]),
    ],
)
def test_limits_lie_beyond_training(
    measured: tuple[float, float, float], expected: list[tuple[str, str]]
) -> None:
    found = Appearance.learned(TRAINING).check(np.array(measured))
    assert [(finding.code, finding.severity) for finding in found] == expected
    for finding in found:
        assert finding.value is not None
        assert finding.limit is not None
        assert (finding.value < finding.limit) == (finding.code == "blank")


def test_it_comes_back_from_its_document() -> None:
    learned = Appearance.learned(TRAINING)
    assert Appearance.load(learned.document()) == learned


def test_views_are_grey_no_larger_than_the_input_and_three_of_a_volume() -> None:
    spec = InputSpec("image", 3, (32, 40))
    colour = np.zeros((3, 64, 20), dtype=np.uint8)
    colour[0] = 255
    planes = views(colour, spec)
    assert planes.shape == (1, 32, 20)
    assert planes.mean() == pytest.approx(1 / 3, abs=1e-4)
    volume = np.zeros((1, 9, 16, 12), dtype=np.uint16)
    volume[0, 4] = 65535
    assert views(volume, InputSpec("volume", 1, (8, 32, 32))).mean(axis=(1, 2)).tolist() == [0.0, 1.0, 0.0]
