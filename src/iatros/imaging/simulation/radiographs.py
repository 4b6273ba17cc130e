"""Simulated chest radiographs whose lesions have a known place.

They look like a thorax and behave like one (sums of attenuation, exposure, noise), and nothing about them was
learned from patients. A subject keeps its anatomy, its lesions and its label over all of its images, so a split that
forgets subjects is too optimistic here as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from iatros.core.errors import RequestError

SCANNERS = ("alpha", "beta", "gamma")
SITES = ("north", "south", "west")
_SECOND_IMAGE = 0.25
_CHUNK = 256
_LESIONS = 2
_VESSELS = 8
_MASK_LEVEL = 0.4

Numbers = dict[str, np.ndarray]


class Radiographs(NamedTuple):
    """Simulated images with what is true of them; unpacks as `images, labels, masks, patients`."""

    images: np.ndarray
    """uint8 (n, rows, columns), 0 black; what absorbs rays is bright."""
    labels: np.ndarray
    """int (n,), 1 where there is a lesion."""
    masks: np.ndarray
    """bool (n, rows, columns), where the lesions lie; empty for a clear image."""
    patients: dict[str, list[Any]]
    """subject_id, sex (F, M), age (years), scanner and site, one entry per image."""


def simulate_radiographs(
    n: int, size: int = 64, seed: int = 0, prevalence: float = 0.4, *, contrast: float = 1.0
) -> Radiographs:
    """`n` frontal radiographs of `size` x `size` px; a quarter of the subjects have two.

    `prevalence` is the share of subjects with one or two soft, round opacities inside the lungs. `contrast`
    scales how bright these are: 1 makes a task that a small network does well and not perfectly.

    >>> images, labels, masks, patients = simulate_radiographs(5, size=32, seed=3)
    >>> images.shape, bool(masks[labels == 0].any()), len(patients["site"])
    ((5, 32, 32), False, 5)
    """
    if n < 1 or size < 16 or not 0.0 <= prevalence <= 1.0:
        raise RequestError("simulation takes n of 1 or more, size of 16 or more and prevalence from 0 to 1")
    rng = np.random.default_rng(seed)
    owner = _owners(n, rng)
    subjects = int(owner[-1]) + 1
    ill = rng.random(subjects) < prevalence
    people = _people(subjects, rng)
    thorax = _thorax(subjects, people, rng)
    lesions = _lesions(subjects, thorax, ill, contrast, rng)
    pose = _pose(n, people["scanner"][owner], rng)
    images = np.empty((n, size, size), dtype=np.uint8)
    masks = np.zeros((n, size, size), dtype=bool)
    for start in range(0, n, _CHUNK):
        part = slice(start, min(start + _CHUNK, n))
        who = owner[part]
        images[part], masks[part] = _exposed(
            size, _of(thorax, who), _of(lesions, who), _of(pose, np.arange(n)[part]), rng
        )
    return Radiographs(images, ill[owner].astype(int), masks, _patients(people, owner))


def _owners(n: int, rng: np.random.Generator) -> np.ndarray:
    """The subject of each image, counted from 0, images of a subject side by side."""
    repeats = 1 + (rng.random(n) < _SECOND_IMAGE)
    return np.repeat(np.arange(n), repeats)[:n]


def _of(numbers: Numbers, rows: np.ndarray) -> Numbers:
    return {name: values[rows] for name, values in numbers.items()}


def _people(n: int, rng: np.random.Generator) -> Numbers:
    return {
        "sex": rng.integers(0, 2, n),
        "age": np.clip(rng.normal(58.0, 17.0, n), 18, 95).round(),
        "scanner": rng.choice(len(SCANNERS), n, p=[0.5, 0.3, 0.2]),
        "site": rng.choice(len(SITES), n, p=[0.5, 0.3, 0.2]),
    }


def _patients(people: Numbers, owner: np.ndarray) -> dict[str, list[Any]]:
    rows = _of(people, owner)
    return {
        "subject_id": [f"S{subject:05d}" for subject in owner],
        "sex": ["FM"[code] for code in rows["sex"]],
        "age": [float(age) for age in rows["age"]],
        "scanner": [SCANNERS[code] for code in rows["scanner"]],
        "site": [SITES[code] for code in rows["site"]],
    }


def _thorax(n: int, people: Numbers, rng: np.random.Generator) -> Numbers:
    """Lengths in half widths of the image; right and left as the picture has them are the last axis of pairs."""
    woman = (people["sex"] == 0).astype(float)
    height = rng.normal(0.62, 0.05, n) - 0.04 * woman
    return {
        "body": rng.normal(0.93, 0.05, n) - 0.05 * woman,
        "lung_x": rng.normal([-0.41, 0.42], 0.03, (n, 2)),
        "lung_y": rng.normal(-0.08, 0.04, (n, 2)),
        "lung_width": rng.normal([0.31, 0.29], 0.03, (n, 2)),
        "lung_height": height[:, None] + rng.normal(0.0, 0.03, (n, 2)),
        "diaphragm": np.array([0.40, 0.46]) + rng.normal(0.0, 0.06, (n, 1)) + rng.normal(0.0, 0.02, (n, 2)),
        "heart": rng.normal(0.27, 0.03, n) + 0.0008 * (people["age"] - 58.0),
        "rib_gap": rng.normal(0.21, 0.015, n),
        "rib_start": rng.uniform(0.0, 0.21, n),
        "rib_slope": rng.normal(0.45, 0.08, n),
        "rib": rng.uniform(0.03, 0.08, n),
        "breast": woman * rng.uniform(0.02, 0.10, n),
        "air": rng.normal(0.34, 0.03, n),
        "vessel_place": rng.normal(0.0, [0.11, 0.20], (n, _VESSELS, 2)),
        "vessel_size": rng.uniform(0.02, 0.07, (n, _VESSELS, 2)),
        "vessel": rng.uniform(0.01, 0.09, (n, _VESSELS)),
    }


def _lesions(n: int, thorax: Numbers, ill: np.ndarray, contrast: float, rng: np.random.Generator) -> Numbers:
    """Places inside the lungs, evenly over their area; the second lesion is there in a quarter of the ill."""
    lung = rng.integers(0, 2, (n, _LESIONS))
    angle, radius = rng.uniform(0, 2 * np.pi, (2, n, _LESIONS))
    far = 0.8 * np.sqrt(radius / (2 * np.pi))
    rows = np.arange(n)[:, None]
    x = thorax["lung_x"][rows, lung] + far * np.cos(angle) * thorax["lung_width"][rows, lung]
    y = thorax["lung_y"][rows, lung] + far * np.sin(angle) * thorax["lung_height"][rows, lung]
    # below the diaphragm there is no lung to lie in
    y = np.minimum(y, thorax["diaphragm"][rows, lung] - 0.12)
    there = np.column_stack([ill, ill & (rng.random(n) < 0.25)])
    return {
        "x": x,
        "y": y,
        "size": np.exp(rng.uniform(np.log(0.07), np.log(0.18), (n, _LESIONS))),
        "stretch": rng.uniform(0.75, 1.33, (n, _LESIONS)),
        "bright": there * contrast * np.exp(rng.uniform(np.log(0.22), np.log(0.60), (n, _LESIONS))),
        "there": there,
    }


def _pose(n: int, scanner: np.ndarray, rng: np.random.Generator) -> Numbers:
    """How each image was taken: place, turn, scale, exposure, grain."""
    return {
        "shift": rng.normal(0.0, 0.04, (n, 2)),
        "turn": rng.normal(0.0, 0.04, n),
        "scale": rng.normal(1.0, 0.04, n),
        "gain": np.array([1.0, 0.9, 1.08])[scanner] * rng.normal(1.0, 0.06, n),
        "offset": rng.normal(0.06, 0.03, n),
        "gamma": np.array([1.0, 1.15, 0.9])[scanner] * np.exp(rng.normal(0.0, 0.1, n)),
        "grain": np.array([0.025, 0.035, 0.045])[scanner],
        "edge": rng.uniform(0.0, 0.05, (n, 2)),
    }


def _exposed(
    size: int, thorax: Numbers, lesions: Numbers, pose: Numbers, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 and masks bool (n, size, size) of one chunk."""
    x, y = _coordinates(size, pose)
    lung = _lungs(x, y, thorax)
    dense = _soft_tissue(x, y, thorax, lung) + _bones(x, y, thorax) + _vessels(x, y, thorax, lung)
    opacity, mask = _opacities(x, y, lesions)
    exposed = (dense + opacity) * wide(pose["gain"]) + wide(pose["offset"])
    grained = exposed + wide(pose["grain"]) * smooth_noise(x.shape, rng)
    shown = np.clip(grained, 0.0, 1.0) ** wide(pose["gamma"])
    return np.round(255 * shown * _collimated(size, pose)).astype(np.uint8), mask


def _coordinates(size: int, pose: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Places of the pixels in the thorax, float32 (n, size, size), from -1 to 1 where nothing is shifted."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    u = (axis[None, None, :] - wide(pose["shift"][:, 0])) * wide(pose["scale"])
    v = (axis[None, :, None] - wide(pose["shift"][:, 1])) * wide(pose["scale"])
    cosine, sine = wide(np.cos(pose["turn"])), wide(np.sin(pose["turn"]))
    return u * cosine + v * sine, v * cosine - u * sine


def _lungs(x: np.ndarray, y: np.ndarray, thorax: Numbers) -> np.ndarray:
    """How much of each pixel is lung, 0 to 1."""
    lung = np.zeros_like(x)
    for side in (0, 1):
        middle, width = wide(thorax["lung_x"][:, side]), wide(thorax["lung_width"][:, side])
        down = (y - wide(thorax["lung_y"][:, side])) / wide(thorax["lung_height"][:, side])
        # narrower towards the apex, which also leans to the middle
        across = (x - middle * (1 + 0.12 * down)) / (width * (1 + 0.15 * down))
        inside = step((1 - np.sqrt(across**2 + down**2)) / 0.07)
        dome = wide(thorax["diaphragm"][:, side]) + 0.12 * across**2
        lung = np.maximum(lung, inside * step((dome - y) / 0.03))
    return lung


def _soft_tissue(x: np.ndarray, y: np.ndarray, thorax: Numbers, lung: np.ndarray) -> np.ndarray:
    # shoulders above, flanks below
    half = wide(thorax["body"]) * (1 - 0.30 * step((-0.62 - y) / 0.08))
    body = step((half - np.abs(x)) / 0.04)
    heart_width = wide(thorax["heart"])
    heart = step((1 - np.hypot((x - 0.13) / heart_width, (y - 0.28) / (heart_width * 1.05))) / 0.15)
    middle = np.exp(-((x / 0.13) ** 2))
    breast = sum(np.exp(-(((x - s) / 0.28) ** 2) - ((y - 0.30) / 0.20) ** 2) for s in (-0.48, 0.48))
    dense = 0.52 * body - wide(thorax["air"]) * lung * (1 - 0.75 * heart) + 0.10 * heart + 0.12 * middle
    return np.asarray(dense + wide(thorax["breast"]) * breast)


def _bones(x: np.ndarray, y: np.ndarray, thorax: Numbers) -> np.ndarray:
    gap = wide(thorax["rib_gap"])
    outward = np.abs(x)
    course = y + wide(thorax["rib_start"]) - wide(thorax["rib_slope"]) * outward * (1.15 - outward)
    ribs = np.exp(-((np.sin(np.pi * course / gap) / 0.40) ** 2))
    there = step((outward - 0.09) / 0.03) * step((0.86 - outward) / 0.04) * step((0.62 - y) / 0.08)
    spine = step((0.075 - outward) / 0.015) * (0.05 + 0.02 * np.cos(2 * np.pi * y / 0.17))
    collar = np.exp(-(((y + 0.66 - 0.18 * outward) / 0.035) ** 2)) * step((outward - 0.08) / 0.03)
    return np.asarray(wide(thorax["rib"]) * ribs * there + spine + 0.06 * collar)


def _vessels(x: np.ndarray, y: np.ndarray, thorax: Numbers, lung: np.ndarray) -> np.ndarray:
    """Bright spots around the hila of ill and well alike, so that a spot alone says little there."""
    seen = np.zeros_like(x)
    for k in range(_VESSELS):
        hilum = -0.24 if k % 2 else 0.26
        across = (x - hilum - wide(thorax["vessel_place"][:, k, 0])) / wide(thorax["vessel_size"][:, k, 0])
        down = (y + 0.02 - wide(thorax["vessel_place"][:, k, 1])) / wide(thorax["vessel_size"][:, k, 1])
        seen += wide(thorax["vessel"][:, k]) * np.exp(-(across**2) - down**2)
    return seen * (0.3 + 0.7 * lung)


def _opacities(x: np.ndarray, y: np.ndarray, lesions: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """What the lesions add, and where they are at least 0.4 of their brightest."""
    added, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
    for k in range(_LESIONS):
        size, stretch = wide(lesions["size"][:, k]), wide(lesions["stretch"][:, k])
        across = (x - wide(lesions["x"][:, k])) / (size * stretch)
        down = (y - wide(lesions["y"][:, k])) / (size / stretch)
        profile = np.exp(-((across**2 + down**2) ** 1.5))
        added += wide(lesions["bright"][:, k]) * profile
        mask |= (profile > _MASK_LEVEL) & lesions["there"][:, k][:, None, None]
    return added, mask


def smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance whose neighbours go together a little, as behind a detector's screen."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis in (1, 2):
        noise = noise + 0.5 * np.roll(noise, 1, axis)
    return noise / np.float32(1.25)


def _collimated(size: int, pose: Numbers) -> np.ndarray:
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    return np.asarray(
        (axis[None, None, :] < 1 - wide(pose["edge"][:, 0]))
        & (axis[None, :, None] < 1 - wide(pose["edge"][:, 1]))
    )


def step(values: np.ndarray) -> np.ndarray:
    """A smooth step from 0 to 1 around 0."""
    return np.asarray(0.5 + 0.5 * np.tanh(values))


def wide(values: np.ndarray) -> np.ndarray:
    """(n,) as float32 (n, 1, 1)."""
    return np.asarray(values, dtype=np.float32)[:, None, None]
