"""Learning rate, batch size, moving average, batches and the moments of the images."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from iatros.imaging.fitting.averaging import MovingAverage
from iatros.imaging.fitting.batches import channel_moments, gather, typical_pixels
from iatros.imaging.fitting.schedule import automatic_batch, one_cycle
from iatros.imaging.models import MODELS
from iatros.imaging.models.params import Learning
from iatros.imaging.schema import InputSpec

SPEC = InputSpec("image", 1, (10, 8))


def test_the_learning_rate_rises_for_a_quarter_and_falls_to_almost_nothing() -> None:
    rates = [one_cycle(step, 200, 0.4) for step in range(200)]
    assert rates[0] == pytest.approx(0.02)
    assert int(np.argmax(rates)) == 50
    assert rates[50] == pytest.approx(0.4)
    assert rates[-1] == pytest.approx(0.0004)
    assert all(before < after for before, after in pairwise(rates[:51]))
    assert all(before > after for before, after in pairwise(rates[50:]))
    assert one_cycle(0, 1, 0.4) > 0


def test_larger_images_and_fewer_of_them_make_smaller_steps() -> None:
    learning = Learning(learning_rate=1e-3, pixels_per_step=64 * 28 * 28, least=8, most=64)
    assert automatic_batch(learning, 28 * 28, 4708) == 64
    assert automatic_batch(learning, 56 * 56, 4708) == 16
    assert automatic_batch(learning, 224 * 224, 4708) == 8
    assert automatic_batch(learning, 28 * 28, 546) == 32
    assert automatic_batch(learning, 28 * 28, 20) == 8


@pytest.mark.parametrize("decay", [0.5, 0.0])
def test_the_moving_average_warms_up(decay: float) -> None:
    kind = MODELS.load("cnn")
    network = kind.build(kind.Params(width=4, dense=8), SPEC, 2)
    average = MovingAverage(network, decay)
    expected = network.head.bias.detach().numpy().copy()
    for step in range(1, 16):
        with torch.no_grad():
            network.head.bias += torch.tensor([1.0, -0.5])
        average.update()
        now = network.head.bias.detach().numpy().copy()
        share = min(decay, (1 + step) / (10 + step)) if decay else 0.0
        expected = share * expected + (1 - share) * now
        np.testing.assert_allclose(average.network.head.bias, expected, rtol=1e-5)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_batches_are_scaled_and_padded_at_the_end() -> None:
    pixels = np.array([[[[0, 51]]], [[[255, 102]]]], dtype=np.uint8)
    batch = gather(pixels, np.array([1, 0]))
    np.testing.assert_allclose(batch.images.numpy().ravel(), [1.0, 0.4, 0.0, 0.2], rtol=1e-6)
    assert batch.lengths is None
    deep = gather((pixels.astype(np.uint16) * 257), np.array([0, 1]))
    np.testing.assert_allclose(deep.images.numpy().ravel(), [0.0, 0.2, 1.0, 0.4], rtol=1e-6)
    studies = [np.full((length, 1, 2, 3), 0.25 * length, dtype=np.float32) for length in (2, 1, 3)]
    padded = gather(studies, np.array([2, 0]), table=np.arange(6.0).reshape(3, 2))
    assert padded.images.shape == (2, 3, 1, 2, 3)
    assert padded.lengths is not None
    assert padded.table is not None
    assert padded.lengths.tolist() == [3, 2]
    assert padded.images[1, 2].abs().sum() == 0
    assert padded.images[1, 1, 0, 0, 0] == 0.5
    assert padded.table.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert gather(studies, np.array([1, 1])).lengths is None


def test_moments_are_those_of_the_chosen_rows_per_channel() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (9, 3, 6, 5), dtype=np.uint8)
    images[:, 2] = 51
    rows = np.array([7, 2, 3])
    mean, std = channel_moments(images, rows, channel_axis=0)
    scaled = images[rows] / 255.0
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std[:2], scaled.std(axis=(0, 2, 3))[:2], rtol=1e-6)
    assert std[2] == 1.0
    studies = [random.random((length, 2, 4, 3)).astype(np.float32) for length in (1, 4)]
    mean, _ = channel_moments(studies, np.array([0, 1]), channel_axis=1)
    np.testing.assert_allclose(mean, np.concatenate(studies).mean(axis=(0, 2, 3)), rtol=1e-5)


def test_a_typical_study_counts_the_pixels_of_its_slices() -> None:
    spec = InputSpec("sequence", 3, (4, 5))
    studies = [np.zeros((length, 3, 4, 5), dtype=np.uint8) for length in (1, 7, 3)]
    assert typical_pixels(studies, np.array([0, 1, 2]), spec) == 3 * 20
    assert typical_pixels(np.zeros((2, 3, 6, 7)), np.array([0]), InputSpec("image", 3, (6, 7))) == 42
