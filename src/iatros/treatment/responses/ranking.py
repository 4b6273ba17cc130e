"""Ranked lists: of each subject the treatments that a model puts first, and how good they turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import group_weights
from iatros.core.metrics.result import Metric

_NAN = float("nan")


@dataclass(frozen=True)
class Lists:
    """Judged pairs (n,) of `subject` and `treatment` with a `score` (more is put first) and the `gain` that followed.

    Gains are 0 or more. `k` is how many of a list count, `n_treatments` how many there are to choose from.
    """

    subject: np.ndarray
    treatment: np.ndarray
    score: np.ndarray
    gain: np.ndarray
    k: int
    n_treatments: int


@dataclass(frozen=True)
class OfSubjects:
    """NDCG@k and recall@k of each subject (m,), nan where it has no gain to find, and what stood in its first k."""

    ndcg: np.ndarray
    recall: np.ndarray
    shown: np.ndarray


def by_subject(lists: Lists) -> OfSubjects:
    """The lists of all subjects judged on; equal scores stand in the order of the treatments.

    NDCG@k divides the gains of the first k, each by the logarithm of its place (Jarvelin and Kekalainen 2002), by the
    most that any order gives. A treatment is relevant where its gain is the subject's best (or above 0, where gains are
    0 and 1): recall@k is the share of those among the first k, of at most k.
    """
    order = np.lexsort((lists.treatment, -lists.score, lists.subject))
    subject, gain = lists.subject[order], lists.gain[order]
    starts = np.flatnonzero(np.r_[True, subject[1:] != subject[:-1]])
    sizes = np.diff(np.r_[starts, len(subject)])
    place = np.arange(len(subject)) - np.repeat(starts, sizes)
    block = np.repeat(np.arange(len(starts)), sizes)
    discount = np.where(place < lists.k, 1.0 / np.log2(place + 2.0), 0.0)
    reached = np.bincount(block, gain * discount, minlength=len(starts))
    ideal = gain[np.lexsort((-gain, subject))]
    best = np.bincount(block, ideal * discount, minlength=len(starts))
    top = np.repeat(np.maximum.reduceat(gain, starts), sizes) if len(starts) else gain
    relevant = (gain >= top) & (gain > 0)
    found = np.bincount(block, relevant & (place < lists.k), minlength=len(starts))
    possible = np.minimum(np.bincount(block, relevant, minlength=len(starts)), lists.k)
    several = (sizes > 1) & (best > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ndcg = np.where(several, reached / best, _NAN)
        recall = np.where(several & (possible > 0), found / possible, _NAN)
    return OfSubjects(ndcg, recall, lists.treatment[order][place < lists.k])


def list_metrics(lists: Lists, *, n_bootstrap: int, confidence_level: float, seed: int) -> dict[str, Metric]:
    """`ndcg` and `recall` at k with percentile intervals over subjects, and the share of treatments ever shown."""
    own = by_subject(lists)
    answer = {}
    for name, values in (("ndcg", own.ndcg), ("recall", own.recall)):
        answer[name] = _mean(values[~np.isnan(values)], n_bootstrap, confidence_level, seed)
    shown = len(np.unique(own.shown)) / max(lists.n_treatments, 1)
    answer["list_coverage"] = Metric(
        shown, _NAN, _NAN, lists.n_treatments, None, "a property of the lists, not a sample"
    )
    return answer


def _mean(values: np.ndarray, n_bootstrap: int, confidence_level: float, seed: int) -> Metric:
    n = len(values)
    if n == 0:
        return Metric(_NAN, _NAN, _NAN, 0, None, "not defined: no subject has two judged treatments")
    drawn = (
        np.concatenate(
            [
                weights @ values / weights.sum(axis=1)
                for weights in group_weights(None, n_bootstrap, seed, n=n)
            ]
        )
        if n_bootstrap and n > 1
        else np.array([])
    )
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (_NAN, _NAN)
    return Metric(
        float(values.mean()), float(low), float(high), n, None, f"percentile bootstrap over {n} subjects"
    )
