"""What half a text is worth: it is completed several times, and the completions are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, END, PAD
from iatros.molecules.generators.generator import AS_LEARNED
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.networks.stepping import Steps, drawn, in_batches

CUTS = (0.25, 0.5, 0.75)
"""Shares of a text after which it is completed anew."""

Rewards = Callable[[Sequence[str], np.ndarray], np.ndarray]
"""What each of some texts, also given as codes (n, length), is worth (n,)."""


def values_at(
    model: LanguageModel, codes: np.ndarray, times: int, rewards: Rewards, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each of `CUTS`: how many tokens of each line (n,) stand before it, and what these are worth (n,).

    That is the mean of the `rewards` of `times` completions (Yu et al. 2017, arXiv:1609.05473, equation 4). `codes`
    (n, length) are lines without a beginning.
    """
    lengths = (codes != PAD).sum(axis=1)
    for share in CUTS:
        upto = (share * lengths).astype(np.int64)
        lines = completed(
            model.steps,
            np.repeat(codes, times, axis=0),
            np.repeat(upto, times),
            rng,
            longest=model.max_length,
        )
        worth = rewards(model.texts(lines), lines)
        yield upto, worth.reshape(len(codes), times).mean(axis=1)


def completed(
    steps: Steps, codes: np.ndarray, upto: np.ndarray, rng: np.random.Generator, *, longest: int
) -> np.ndarray:
    """Lines (n, longest) that begin with the first `upto` (n,) of `codes` (n, length) and go on freely."""

    def batch(begin: int, end: int, own: np.random.Generator) -> np.ndarray:
        return _completed(steps, codes[begin:end], upto[begin:end], own, longest)

    parts = in_batches(batch, len(codes), rng)
    return np.concatenate(parts) if parts else np.zeros((0, longest), dtype=np.int64)


def _completed(
    steps: Steps, codes: np.ndarray, upto: np.ndarray, rng: np.random.Generator, longest: int
) -> np.ndarray:
    n = len(codes)
    lines = np.full((n, longest), PAD, dtype=np.int64)
    rows, last, states = np.arange(n), np.full(n, BEGIN), steps.start(n)
    for place in range(longest):
        odds, states = steps.step(last, states)
        last = drawn(odds, rng, AS_LEARNED)
        if place < codes.shape[1]:
            last = np.where(place < upto[rows], codes[rows, place], last)
        lines[rows, place] = last
        goes_on = last != END
        if not goes_on.all():
            rows, last, states = rows[goes_on], last[goes_on], steps.kept(states, goes_on)
        if not len(rows):
            break
    return lines
