"""The images that a report shows: the worst, the middle and the best of those that were judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from iatros.imaging.segmentation.evaluation import Judged
from iatros.imaging.segmentation.outlines import outlines_png
from iatros.imaging.segmentation.study import Study


@dataclass(frozen=True)
class Example:
    """A judged image as a picture, without its name: `rank` says which one it is."""

    rank: str
    png: bytes
    dice: tuple[float, ...]
    """Of each structure; NaN where it is neither there nor found."""


def examples(study: Study, judged: Judged, labels: Mapping[int, np.ndarray]) -> tuple[Example, ...]:
    """Pictures of up to five judged images by their mean Dice: the two worst, the middle one, the two best."""
    dice = judged.values("dice")
    known = np.flatnonzero(np.isfinite(dice).any(axis=1))
    order = known[np.argsort(np.nanmean(dice[known], axis=1), kind="stable")]
    # of few images, one has several ranks: the later line tells more
    ranks = {len(order) - 2: "second best", 1: "second worst", len(order) // 2: "middle"}
    ranks |= {len(order) - 1: "best", 0: "worst"}
    found = []
    for place in sorted(place for place in ranks if 0 <= place < len(order)):
        case = int(order[place])
        row = int(judged.rows[case])
        record = study.cases[row].record
        picture = outlines_png(study.pixels(record), study.cases[row].mask, labels[row])
        found.append(Example(ranks[place], picture, tuple(dice[case].tolist())))
    return tuple(found)
