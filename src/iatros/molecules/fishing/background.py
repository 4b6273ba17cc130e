"""How similar a compound is to a set of ligands by chance, and what is beyond it.

The similarity ensemble approach (Keiser et al., Nat Biotechnol 25:197, 2007). The raw score of a compound and a set is
the sum of their Tanimoto similarities from a threshold up. Against random sets of n compounds its mean rises as
slope * n and its standard deviation as scale * n ** exponent; the z-score of a raw score follows an extreme value
distribution, P(Z > z) = 1 - exp(-exp(-z pi / sqrt(6) - 0.5772)). The paper compares sets with sets, and n is there the
product of both sizes; here one side is always the one compound that is asked about, and so it is in the background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.learners.compounds.tanimoto import similarities

LEAST_COMPOUNDS = 20
MOST_QUERIES = 512
MOST_POOL = 4096
ROUNDS = 4
"""How often each of the random compounds meets new random sets."""
N_SIZES = 24
LEAST_HIT = 0.02
"""Share of random sets that must have a score at all for their spread to count."""
ALARM = 0.01


@dataclass(frozen=True)
class Background:
    """What is expected by chance, counting similarities from `threshold` up.

    `alarms` is the share of random sets whose p is at most 0.01: how far the distribution can be trusted.
    """

    threshold: float
    slope: float
    scale: float
    exponent: float
    alarms: float

    def z(self, raw: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """By how many standard deviations raw scores exceed what sets of these sizes give by chance."""
        n = np.asarray(sizes, dtype=float)
        return (np.asarray(raw, dtype=float) - self.slope * n) / (self.scale * n**self.exponent)


def chance(z: np.ndarray) -> np.ndarray:
    """P(Z > z) by the extreme value distribution with mean 0 and variance 1.

    >>> chance(np.array([0.0, 5.0])).round(6).tolist()
    [0.429624, 0.00092]
    """
    scaled = np.asarray(z, dtype=float) * (math.pi / math.sqrt(6.0)) + np.euler_gamma
    return -np.expm1(-np.exp(-np.maximum(scaled, -30.0)))


def fit_background(words: np.ndarray, threshold: float, seed: int) -> Background:
    """The background of the compounds `words` (n, words), from random compounds against random sets of the others.

    OutcomeError where there are too few compounds, or too few are similar to any other.
    """
    if len(words) < LEAST_COMPOUNDS:
        raise OutcomeError(
            f"chance cannot be told from {len(words)} compounds; {LEAST_COMPOUNDS} with a known target are needed"
        )
    rng = np.random.default_rng([seed, len(words)])
    pool = rng.permutation(len(words))[:MOST_POOL]
    queries = pool[:MOST_QUERIES]
    similar = similarities(words[queries], words[pool])
    kept = np.where(similar >= threshold, similar, 0.0).astype(np.float32)
    sizes = np.unique(np.geomspace(1, len(pool) - 1, N_SIZES).round().astype(np.int64))
    raw = np.concatenate([_random_scores(kept, sizes, rng) for _ in range(ROUNDS)])
    mean, spread, n = raw.mean(axis=0), raw.std(axis=0), sizes.astype(float)
    usable = ((raw > 0).mean(axis=0) >= LEAST_HIT) & (spread > 0)
    if usable.sum() < 3:
        raise OutcomeError(
            f"hardly any two of {len(words)} compounds are {threshold:g} similar, so chance cannot be told",
            hint="give a lower threshold",
        )
    slope = float((mean * n).sum() / (n * n).sum())
    exponent, intercept = np.polyfit(np.log(n[usable]), np.log(spread[usable]), 1)
    made = Background(threshold, slope, math.exp(intercept), float(exponent), 0.0)
    alarms = float((chance(made.z(raw[:, usable], n[usable])) <= ALARM).mean())
    return replace(made, alarms=alarms)


def _random_scores(kept: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Raw scores (queries, sizes): each query, which stands first among the others, against random sets of them."""
    keys = rng.random(kept.shape, dtype=np.float32)
    keys[np.arange(len(kept)), np.arange(len(kept))] = 2.0  # a query comes last, and is cut off
    order = np.argsort(keys, axis=1, kind="stable")[:, :-1]
    return np.cumsum(np.take_along_axis(kept, order, axis=1), axis=1, dtype=float)[:, sizes - 1]
