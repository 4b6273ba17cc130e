"""Exchanged black and white."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.quality.greyscale import GreyScale, exchanged_inputs
from iatros.imaging.simulation import simulate_radiographs


def inputs(images: np.ndarray) -> np.ndarray:
    return np.stack([exchanged_inputs(image[None].astype(np.float32) / 255) for image in images])


def test_the_inputs_of_a_negative_are_the_negative_of_the_inputs() -> None:
    # no value on the edge of a bin, where image and negative would round differently
    images = np.random.default_rng(0).integers(1, 8, (4, 30, 22)).astype(np.float32) / 9
    for image in images:
        assert exchanged_inputs(1 - image[None]) == pytest.approx(-exchanged_inputs(image[None]), abs=1e-5)


def test_negatives_of_radiographs_are_refused_and_radiographs_pass() -> None:
    values = inputs(simulate_radiographs(500, 48, seed=3).images)
    gate = GreyScale.learned(values[:250], values[250:400])
    assert gate.told == 1.0
    assert [gate.check(one) for one in values[400:]] == [[]] * 100
    found = [gate.check(-one) for one in values[400:]]
    assert all(one[0].severity == "refuse" for one in found)
    assert found[0][0].message.startswith("black and white seem exchanged: the negative is ")


def test_the_gate_is_silent_where_negatives_look_like_images() -> None:
    rng = np.random.default_rng(1)
    values = inputs(rng.integers(0, 256, (300, 20, 20)))
    gate = GreyScale.learned(values[:200], values[200:])
    assert gate.told < 0.9
    assert gate.check(-values[0]) == []
    assert gate.check(values[0]) == []
    assert GreyScale.load(gate.document(), gate.weights).check(-100 * gate.weights) == []
    assert gate.document()["refuse"] is None
