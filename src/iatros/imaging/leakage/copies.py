"""Pairs of images that are the same picture, or show the same view of the same patient, in any disguise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from iatros.core.intervals import Metric, wilson
from iatros.imaging.leakage.alignment import likeness, place
from iatros.imaging.leakage.altered import ALTERED, RECOLOURED, altered
from iatros.imaging.leakage.neighbours import Sketcher, nearest, unordered
from iatros.imaging.leakage.thumbnails import finest_side, grey_plane, pyramid, thumbnails
from iatros.imaging.schema import ImageRecord
from iatros.learners.threads import one_blas_thread

LINKED = 0.55
"""Least likeness of two pictures that are kept on one side: neighbouring frames of one sweep reach it."""
SAME = 0.90
"""Least likeness of two pictures that count as one: 99 of 100 altered copies reach it at 64 px."""
STRICTEST = 0.98
"""No limit lies above this: a recoloured copy comes near 1 at any size."""
_CANDIDATES = 12
_KEPT = 4
_SURE = 0.97
_FLOOR = 0.4
_TEXTURE = 0.05
_N_CHECKED = 200
_N_SAMPLED = 2000
_LEAST_SAMPLED = 40

Pictures = dict[int, np.ndarray]
Pixels = Callable[[ImageRecord], np.ndarray]


@dataclass(frozen=True)
class Copies:
    """Pairs of rows (each once, the smaller row first) by likeness, most alike first."""

    one: np.ndarray
    two: np.ndarray
    likeness: np.ndarray
    linked: float
    """The limit from which pairs are listed."""
    same: float
    """The limit from which both are the same picture."""
    document: dict[str, Any]


def find_copies(records: Sequence[ImageRecord], pixels: Pixels, seed: int) -> Copies:
    """Copies among images of different hashes, under crops of up to 6 % at each side, stretching, other brightness
    and contrast, noise and small marks.

    The limits are `LINKED` and `SAME`, or more where unlike pictures of this collection come near: half a pair
    above the limit is expected among all compared pairs, by a normal tail on Fisher's z scale. `document` says
    what share of altered copies of this collection's own images was found at the limit. Of a volume the middle
    slice is compared, and among volumes only the same picture is listed. Mirror images are not looked for.
    """
    with one_blas_thread():
        return _find(records, pixels, seed)


def _find(records: Sequence[ImageRecord], pixels: Pixels, seed: int) -> Copies:
    side = finest_side(records)
    pictures = pyramid(thumbnails(records, pixels, side))
    rows = np.flatnonzero(np.sqrt((pictures[32] ** 2).mean(axis=(1, 2))) > _TEXTURE)
    if len(rows) < 2:
        none = np.zeros(0, dtype=np.int64)
        return Copies(none, none, np.zeros(0), LINKED, SAME, {"n_compared": 0, "check": None})
    pictures = {small: shown[rows] for small, shown in pictures.items()}
    sketcher = Sketcher.learned(pictures[32])
    sketches = sketcher(pictures[32])
    one, two = unordered(*nearest(sketches, sketches, _CANDIDATES, but_itself=True), len(rows))
    # middle slices of different patients' crops reach 0.83, and a volume has no neighbouring frames
    least = SAME if all(record.is_volume for record in records) else LINKED
    linked = max(least, _tail(pictures, one, two, seed))
    same = max(SAME, linked)
    n_compared = len(one)
    one, two, alike = _judged(pictures, pictures, one, two)
    order = np.lexsort((two, one, -alike))
    order = order[alike[order] >= linked]
    check = _check(
        [records[int(row)] for row in rows], pixels, pictures, sketcher, sketches, (linked, same), seed
    )
    document = {
        "side_px": side,
        "n_compared": n_compared,
        "limit_linked": linked,
        "limit_same": same,
        "check": check,
    }
    return Copies(rows[one[order]], rows[two[order]], alike[order], linked, same, document)


def _judged(
    first: Pictures, second: Pictures, one: np.ndarray, two: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that stay after each finer comparison, and their likeness at the finest."""
    where = np.zeros((len(one), 4), dtype=np.float32)
    alike = np.zeros(len(one))
    sides = sorted(first)
    for side in sides:
        where = place(first[side], second[side], one, two, where)
        alike = likeness(first[side], second[side], one, two, where)
        if side != sides[-1]:
            stays = _best(one, two, alike) | (alike >= _SURE)
            stays &= alike >= _FLOOR
            one, two, where, alike = one[stays], two[stays], where[stays], alike[stays]
    return one, two, alike


def _best(one: np.ndarray, two: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Whether a pair is among the best few of either of its pictures."""
    best = np.zeros(len(one), dtype=bool)
    for column in (one, two):
        order = np.lexsort((-alike, column))
        sorted_column = column[order]
        begins = np.flatnonzero(np.r_[True, sorted_column[1:] != sorted_column[:-1]]) if len(order) else order
        length = np.diff(np.r_[begins, len(order)])
        rank = np.arange(len(order)) - np.repeat(begins, length)
        best[order[rank < _KEPT]] = True
    return best


def _tail(pictures: Pictures, one: np.ndarray, two: np.ndarray, seed: int) -> float:
    """The likeness above which half a pair of different pictures is expected among all pairs, `STRICTEST` at most.

    From the 80th and 95th percentile of a sample, without pairs that are the same picture beyond doubt.
    """
    if len(one) < _LEAST_SAMPLED:
        return 0.0
    drawn = np.random.default_rng(seed).permutation(len(one))[:_N_SAMPLED]
    one_, two_ = one[drawn], two[drawn]
    where = np.zeros((len(drawn), 4), dtype=np.float32)
    for side in sorted(pictures):
        where = place(pictures[side], pictures[side], one_, two_, where)
    finest = pictures[max(pictures)]
    alike = likeness(finest, finest, one_, two_, where)
    z = np.arctanh(np.clip(alike[alike < STRICTEST], -STRICTEST, STRICTEST))
    if len(z) < _LEAST_SAMPLED:
        return STRICTEST
    common, rare = np.quantile(z, [0.8, 0.95])
    normal = NormalDist().inv_cdf
    spread = (rare - common) / (normal(0.95) - normal(0.8))
    furthest = rare + spread * max(0.0, normal(1.0 - 0.5 / len(one)) - normal(0.95))
    return float(min(np.tanh(furthest), STRICTEST))


def _check(
    records: Sequence[ImageRecord],
    pixels: Pixels,
    pictures: Pictures,
    sketcher: Sketcher,
    sketches: np.ndarray,
    limits: tuple[float, float],
    seed: int,
) -> dict[str, Any]:
    """Which share of altered copies of some of the images is found again."""
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(records))[:_N_CHECKED])
    side = max(pictures)
    shares: dict[str, Any] = {"n": len(drawn)}
    for name, kind in (("recoloured", RECOLOURED), ("altered", ALTERED)):
        changed = np.stack([altered(grey_plane(pixels(records[row])), side, kind, rng) for row in drawn])
        copies = pyramid(changed)
        asked, known = nearest(sketcher(copies[32]), sketches, _CANDIDATES, but_itself=False)
        own = known == drawn[asked]
        _, _, alike = _judged(copies, pictures, asked[own], known[own])
        found = {
            word: _share(alike, limit, len(drawn))
            for word, limit in zip(("linked", "same"), limits, strict=True)
        }
        shares[name] = {"by": kind.words, **found}
    return shares


def _share(alike: np.ndarray, limit: float, n: int) -> dict[str, Any]:
    hits = int((alike >= limit).sum())
    low, high = wilson(hits, n)
    return Metric(hits / n, low, high, n, None, "Wilson").document()
