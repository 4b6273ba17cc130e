"""How good predicted affinities are: error, order, r_m^2, with intervals for new drugs and new targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.metrics.continuous import ContinuousMetrics
from iatros.core.metrics.ranking import AffinityMetrics
from iatros.core.metrics.result import Metric
from iatros.core.metrics.two_way import two_way_evaluate, two_way_weights
from iatros.molecules.affinity.schema import Pairs

NAMES = ("mse", "rmse", "concordance_index", "rm2", "spearman", "mae", "r2")
FLOOR_SHARE = 0.1
"""Where so many pairs have the lowest value or more, that value is taken for the end of what the assay measures."""


@dataclass(frozen=True)
class Judged:
    """Predictions (n,) for the pairs at `rows` (n,), made by models that had not learned from them."""

    rows: np.ndarray
    prediction: np.ndarray
    fold: np.ndarray

    def drawn(self, pairs: Pairs, seed: int, most: int = 1000) -> dict[str, list[float]]:
        """Predicted and measured affinities of at most `most` pairs drawn at random, for a picture."""
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(self.rows))[:most])
        return {
            "predicted": self.prediction[chosen].round(4).tolist(),
            "measured": pairs.y[self.rows[chosen]].round(4).tolist(),
        }


class PairMetrics:
    """Every metric of predictions `p` (n,) for affinities `y` (n,), called with weights (b, n)."""

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        self.continuous, self.affinity = ContinuousMetrics(y, p), AffinityMetrics(y, p)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        found = self.continuous(weights) | self.affinity(weights)
        found["mse"] = found["rmse"] ** 2
        return {name: found[name] for name in NAMES}


def censored(pairs: Pairs) -> np.ndarray:
    """Which pairs hold a bound and not a value, bool (n,): those said to, and those heaped on the lowest value.

    DAVIS gives 69.6 % of its pairs as pKd 5, which is where its assay ends. A heap counts where at least a tenth of all
    pairs lies on the lowest value.
    """
    bounds: np.ndarray = pairs.bound != 0
    lowest = pairs.y == pairs.y.min()
    return bounds | lowest if len(pairs) > 1 and lowest.mean() >= FLOOR_SHARE else bounds


def evaluate(
    pairs: Pairs, judged: Judged, *, n_bootstrap: int = 500, confidence_level: float = 0.95, seed: int = 0
) -> dict[str, dict[str, Metric]]:
    """The metrics over `all` judged pairs, and over the `uncensored` ones where some are censored.

    Intervals are of a two-way bootstrap: drugs and targets are both drawn anew.
    """
    answer = {"all": _metrics(pairs, judged, n_bootstrap, confidence_level, seed)}
    exact = ~censored(pairs)[judged.rows]
    if not exact.all() and exact.sum() > 1:
        some = Judged(judged.rows[exact], judged.prediction[exact], judged.fold[exact])
        answer["uncensored"] = _metrics(pairs, some, n_bootstrap, confidence_level, seed)
    return answer


def difference(
    pairs: Pairs,
    judged: Judged,
    other: Judged,
    *,
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """MSE and concordance of `judged` less those of `other` on the same pairs, with paired percentile intervals.

    Both must have judged the same rows in the same order.
    """
    if not np.array_equal(judged.rows, other.rows):
        raise ValueError("the two have judged different pairs")
    y = pairs.y[judged.rows]
    one, two = PairMetrics(y, judged.prediction), PairMetrics(y, other.prediction)
    kinds = pairs.drug[judged.rows], pairs.target[judged.rows]
    names = ("mse", "concordance_index")
    whole = np.ones((1, len(y)))
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for weights in two_way_weights(*kinds, n_bootstrap, seed):
        a, b = one(weights), two(weights)
        for name in names:
            drawn[name].append(a[name] - b[name])
    at_one, at_two = one(whole), two(whole)
    tail = (1 - confidence_level) / 2
    answer = {}
    for name in names:
        low, high = np.nanquantile(np.concatenate(drawn[name]), [tail, 1 - tail])
        value = float(at_one[name][0] - at_two[name][0])
        answer[name] = {"value": value, "low": float(low), "high": float(high)}
    return answer


def point_metrics(y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The values alone, without intervals."""
    found = PairMetrics(y, prediction)(np.ones((1, len(y))))
    return {name: float(values[0]) for name, values in found.items()}


def _metrics(
    pairs: Pairs, judged: Judged, n_bootstrap: int, confidence_level: float, seed: int
) -> dict[str, Metric]:
    rows = judged.rows
    return two_way_evaluate(
        PairMetrics(pairs.y[rows], judged.prediction),
        pairs.drug[rows],
        pairs.target[rows],
        n_bootstrap=n_bootstrap,
        confidence_level=confidence_level,
        seed=seed,
    )
