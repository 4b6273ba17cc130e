"""Metrics of a predicted quantity, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

NAMES = (
    "mae", "rmse", "r2", "spearman", "pearson", "bias", "calibration_slope", "calibration_intercept",
    "within_20_percent", "medae",
)  # fmt: skip


class ContinuousMetrics:
    """The metrics of predictions `p` (n,) for outcomes `y` (n,), called with weights (b, n).

    `bias` is the mean of prediction minus truth; slope and intercept come from the regression of truth on
    prediction; `within_20_percent` is the share of predictions within a fifth of the truth, given only
    where all outcomes are positive.
    """

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        self.y, self.p = y.astype(float), p.astype(float)
        self.error = self.p - self.y
        # Moments are taken around the means, so that large offsets cost no digits.
        self.dy, self.dp = self.y - self.y.mean(), self.p - self.p.mean()
        self.by_error = np.argsort(np.abs(self.error), kind="stable")
        self.ranks = [_Ranks(self.y), _Ranks(self.p)]
        self.positive = bool((y > 0).all())

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        n = weights.sum(axis=1)
        my, mp = weights @ self.dy / n, weights @ self.dp / n
        vy = np.maximum(weights @ self.dy**2 / n - my**2, 0.0)
        vp = np.maximum(weights @ self.dp**2 / n - mp**2, 0.0)
        covariance = weights @ (self.dy * self.dp) / n - my * mp
        mse = weights @ self.error**2 / n
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(vp > 1e-24, covariance / vp, np.nan)
            answer = {
                "mae": weights @ np.abs(self.error) / n,
                "rmse": np.sqrt(mse),
                "r2": np.where(vy > 0, 1 - mse / vy, np.nan),
                "spearman": self._spearman(weights, n),
                "pearson": np.where((vy > 0) & (vp > 0), covariance / np.sqrt(vy * vp), np.nan),
                "bias": weights @ self.error / n,
                "calibration_slope": slope,
                "calibration_intercept": self.y.mean() + my - slope * (self.p.mean() + mp),
                "medae": self._median_error(weights),
            }
        if self.positive:
            answer["within_20_percent"] = weights @ self.within() / n
        return {name: answer[name] for name in NAMES if name in answer}

    def within(self) -> np.ndarray:
        """Which predictions lie within a fifth of the truth (n,)."""
        close: np.ndarray = np.abs(self.error) <= 0.2 * self.y
        return close

    def _spearman(self, weights: np.ndarray, n: np.ndarray) -> np.ndarray:
        ry, rp = (ranks(weights) for ranks in self.ranks)
        middle = (n / 2)[:, None]
        ry, rp = ry - middle, rp - middle
        covariance = (weights * ry * rp).sum(axis=1)
        spread = np.sqrt((weights * ry**2).sum(axis=1) * (weights * rp**2).sum(axis=1))
        return np.where(spread > 0, covariance / spread, np.nan)

    def _median_error(self, weights: np.ndarray) -> np.ndarray:
        size = np.abs(self.error)[self.by_error]
        below = np.cumsum(weights[:, self.by_error], axis=1)
        half = below[:, -1:] / 2
        first = (below < half).sum(axis=1)
        second = np.minimum((below <= half).sum(axis=1), len(size) - 1)
        return (size[first] + size[second]) / 2


class _Ranks:
    """Weighted midranks, counted from 0, of one variable."""

    def __init__(self, x: np.ndarray) -> None:
        self.order = np.argsort(x, kind="stable")
        self.starts = np.flatnonzero(np.r_[True, np.diff(x[self.order]) > 0])
        codes = np.repeat(np.arange(len(self.starts)), np.diff(np.r_[self.starts, len(x)]))
        self.codes = np.empty(len(x), dtype=int)
        self.codes[self.order] = codes

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        tied = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        ranks: np.ndarray = (np.cumsum(tied, axis=1) - tied / 2)[:, self.codes]
        return ranks
