"""Simulated ultrasound of the breast, whose lesions have known properties.

Made from what BI-RADS describes (layers of fat, gland and muscle; shape, orientation, margin and echo pattern of a
mass, and what lies behind it) and from how ultrasound behaves (speckle, attenuation, shadows, logarithmic grey
scale). Nothing about the images was learned from patients. A network that has learned to tell the properties apart
is a start for real images where these are few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from iatros.core.errors import RequestError

PROPERTIES = ("mass", "irregular", "taller than wide", "indistinct", "shadow", "enhancement", "cyst")
"""What is true of a mass; no mass has none of them."""
_CHUNK = 250
_SIDE = 128
"""Rows and columns for which the widths of the filters below are meant."""
_HARMONICS = range(2, 13)

Random = np.random.Generator
Numbers = dict[str, np.ndarray]


class Ultrasound(NamedTuple):
    """Simulated images with what is true of them."""

    images: np.ndarray
    """uint8 (n, 128, 128), the probe at the top."""
    properties: np.ndarray
    """uint8 (n, 7), 0 or 1 for each of `PROPERTIES`."""
    masks: np.ndarray
    """bool (n, 128, 128), where the mass lies."""


def simulate_ultrasound(n: int, seed: int = 0, prevalence: float = 0.8) -> Ultrasound:
    """`n` images of 128 x 128 px, each of a patient of its own; `prevalence` is the share with a mass.

    >>> images, properties, masks = simulate_ultrasound(3, seed=1)
    >>> images.shape, properties.shape, bool((masks.any(axis=(1, 2)) == properties[:, 0]).all())
    ((3, 128, 128), (3, 7), True)
    """
    if n < 1 or not 0.0 <= prevalence <= 1.0:
        raise RequestError("simulation takes n of 1 or more and prevalence from 0 to 1")
    made = [
        _simulated(min(_CHUNK, n - start), prevalence, np.random.default_rng([seed, start]))
        for start in range(0, n, _CHUNK)
    ]
    return Ultrasound(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def _simulated(n: int, prevalence: float, random: Random) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mass = _masses(n, prevalence, random)
    tissue = _tissue(n, random)
    place = _placed(mass, random)
    inside = place["inside"]
    tissue = tissue * (1 - inside) + inside * _echoes(mass, random)
    tissue += (
        _rim(mass, place, random) + _calcifications(mass, inside, random) + _behind(mass, inside, random)
    )
    images = _exposed(tissue - _attenuation(n, random), random)
    properties = np.stack([mass[name] for name in PROPERTIES], axis=1).astype(np.uint8)
    return images, properties, inside > 0.5


def _masses(n: int, prevalence: float, random: Random) -> Numbers:
    """What each mass is: irregular ones are rather indistinct, taller than wide and cast a shadow."""
    there = random.random(n) < prevalence
    irregular = there & (random.random(n) < 0.5)
    smooth = there & ~irregular
    cyst = smooth & (random.random(n) < 0.35)
    chance = random.random((3, n))
    taller = there & (chance[0] < np.where(irregular, 0.55, 0.1))
    indistinct = there & (chance[1] < np.where(irregular, 0.7, 0.15))
    shadow = there & (chance[2] < np.where(irregular, 0.5, np.where(cyst, 0.0, 0.1)))
    enhancement = there & ~shadow & (chance[2] > np.where(irregular, 0.85, np.where(cyst, 0.2, 0.55)))
    return dict(
        zip(PROPERTIES, (there, irregular, taller, indistinct, shadow, enhancement, cyst), strict=True)
    )


def _tissue(n: int, random: Random) -> np.ndarray:
    """Logarithm of the echoes of fat, gland and muscle in wavy layers, with streaks and bright septa."""
    rows = _rows()
    fat_ends = _wave(n, 0.04, random) + _column(random.uniform(0.12, 0.35, n))
    gland_ends = _wave(n, 0.05, random) + _column(random.uniform(0.5, 0.95, n))
    below_fat, below_gland = _step(rows - fat_ends, 0.012), _step(rows - gland_ends, 0.02)
    fat, gland, muscle = 1 - below_fat, below_fat * (1 - below_gland), below_gland
    level = (
        fat * _column(random.uniform(-0.2, 0.2, n))
        + gland * _column(random.uniform(0.1, 0.7, n))
        + muscle * _column(random.uniform(-0.9, 0.1, n))
    )
    streaks = _field(n, 1.6, 7.0, random) * _column(random.uniform(0.15, 0.45, n))
    streaks += _field(n, 4.0, 12.0, random) * _column(random.uniform(0.1, 0.4, n))
    # a septum runs where a smooth field crosses nought
    crossing = _field(n, 5.0, 14.0, random) + 0.7 * _field(n, 2.5, 7.0, random)
    septa = np.exp(-((crossing / _column(random.uniform(0.08, 0.18, n))) ** 2))
    septa *= _column(random.uniform(0.3, 1.0, n)) * (0.4 + 0.6 * fat + 0.3 * gland)
    skin = np.exp(-(((rows - _column(random.uniform(0.02, 0.05, n))) / 0.012) ** 2))
    skin = skin * _column(random.uniform(0.3, 1.2, n))
    return level + streaks * (0.35 * fat + gland + 0.8 * muscle) + septa + skin


def _placed(mass: Numbers, random: Random) -> Numbers:
    """Share of each pixel inside the mass, and `reach`: distance from its centre in units of its outline's."""
    n, irregular = len(mass["mass"]), mass["irregular"]
    size = np.exp(random.uniform(np.log(0.05), np.log(0.27), n))
    ratio = np.where(mass["taller than wide"], random.uniform(1.05, 1.6, n), random.uniform(0.4, 0.95, n))
    tilt = _column(random.uniform(-0.35, 0.35, n))
    down = _rows() - _column(random.uniform(0.22, 0.6, n))
    right = _columns() - _column(random.uniform(0.2, 0.8, n))
    along = (np.cos(tilt) * right + np.sin(tilt) * down) / _column(size / np.sqrt(ratio))
    across = (np.cos(tilt) * down - np.sin(tilt) * right) / _column(size * np.sqrt(ratio))
    distance, angle = np.hypot(along, across), np.arctan2(across, along)
    rough = np.where(irregular, random.uniform(0.6, 1.6, n), random.uniform(0.0, 0.35, n))
    outline = np.ones_like(distance)
    for k in _HARMONICS:
        height = _column(random.standard_normal(n) * rough * 0.3 / k**0.7)
        outline += height * np.cos(k * angle + _column(random.uniform(0, 2 * np.pi, n)))
    reach = distance / np.clip(outline, 0.3, 2.2)
    indistinct = mass["indistinct"]
    width = np.where(indistinct, random.uniform(0.1, 0.35, n), random.uniform(0.02, 0.08, n))
    frayed = np.where(indistinct, random.uniform(0.05, 0.25, n), random.uniform(0.0, 0.05, n))
    edge = reach - 1 + _field(n, 2.0, 2.0, random) * _column(frayed)
    return {"inside": _step(-edge, _column(width)) * _column(mass["mass"]), "reach": reach}


def _echoes(mass: Numbers, random: Random) -> np.ndarray:
    """Echoes from inside: none from a cyst, few and uneven ones from an irregular mass."""
    n, irregular, cyst = len(mass["mass"]), mass["irregular"], mass["cyst"]
    solid = np.where(irregular, random.uniform(-2.4, -0.9, n), random.uniform(-2.0, -0.6, n))
    level = np.where(cyst, random.uniform(-4.0, -2.5, n), solid)
    uneven = np.where(irregular, random.uniform(0.15, 0.5, n), random.uniform(0.08, 0.3, n))
    uneven = np.where(cyst, random.uniform(0.0, 0.1, n), uneven)
    return _column(level) + _field(n, 2.0, 3.0, random) * _column(uneven)


def _rim(mass: Numbers, place: Numbers, random: Random) -> np.ndarray:
    """A bright halo, of irregular masses in half of them only."""
    n = len(mass["mass"])
    bright = random.uniform(0.0, 0.5, n) * np.where(mass["irregular"], random.random(n) < 0.5, True)
    return np.exp(-(((place["reach"] - 1.08) / 0.07) ** 2)) * _column(bright * mass["mass"])


def _calcifications(mass: Numbers, inside: np.ndarray, random: Random) -> np.ndarray:
    """Bright points in a third of the irregular masses."""
    n = len(mass["mass"])
    speckled = _column(mass["irregular"] & (random.random(n) < 0.35))
    points = (random.random(inside.shape, dtype=np.float32) < 0.012) * inside * speckled
    return 8 * gaussian_filter(points, (0, 0.6, 0.6))


def _behind(mass: Numbers, inside: np.ndarray, random: Random) -> np.ndarray:
    """Darker or brighter below the mass."""
    n = len(mass["mass"])
    strength = np.where(mass["shadow"], random.uniform(-2.0, -0.7, n), 0.0)
    strength = np.where(mass["enhancement"], random.uniform(0.4, 1.2, n), strength)
    passed = np.cumsum(inside, axis=1) / (inside.sum(axis=1, keepdims=True) + 1e-3)
    below = inside.max(axis=1, keepdims=True) * np.clip(passed, 0, 1) * (1 - inside)
    return gaussian_filter(below.astype(np.float32), (0, 0, 2.0)) * _column(strength)


def _attenuation(n: int, random: Random) -> np.ndarray:
    """What is lost: with depth, behind ribs and bubbles, and where the probe does not touch."""
    rows, columns = _rows(), _columns()
    depth = _column(random.uniform(0.2, 2.2, n)) * rows
    deep = _column(np.where(random.random(n) < 0.2, random.uniform(0.5, 2.5, n), 0.0))
    deep = deep * _step(rows - _column(random.uniform(0.5, 0.9, n)), 0.06)
    shaded = _column(np.where(random.random(n) < 0.3, random.uniform(0.5, 2.5, n), 0.0))
    where = (columns - _column(random.random(n))) / _column(random.uniform(0.03, 0.12, n))
    shaded = shaded * np.exp(-(where**2)) * _step(rows - _column(random.uniform(0.0, 0.4, n)), 0.05)
    sides = _column(np.where(random.random(n) < 0.25, random.uniform(1.0, 3.0, n), 0.0))
    sides = sides * _step(np.abs(columns - 0.5) - _column(random.uniform(0.42, 0.6, n)), 0.03)
    return depth + deep + shaded + sides


def _exposed(tissue: np.ndarray, random: Random) -> np.ndarray:
    """Speckle (the magnitude of a complex field, wider than high), and a grey scale as the operator set it."""
    n = len(tissue)
    speckle = np.log(np.hypot(_field(n, 0.7, 1.3, random), _field(n, 0.7, 1.3, random)) + 0.08)
    seen = gaussian_filter(tissue + speckle * _column(random.uniform(0.2, 0.5, n)), (0, 0.5, 0.7))
    black, white = np.quantile(seen.reshape(n, -1), [0.02, 0.985], axis=1)
    shares = np.clip((seen - _column(black)) / _column(white - black), 0, 1)
    shares = shares ** _column(random.uniform(0.7, 2.2, n)) * _column(random.uniform(0.6, 1.0, n))
    return np.round(shares * 255).astype(np.uint8)


def _field(n: int, down: float, across: float, random: Random) -> np.ndarray:
    """Smooth random fields (n, rows, columns) with spread 1; `down` and `across` are widths in pixels."""
    noise = random.standard_normal((n, _SIDE, _SIDE), dtype=np.float32)
    smooth = gaussian_filter(noise, (0, down, across), mode="wrap")
    return np.asarray(smooth / smooth.std(), dtype=np.float32)


def _wave(n: int, height: float, random: Random) -> np.ndarray:
    """A border between layers (n, 1, columns), `height` of the image up and down."""
    noise = gaussian_filter(random.standard_normal((n, _SIDE)), (0, 14), mode="wrap")
    return np.asarray(noise / noise.std() * height, dtype=np.float32)[:, None, :]


def _step(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """From 0 to 1 where `distance` passes nought."""
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / width, -30, 30))), dtype=np.float32)


def _rows() -> np.ndarray:
    return (np.arange(_SIDE, dtype=np.float32) / _SIDE).reshape(1, -1, 1)


def _columns() -> np.ndarray:
    return (np.arange(_SIDE, dtype=np.float32) / _SIDE).reshape(1, 1, -1)


def _column(values: np.ndarray) -> np.ndarray:
    """One value per image."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 1, 1)
