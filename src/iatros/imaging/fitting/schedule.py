"""How fast a network learns, step by step, and how many images one step takes."""

from __future__ import annotations

import math

from iatros.imaging.models.params import Learning

_RISE = 0.25
_FIRST = 1 / 20
_LAST = 1e-3


def one_cycle(step: int, steps: int, highest: float) -> float:
    """Learning rate of `step` (from 0) of `steps`: up along a cosine for a quarter, then down along one.

    Starts at a twentieth of `highest` and ends at a thousandth (Smith and Topin, 2019).
    """
    rise = max(1, round(_RISE * steps))
    if step < rise:
        return highest * _between(_FIRST, 1.0, step / rise)
    return highest * _between(1.0, _LAST, (step - rise) / max(1, steps - 1 - rise))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def automatic_batch(learning: Learning, pixels: int, n_train: int) -> int:
    """Images per step, a power of two, so that a step takes about `learning.pixels_per_step` pixels.

    Few images make smaller steps still, so that an epoch has at least sixteen where that leaves eight each.
    """
    size = min(learning.most, max(learning.least, learning.pixels_per_step // max(1, pixels)))
    size = min(size, max(8, n_train // 16))
    return 2 ** int(math.log2(size))
