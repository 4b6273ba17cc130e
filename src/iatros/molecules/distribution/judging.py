"""The metrics of MOSES from what was described, each with its interval where one can be had from the compounds.

Compounds that a generator writes are independent draws, so the interval of a share is Wilson's, and that of a mean over
compounds is normal. Fragment and scaffold similarity, diversity and distances of distributions are functions of a mean;
their interval is that of their linearisation, in which every compound has the influence that leaving it out would have
(the infinitesimal jackknife). It tells how far another sample of as many compounds would differ, not how far another
training would.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from iatros.core.intervals import NAN, Metric, normal_quantile, proportion
from iatros.learners.compounds.tanimoto import SearchIndex, nearest

_LINEARISED = "linearised over the compounds"


def share(hits: np.ndarray, confidence_level: float) -> Metric:
    """The share of true values in `hits` (n,), with Wilson's interval."""
    return proportion(hits, confidence_level=confidence_level)


def unique_share(smiles: Sequence[str], first: int, confidence_level: float) -> Metric:
    """How many of the first `first` valid compounds differ, as a share of them."""
    chosen = smiles[:first]
    seen: set[str] = set()
    hits = np.zeros(len(chosen), dtype=bool)
    for place, text in enumerate(chosen):
        hits[place] = text not in seen
        seen.add(text)
    return proportion(hits, confidence_level=confidence_level)


def nearest_similarity(words: np.ndarray, index: SearchIndex, confidence_level: float) -> Metric:
    """SNN: the mean similarity of the compounds to the nearest one of the reference."""
    similarity = nearest(words, index)[1]
    half = _half(similarity, confidence_level)
    value = float(similarity.mean())
    return _metric(value, half, len(similarity), "normal over the compounds", 0.0, 1.0)


def parts_similarity(
    parts: Sequence[Sequence[str]], reference: Mapping[str, int], confidence_level: float
) -> Metric:
    """Frag or Scaf: the cosine of how often each part occurs here and in the reference.

    `parts` holds those of each compound. Not defined where a side has none.
    """
    own = Counter(part for some in parts for part in some)
    if not own or not reference:
        return Metric(NAN, NAN, NAN, len(parts), None, "not defined: a side has no such parts")
    theirs = math.sqrt(sum(count * count for count in reference.values()))
    ours = math.sqrt(sum(count * count for count in own.values()))
    value = sum(count * reference.get(part, 0) for part, count in own.items()) / (theirs * ours)
    influence = np.array(
        [
            sum(reference.get(part, 0) / (theirs * ours) - value * own[part] / ours**2 for part in some)
            for some in parts
        ]
    )
    half = _half(influence * len(parts), confidence_level)
    return _metric(value, half, len(parts), _LINEARISED, 0.0, 1.0)


def diversity(similarity: np.ndarray, confidence_level: float) -> Metric:
    """IntDiv: one less the mean similarity of two compounds, from `similarity` (n,), that of each to all."""
    # A compound takes part in a pair as the one and as the other.
    half = _half(2.0 * similarity, confidence_level)
    return _metric(1.0 - float(similarity.mean()), half, len(similarity), _LINEARISED, 0.0, 1.0)


def diversity_of_squares(squares: np.ndarray, confidence_level: float) -> Metric:
    """IntDiv2: one less the mean of the roots of `squares` (n,), the mean squared similarity of each to all."""
    roots = np.sqrt(squares)
    typical = float(roots.mean())
    # As the other of a pair a compound adds its square over the root of the one, which differs little between them.
    influence = roots + (squares / (2.0 * typical) if typical > 0 else 0.0)
    half = _half(influence, confidence_level)
    return _metric(1.0 - typical, half, len(squares), _LINEARISED, 0.0, 1.0)


def distance(values: np.ndarray, reference: np.ndarray, confidence_level: float) -> Metric:
    """The first Wasserstein distance of two samples: the area between their cumulative distributions.

    >>> distance(np.array([0.0, 1.0]), np.array([1.0, 2.0]), 0.95).value
    1.0
    """
    ours, theirs = np.sort(values), np.sort(reference)
    points = np.sort(np.concatenate([ours, theirs]))
    gaps = np.diff(points)
    above = np.searchsorted(ours, points[:-1], side="right") / len(ours) - np.searchsorted(
        theirs, points[:-1], side="right"
    ) / len(theirs)
    value = float(np.abs(above) @ gaps)
    # A compound raises the distribution from its value on, which adds to the area where it lies above.
    signed = np.concatenate([[0.0], np.cumsum(np.sign(above) * gaps)])
    influence = signed[-1] - signed[np.searchsorted(points, values)]
    half = _half(influence, confidence_level)
    return _metric(value, half, len(values), _LINEARISED, 0.0, math.inf)


def bare(value: float, n: int, why: str) -> Metric:
    """A value without an interval, and why there is none."""
    return Metric(value, NAN, NAN, n, None, why)


def _half(influence: np.ndarray, confidence_level: float) -> float:
    """Half of the width of the interval of a mean of these values (n,)."""
    if len(influence) < 2:
        return NAN
    return normal_quantile(confidence_level) * float(influence.std(ddof=1)) / math.sqrt(len(influence))


def _metric(value: float, half: float, n: int, how: str, lowest: float, highest: float) -> Metric:
    if not math.isfinite(half):
        return Metric(value, NAN, NAN, n, None, "not defined: one compound")
    return Metric(value, max(value - half, lowest), min(value + half, highest), n, None, how)
