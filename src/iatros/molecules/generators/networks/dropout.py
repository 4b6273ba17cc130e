"""Units left out while a network learns, drawn from a generator of each thread's own: shards learn side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class _Random(threading.local):
    generator: torch.Generator | None = None


_RANDOM = _Random()


@contextmanager
def drawn_from(rng: np.random.Generator, device: str | torch.device = "cpu") -> Iterator[None]:
    """Within, what is left out in this thread depends on `rng` alone."""
    import torch

    _RANDOM.generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    try:
        yield
    finally:
        _RANDOM.generator = None


def left_out(values: torch.Tensor, share: float) -> torch.Tensor:
    """`values` with a `share` of them 0 and the others as much larger (Srivastava et al. 2014)."""
    import torch

    if not share:
        return values
    drawn = torch.rand(values.shape, generator=_RANDOM.generator, device=values.device)
    return values * (drawn >= share) / (1.0 - share)
