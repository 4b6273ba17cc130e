"""Gates that read the record instead of the pixels: channels, modality, part of the body, size, proportions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.imaging.inputs import describe_shape
from iatros.imaging.quality.finding import Finding
from iatros.imaging.schema import ImageRecord

_TAGS = {"modality": ("modality", "modality"), "body_part": ("body-part", "part of the body")}
_KNOWN = 0.9
"""Share of training images whose tag must be known for a missing one to be unusual."""
_FACTORS = {"shorter side": (2.0, 4.0), "slices": (2.0, 4.0), "height in mm": (1.5, 3.0)}
"""How far below or above the training images' range a number is flagged and refused; pixels never for too many."""
_PROPORTIONS = (1.25, 2.0)


@dataclass(frozen=True)
class Origin:
    """What training images were: their tags, and the ranges of their sizes."""

    shapes: tuple[tuple[int, int], ...]
    """(dimensions, channels) that occurred."""
    tags: dict[str, dict[str, int]]
    """How often each value of modality and body part occurred; the empty string for unknown."""
    ranges: dict[str, tuple[float, float]]
    """Smallest and largest shorter side in px, slices, height in mm and columns over rows."""

    @staticmethod
    def learned(records: Sequence[ImageRecord]) -> Origin:
        """From training records; the ranges leave out the outermost half per cent."""
        tags: dict[str, dict[str, int]] = {}
        for name in _TAGS:
            counts: dict[str, int] = {}
            for record in records:
                value = _spelt(getattr(record, name))
                counts[value] = counts.get(value, 0) + 1
            tags[name] = dict(sorted(counts.items()))
        sizes = [_sizes(record) for record in records]
        ranges = {}
        for name in ("shorter side", "slices", "height in mm", "proportions"):
            known = [size[name] for size in sizes if name in size]
            if len(known) >= _KNOWN * len(records):
                low, high = np.quantile(known, [0.005, 0.995], method="nearest")
                ranges[name] = (float(low), float(high))
        shapes = tuple(sorted({(len(r.shape), r.shape[0]) for r in records}))
        return Origin(shapes, tags, ranges)

    def check(self, record: ImageRecord) -> list[Finding]:
        """Findings about the record of one image."""
        if (len(record.shape), record.shape[0]) not in self.shapes:
            known = " or ".join(_kind(shape) for shape in self.shapes)
            said = f"this is {describe_shape(record)}, and the model learned from {known}"
            return [Finding("channels", "refuse", said, float(record.shape[0]), None)]
        found = [finding for name in _TAGS if (finding := self._tag(record, name)) is not None]
        sizes = _sizes(record)
        for name, factors in _FACTORS.items():
            if name in sizes and name in self.ranges:
                found += _outside(name, sizes[name], self.ranges[name], factors)
        if "proportions" in self.ranges:
            found += _proportions(sizes["proportions"], self.ranges["proportions"])
        return found

    def _tag(self, record: ImageRecord, name: str) -> Finding | None:
        code, words = _TAGS[name]
        seen = self.tags[name]
        value = _spelt(getattr(record, name))
        known = {tag: count for tag, count in seen.items() if tag}
        if value in seen or not known:
            return None
        learned = " or ".join(sorted(known, key=lambda tag: (-known[tag], tag))[:3])
        if value:
            said = f"{words} {value}, and the model learned from {learned}"
            return Finding(code, "refuse", said)
        if seen.get("", 0) > (1.0 - _KNOWN) * sum(seen.values()):
            return None
        return Finding(code, "flag", f"{words} unknown, and the model learned from {learned}")

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "shapes": [list(shape) for shape in self.shapes],
            "tags": self.tags,
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
        }

    @staticmethod
    def load(document: dict[str, Any]) -> Origin:
        """The reverse of `document`."""
        return Origin(
            tuple((int(shape[0]), int(shape[1])) for shape in document["shapes"]),
            document["tags"],
            {name: (ends[0], ends[1]) for name, ends in document["ranges"].items()},
        )


def _spelt(value: str | None) -> str:
    return (value or "").strip().upper()


def _kind(shape: tuple[int, int]) -> str:
    colour = {1: "grey", 3: "colour"}.get(shape[1], f"{shape[1]}-channel")
    return f"{colour} {'volumes' if shape[0] == 4 else 'images'}"


def _sizes(record: ImageRecord) -> dict[str, float]:
    rows, columns = record.shape[-2:]
    sizes = {"shorter side": float(min(rows, columns)), "proportions": columns / rows}
    if record.spacing_mm is not None and min(record.spacing_mm[-2:]) > 0:
        sizes["height in mm"] = rows * record.spacing_mm[-2]
        sizes["proportions"] = columns * record.spacing_mm[-1] / sizes["height in mm"]
    if record.is_volume:
        sizes["slices"] = float(record.shape[1])
    return sizes


def _outside(
    name: str, value: float, ends: tuple[float, float], factors: tuple[float, float]
) -> list[Finding]:
    low, high = ends
    below = low / max(value, 1e-9)
    above = 0.0 if name == "shorter side" else value / high
    far = max(below, above)
    if far <= factors[0]:
        return []
    severe = far > factors[1]
    factor = factors[1 if severe else 0]
    limit = low / factor if below >= above else high * factor
    unit = " px" if name == "shorter side" else ""
    said = f"{name} {value:.0f}{unit}, training images have {low:.0f} to {high:.0f}"
    return [Finding("size", "refuse" if severe else "flag", said, value, limit)]


def _proportions(value: float, ends: tuple[float, float]) -> list[Finding]:
    far = max(ends[0] / value, value / ends[1])
    if far <= _PROPORTIONS[0]:
        return []
    severe = far > _PROPORTIONS[1]
    factor = _PROPORTIONS[1 if severe else 0]
    limit = ends[1] * factor if math.log(value / ends[1]) > 0 else ends[0] / factor
    said = f"width over height {value:.2f}, training images have {ends[0]:.2f} to {ends[1]:.2f}"
    return [Finding("proportions", "refuse" if severe else "flag", said, value, limit)]
