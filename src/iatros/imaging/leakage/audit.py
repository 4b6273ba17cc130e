"""The leakage audit of images: the same picture twice, patients on two sides, and labels that contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from iatros.core.errors import InputError, SplitError
from iatros.core.intervals import group_codes
from iatros.imaging.leakage.copies import Copies, Pixels, find_copies
from iatros.imaging.schema import ImageRecord

_LISTED = 200
_NAMED = 5


@dataclass(frozen=True)
class ImageAudit:
    """What was found. Rows are indices into the records that were given."""

    groups: np.ndarray
    """(n,) int64 codes from 0: rows of one patient, and of patients joined by copies, have the same code."""
    drop: np.ndarray
    """Sorted rows whose label contradicts that of the same picture: both members of each such pair."""
    crossing: np.ndarray
    """Sorted held-out rows (of the source's own sides) of which a copy stands on another side; nothing is removed."""
    pairs: np.ndarray
    """(m, 2) rows of copies: the same hash first, then by likeness."""
    likeness: np.ndarray
    """(m,) from 0 to 1; 1 for the same hash."""
    same: np.ndarray
    """(m,) bool: the same picture, not merely the same view."""
    document: dict[str, Any]
    """For the report, see `audit_images`."""


def audit_images(
    records: Sequence[ImageRecord],
    pixels: Pixels,
    y: np.ndarray | None,
    groups: np.ndarray | None,
    *,
    near: bool = True,
    seed: int = 0,
) -> ImageAudit:
    """Copies among the images, which patients they join, and what contradicts; nothing is left out here.

    `y` is (n,), integers or names for classes and floats for a quantity, or (n, k) with NaN where a label is
    unknown; `groups` (n,) is the patient of each image. The source's own sides are read off `record.split`.
    Classes contradict on the same picture (same hash, or likeness from the limit "same"); a quantity only on the
    same hash. Raises SplitError where a patient stands on two of the source's sides.

    `document` holds `n_images`, `n_exact` and `n_near` (pairs), `n_groups_before`, `n_groups` and
    `largest_group` (images), `n_contradicting` (images) and `n_crossing` (held-out images with a copy on another
    side), `limits` {"linked", "same"} and `check` (which share of altered copies of these images is found, by
    kind; None without `near`), `side_px`, `pairs` (the first 200: {"one", "other", "likeness", "same", "labels",
    "sides"}), `contradicting` and `crossing` (names), and `n_by_sides` ({"train and held_out": 3}).
    """
    n = len(records)
    _check_lengths(n, y, groups)
    codes, n_before = group_codes(groups, n)
    check_sides(records, None if groups is None else codes)
    pairs, likeness, same, found = _pairs(records, pixels, near, seed)
    joined = _joined(codes, pairs)
    contradicts = _contradicts(pairs, likeness, same, y)
    drop = np.unique(pairs[contradicts])
    across = _across(records, pairs)
    crossing = np.array(
        sorted({int(row) for pair in pairs[across] for row in pair if records[row].split == "held_out"}),
        dtype=np.int64,
    )
    document = {
        "n_images": n,
        "n_exact": int((likeness == 1.0).sum()),
        "n_near": int((likeness < 1.0).sum()),
        "n_same": int(same.sum()),
        "n_groups_before": n_before,
        "n_groups": int(joined.max(initial=-1) + 1),
        "largest_group": int(np.bincount(joined).max(initial=0)),
        "n_contradicting": len(drop),
        "n_crossing": len(crossing),
        "pairs": [
            _pair_document(records, pair, value, is_same, y)
            for pair, value, is_same in zip(pairs[:_LISTED], likeness, same, strict=False)
        ],
        "contradicting": [records[row].name for row in drop],
        "crossing": [records[row].name for row in crossing],
        "n_by_sides": _by_sides(records, pairs[across]),
        **found,
    }
    return ImageAudit(joined, drop, crossing, pairs, likeness, same, document)


def check_sides(records: Sequence[ImageRecord], groups: np.ndarray | None) -> None:
    """Raise SplitError where a patient of `groups` (n,) stands on two of the sides that the source names."""
    if groups is None:
        return
    sides: dict[int, set[str]] = {}
    for record, group in zip(records, groups, strict=True):
        if record.split is not None:
            sides.setdefault(int(group), set()).add(record.split)
    mixed = {group: named for group, named in sides.items() if len(named) > 1}
    if not mixed:
        return
    which = sorted({" and ".join(sorted(named)) for named in mixed.values()})
    images = [r.name for r, group in zip(records, groups, strict=True) if int(group) in mixed]
    more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
    raise SplitError(
        f"{len(mixed)} patient{'s stand' if len(mixed) > 1 else ' stands'} on two sides ({'; '.join(which)})",
        hint="give each patient one side, or leave the split column out and let it be made by patient",
        cell=", ".join(images[:_NAMED]) + more,
    )


def _check_lengths(n: int, y: np.ndarray | None, groups: np.ndarray | None) -> None:
    for name, values in (("y", y), ("groups", groups)):
        if values is not None and len(values) != n:
            raise InputError(f"{name} must have one entry per image: got {len(values)} for {n} images")


def _pairs(
    records: Sequence[ImageRecord], pixels: Pixels, near: bool, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """Pairs (m, 2), likeness, whether the same, and what the search says of itself."""
    rows_of: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        rows_of.setdefault(record.sha256, []).append(row)
    exact = [pair for rows in rows_of.values() for pair in combinations(rows, 2)]
    firsts = np.array([rows[0] for rows in rows_of.values()], dtype=np.int64)
    pairs = np.array(exact, dtype=np.int64).reshape(-1, 2)
    likeness, same = np.ones(len(pairs)), np.ones(len(pairs), dtype=bool)
    if not near or len(firsts) < 2:
        return pairs, likeness, same, {"limits": None, "check": None, "side_px": None}
    found: Copies = find_copies([records[row] for row in firsts], pixels, seed)
    several = {int(rows[0]): rows for rows in rows_of.values() if len(rows) > 1}
    more, value = _spread(firsts, found, several)
    said = {
        "limits": {"linked": found.linked, "same": found.same},
        "check": found.document["check"],
        "side_px": found.document.get("side_px"),
    }
    return (
        np.concatenate([pairs, more]),
        np.concatenate([likeness, value]),
        np.concatenate([same, value >= found.same]),
        said,
    )


def _spread(
    firsts: np.ndarray, found: Copies, several: dict[int, list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """The near pairs with every row of the same hash in its picture's place."""
    pairs, values = [], []
    for one, two, value in zip(firsts[found.one], firsts[found.two], found.likeness, strict=True):
        for a in several.get(int(one), [int(one)]):
            for b in several.get(int(two), [int(two)]):
                pairs.append((min(a, b), max(a, b)))
                # 1 is kept for the same hash
                values.append(min(float(value), 0.9999))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(values)


def _joined(codes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Connected components of patients and copies, numbered by their first row."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_groups = int(codes.max(initial=-1) + 1)
    if not n_groups:
        return np.zeros(0, dtype=np.int64)
    ends = codes[pairs]
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n_groups, n_groups))
    _, component = connected_components(graph, directed=False)
    row_component = component[codes]
    _, first, inverse = np.unique(row_component, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def _contradicts(
    pairs: np.ndarray, likeness: np.ndarray, same: np.ndarray, y: np.ndarray | None
) -> np.ndarray:
    """Whether a pair of the same picture has different labels, (m,) bool."""
    if y is None or not len(pairs):
        return np.zeros(len(pairs), dtype=bool)
    values = np.asarray(y)
    one, two = values[pairs[:, 0]], values[pairs[:, 1]]
    differs = one != two
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(one) | np.isnan(two))
    if values.ndim == 2:
        differs = differs.any(axis=1)
    quantity = values.ndim == 1 and values.dtype.kind == "f"
    return np.asarray(differs & (likeness == 1.0 if quantity else same), dtype=bool)


def _across(records: Sequence[ImageRecord], pairs: np.ndarray) -> np.ndarray:
    """Whether the two of a pair stand on different sides of the source, (m,) bool."""
    sides = np.array([record.split or "" for record in records], dtype=object)
    one, two = sides[pairs[:, 0]], sides[pairs[:, 1]]
    return np.asarray((one != two) & (one != "") & (two != ""), dtype=bool)


def _by_sides(records: Sequence[ImageRecord], pairs: np.ndarray) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one, two in pairs:
        name = " and ".join(sorted((str(records[one].split), str(records[two].split)), reverse=True))
        counted[name] = counted.get(name, 0) + 1
    return dict(sorted(counted.items()))


def _pair_document(
    records: Sequence[ImageRecord], pair: np.ndarray, likeness: float, same: bool, y: np.ndarray | None
) -> dict[str, Any]:
    one, two = int(pair[0]), int(pair[1])
    return {
        "one": records[one].name,
        "other": records[two].name,
        "likeness": round(float(likeness), 4),
        "same": bool(same),
        "labels": None if y is None else [np.asarray(y)[row].tolist() for row in (one, two)],
        "sides": [records[one].split, records[two].split],
    }
