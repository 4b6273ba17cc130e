"""How well predicted effects order the patients: gain curves, AUUC and Qini, on doubly robust scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.intervals import (
    Metric,
    bootstrap_label,
    group_weights,
    midranks,
    percentile_interval,
)

_SHARES = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True)
class Uplift:
    """What is gained on average over all patients if the share of them with the largest predicted effects is treated.

    `gain` (m,) with `low` and `high` at `share` (m,), 0 to 1. `auuc` is the area under the curve, `qini` what of it
    lies above the line of treating the same share drawn at random: 0 is no better than chance. In the outcome's unit.
    """

    share: np.ndarray
    gain: np.ndarray
    low: np.ndarray
    high: np.ndarray
    auuc: Metric
    qini: Metric


def ranks_within(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """The rank of each value among those of its fold (n,), between 0 (least) and 1; ties share their mean rank.

    Models of different folds differ in level, and a fold whose own effect is large makes that of the others look
    small: ranks over all rows would run against the truth.
    """
    ranks = np.empty(len(values))
    for number in np.unique(fold):
        inside = fold == number
        ranks[inside] = (midranks(values[inside]) - 0.5) / int(inside.sum())
    return ranks


def uplift(
    rank: np.ndarray,
    pseudo: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 500,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> Uplift:
    """The gain of treating by `rank` (n,), largest first; `pseudo` (n,) are scores of the effect, larger is better.

    Radcliffe 2007 for the curve and the coefficient, with doubly robust scores in place of outcomes of two groups.
    Intervals: percentiles over resamples of whole groups; the predictions stay as they are.
    """
    order = np.argsort(-rank, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(rank[order]) != 0]))
    ones = np.ones((1, len(rank)))
    curve, auuc, qini = _areas(ones, pseudo[order], starts)
    curves, areas, coefficients = [], [], []
    for weights in group_weights(groups, n_bootstrap, seed, n=len(rank)):
        drawn = _areas(weights[:, order], pseudo[order], starts)
        curves.append(drawn[0])
        areas.append(drawn[1])
        coefficients.append(drawn[2])
    label = bootstrap_label(groups, len(rank))

    def metric(value: float, draws: list[np.ndarray]) -> Metric:
        low, high, said = percentile_interval(np.concatenate(draws), confidence_level, label=label)
        return Metric(value, low, high, len(rank), None, said)

    tail = (1 - confidence_level) / 2
    low, high = np.quantile(np.concatenate(curves), [tail, 1 - tail], axis=0)
    return Uplift(
        _SHARES, curve[0], low, high, metric(float(auuc[0]), areas), metric(float(qini[0]), coefficients)
    )


def _areas(
    weights: np.ndarray, pseudo: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curves (b, m), AUUC (b,) and Qini (b,) for weights (b, n) of rows in falling order of rank.

    `starts` are the first rows of each block of equal ranks: within one, who is treated first is left to chance, so
    the curve is a straight line.
    """
    size = np.add.reduceat(weights, starts, axis=1)
    gained = np.add.reduceat(weights * pseudo, starts, axis=1)
    total = size.sum(axis=1, keepdims=True)
    nothing = np.zeros((len(weights), 1))
    share = np.hstack([nothing, np.cumsum(size, axis=1) / total])
    gain = np.hstack([nothing, np.cumsum(gained, axis=1) / total])
    auuc = (np.diff(share, axis=1) * (gain[:, 1:] + gain[:, :-1]) / 2).sum(axis=1)
    curve = np.stack([np.interp(_SHARES, x, y) for x, y in zip(share, gain, strict=True)])
    return curve, auuc, auuc - gain[:, -1] / 2
