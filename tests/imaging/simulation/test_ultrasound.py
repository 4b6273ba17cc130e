"""Simulated ultrasound: its properties are what its pictures show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from iatros.core.errors import RequestError
from iatros.imaging.simulation import PROPERTIES, Ultrasound, simulate_ultrasound


@pytest.fixture(scope="module")
def found() -> Ultrasound:
    return simulate_ultrasound(400, seed=4)


def column(found: Ultrasound, name: str) -> np.ndarray:
    return found.properties[:, PROPERTIES.index(name)].astype(bool)


def test_the_same_seed_gives_the_same_images(found: Ultrasound) -> None:
    again = simulate_ultrasound(400, seed=4)
    assert np.array_equal(found.images, again.images)
    assert not np.array_equal(found.images[:5], simulate_ultrasound(5, seed=5).images)


def test_only_a_mass_has_properties_and_a_place(found: Ultrasound) -> None:
    mass = column(found, "mass")
    assert 0.7 < mass.mean() < 0.9
    assert np.array_equal(found.masks.any(axis=(1, 2)), mass)
    assert not found.properties[~mass].any()
    assert not (column(found, "irregular") & column(found, "cyst")).any()
    assert not (column(found, "shadow") & column(found, "enhancement")).any()


def test_masses_are_darker_and_cysts_darkest(found: Ultrasound) -> None:
    mass, cyst = column(found, "mass"), column(found, "cyst")

    def grey(rows: np.ndarray, *, inside: bool) -> np.ndarray:
        pairs = zip(found.images[rows], found.masks[rows], strict=True)
        return np.array([image[mask == inside].mean() for image, mask in pairs])

    assert (grey(mass, inside=True) < grey(mass, inside=False)).mean() > 0.9
    assert np.median(grey(cyst, inside=True)) < 0.3 * np.median(grey(mass & ~cyst, inside=True))


def test_irregular_masses_have_more_outline_for_their_area(found: Ultrasound) -> None:
    def roughness(rows: np.ndarray) -> float:
        masks = found.masks[rows]
        return float(np.median([(one & ~binary_erosion(one)).sum() ** 2 / one.sum() for one in masks]))

    large, irregular = found.masks.sum(axis=(1, 2)) > 200, column(found, "irregular")
    assert roughness(large & irregular) > 1.3 * roughness(large & ~irregular)


def test_shadows_are_darker_than_enhancement_below_the_mass(found: Ultrasound) -> None:
    def below(rows: np.ndarray) -> float:
        values = []
        for image, mask in zip(found.images[rows], found.masks[rows], strict=True):
            lowest, across = np.flatnonzero(mask.any(axis=1)).max(), mask.any(axis=0)
            part = image[lowest + 4 : lowest + 20]
            if part.size and not across.all():
                values.append(part[:, across].mean() - part[:, ~across].mean())
        return float(np.median(values))

    assert below(column(found, "shadow")) < -20
    assert below(column(found, "enhancement")) > 10


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(RequestError, match="n of 1 or more"):
        simulate_ultrasound(0)
