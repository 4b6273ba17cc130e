"""Writing token by token, whatever network says what may follow: batches with a seed of their own, and the draws."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, END, PAD, UNKNOWN
from iatros.learners.threads import fit_threads, one_blas_thread
from iatros.molecules.generators.generator import Draw

BATCH = 256
"""Lines that are written at once: what fits into the caches of a core. Another number gives other compounds."""

Answer = TypeVar("Answer")


class Steps(Protocol):
    """A network that has read some tokens of each line, and says what may follow the next one."""

    def start(self, n: int) -> Any:
        """The state of `n` lines before their first token."""
        ...

    def step(self, codes: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """Log-odds, float32 (n, tokens), of what follows `codes` (n,), and the new states."""
        ...

    def kept(self, states: Any, rows: np.ndarray) -> Any:
        """The states of some lines, by their places or as a mask."""
        ...


def in_batches(
    batch: Callable[[int, int, np.random.Generator], Answer], n: int, rng: np.random.Generator
) -> list[Answer]:
    """`batch(begin, end, rng)` of each 256 of `n` lines, in order, on all cores that may be used.

    Each batch has its own random numbers and its products are made by one thread, so the answer is the same on any
    number of threads.
    """
    begins = range(0, n, BATCH)
    seeds = rng.integers(2**63, size=(len(begins), 2))

    def run(place: int) -> Answer:
        begin = begins[place]
        return batch(begin, min(begin + BATCH, n), np.random.default_rng(seeds[place]))

    with one_blas_thread():
        threads = min(fit_threads(), len(begins))
        if threads < 2:
            return [run(place) for place in range(len(begins))]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, range(len(begins))))


def written(steps: Steps, n: int, *, rng: np.random.Generator, draw: Draw, longest: int) -> np.ndarray:
    """Codes, int64 (n, longest), of `n` lines written from the beginning; see `Decoder.write`."""
    lines = np.full((n, longest), PAD, dtype=np.int64)
    rows, codes, states = np.arange(n), np.full(n, BEGIN), steps.start(n)
    for place in range(longest):
        odds, states = steps.step(codes, states)
        codes = drawn(odds, rng, draw)
        lines[rows, place] = codes
        goes_on = codes != END
        if not goes_on.all():
            rows, codes, states = rows[goes_on], codes[goes_on], steps.kept(states, goes_on)
        if not len(rows):
            break
    return lines


def drawn(odds: np.ndarray, rng: np.random.Generator, draw: Draw) -> np.ndarray:
    """A code (n,) for each row of log-odds (n, tokens); never filling, an unknown token or a second beginning."""
    odds = odds / np.float32(draw.temperature)
    odds[:, [PAD, UNKNOWN, BEGIN]] = -np.inf
    odds -= odds.max(axis=1, keepdims=True)
    share = np.exp(odds)
    if draw.nucleus < 1.0:
        share = _nucleus(share, draw.nucleus)
    upto = share.cumsum(axis=1)
    target = rng.random((len(odds), 1), dtype=np.float32) * upto[:, -1:]
    # Rounding can carry the target to the sum itself: then the last token that has a share is meant.
    last = odds.shape[1] - 1 - np.argmax(share[:, ::-1] > 0, axis=1)
    codes: np.ndarray = np.minimum((upto <= target).sum(axis=1), last)
    return codes


def _nucleus(share: np.ndarray, nucleus: float) -> np.ndarray:
    """`share` with 0 for all but the likeliest tokens that together reach `nucleus`."""
    order = np.argsort(-share, axis=1, kind="stable")
    ranked = np.take_along_axis(share, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    ranked = np.where(before < nucleus * share.sum(axis=1, keepdims=True), ranked, 0.0)
    kept = np.zeros_like(share)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept
