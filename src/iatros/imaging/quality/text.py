"""Gate for letters burnt into an image: rows of small, sharp, high-contrast marks of one height.

A mark is a connected set of pixels that stand out from their surroundings by a share of the image's range, of the
size and fullness of a letter. Letters count where at least three of one height stand side by side on one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.imaging.quality.finding import Finding

SMALLEST = 96
"""Rows and columns below which letters cannot be told from anatomy."""
_LARGEST = 1024
_STANDS_OUT = 0.35
_LETTER = (0.008, 0.06)
"""Height of a letter, as a share of the image's rows."""
_LEAST_HEIGHT = 5
_FULL = (0.15, 0.9)
_IN_LINE = 3
_FEWEST = 4
DECLARED = "burnt-in annotation"
"""The flag of a record whose file says so itself (BurnedInAnnotation YES)."""


@dataclass(frozen=True)
class Letters:
    """How many letters are unusual."""

    limit: float
    """Letters from which an image is flagged."""
    usual: float
    """Share of training images with as many as `_FEWEST` letters."""
    n: int
    """Training images that were large enough to look."""

    @staticmethod
    def learned(counts: np.ndarray) -> Letters:
        """From `count_letters` of training images (n,), NaN where an image is too small.

        What training images are full of is not unusual: the limit is their 95th percentile, four at least.
        """
        known = counts[np.isfinite(counts)]
        if not len(known):
            return Letters(float(_FEWEST), 0.0, 0)
        rare = float(np.quantile(known, 0.95))
        return Letters(max(float(_FEWEST), rare + 1.0), float((known >= _FEWEST).mean()), len(known))

    def check(self, count: float, flags: tuple[str, ...]) -> list[Finding]:
        """Findings of one image from its count (NaN: not looked for) and its record's flags."""
        if DECLARED in flags:
            said = "the file says that text is burnt into the image"
            return [Finding("text", "flag", said, count if np.isfinite(count) else None, self.limit)]
        if not np.isfinite(count) or count < self.limit:
            return []
        said = f"text seems to be burnt into the image, about {count:.0f} letters; it may name the patient"
        return [Finding("text", "flag", said, count, self.limit)]

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {"limit": self.limit, "usual": self.usual, "n": self.n}

    @staticmethod
    def load(document: dict[str, Any]) -> Letters:
        """The reverse of `document`."""
        return Letters(float(document["limit"]), float(document["usual"]), int(document["n"]))


def count_letters(pixels: np.ndarray) -> float:
    """Letters in pixels (channels, [slices,] rows, columns), of a volume in the middle slice; NaN where too small."""
    plane = pixels[:, pixels.shape[1] // 2] if pixels.ndim == 4 else pixels
    if min(plane.shape[1:]) < SMALLEST:
        return float("nan")
    grey = plane.max(axis=0).astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    step = -(-max(grey.shape) // _LARGEST)
    grey = grey[::step, ::step]
    low, high = np.quantile(grey, [0.001, 0.999])
    if high - low < 0.05:
        return 0.0
    return float(max(_letters(_marks(grey, high - low)), _letters(_marks(1.0 - grey, high - low))))


def _marks(grey: np.ndarray, span: float) -> np.ndarray:
    """Boxes (m, 4) of letter-like marks brighter than their surroundings: top, bottom, left, right."""
    from scipy.ndimage import find_objects, grey_opening, label

    tallest = max(_LEAST_HEIGHT + 2, round(_LETTER[1] * grey.shape[0]))
    stroke = max(3, tallest // 3)
    out = (grey - grey_opening(grey, size=(stroke, stroke))) > _STANDS_OUT * span
    labels, _ = label(out, structure=np.ones((3, 3)))
    least = max(_LEAST_HEIGHT, round(_LETTER[0] * grey.shape[0]))
    boxes = []
    for number, place in enumerate(find_objects(labels), start=1):
        height, width = (edge.stop - edge.start for edge in place)
        if not (least <= height <= tallest and 1 <= width <= 1.6 * height):
            continue
        full = float((labels[place] == number).mean())
        if _FULL[0] <= full <= _FULL[1] or (width <= 0.4 * height and full > _FULL[1]):
            boxes.append((place[0].start, place[0].stop, place[1].start, place[1].stop))
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _letters(boxes: np.ndarray) -> int:
    """How many marks stand in a line of at least three: same foot, same height, close together."""
    if len(boxes) < _IN_LINE:
        return 0
    boxes = boxes[np.argsort(boxes[:, 2], kind="stable")]
    height = boxes[:, 1] - boxes[:, 0]
    longest = np.ones(len(boxes), dtype=np.int64)
    previous = [-1] * len(boxes)
    for k in range(1, len(boxes)):
        gap = boxes[k, 2] - boxes[:k, 3]
        follows = (
            (gap > -0.3 * height[k])
            & (gap < 1.5 * height[k])
            & (np.abs(boxes[:k, 1] - boxes[k, 1]) <= 0.2 * height[k] + 1)
            & (np.abs(height[:k] - height[k]) <= 0.25 * height[k] + 1)
        )
        if follows.any():
            best = int(np.flatnonzero(follows)[np.argmax(longest[:k][follows])])
            longest[k], previous[k] = longest[best] + 1, best
    counted: set[int] = set()
    for end in np.flatnonzero(longest >= _IN_LINE).tolist():
        at = int(end)
        while at >= 0 and at not in counted:
            counted.add(at)
            at = previous[at]
    return len(counted)
