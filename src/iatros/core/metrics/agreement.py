"""How far predicted risks agree with observed ones, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from iatros.core.curves import expit, fit_logistic, join_points, logit, spline_basis, spline_knots

N_BINS = 10


class AgreementMetrics:
    """O/E, calibration slope and intercept, ECE and ICI of risks from weights of events and others (b, m).

    The m columns are the distinct predicted risks `p`, rising; `events` and `others` (m,) are how many patients
    had each. The regressions run on at most `max_points` points (neighbouring risks joined; None: all of
    them). `ece_noise` and `ici_noise` are the distances of a resample's bins and curve from those of the
    patients themselves: what chance alone adds to ECE and ICI.
    """

    def __init__(
        self, p: np.ndarray, events: np.ndarray, others: np.ndarray, *, max_points: int | None = None
    ) -> None:
        self.p = p
        rows = np.repeat(p, (events + others).astype(int))
        self.bins = bin_starts(p, rows)
        self.points, self.x = join_points(logit(p), max_points)
        basis = spline_basis(self.x, spline_knots(logit(rows)))
        self.basis = basis / np.maximum(np.abs(basis).max(axis=0), 1e-12)
        self.varies = len(self.x) > 1 and bool(self.x[-1] - self.x[0] > 1e-9)
        self.gaps = self._gaps(events[None], others[None])
        self.coefficients = np.zeros(self.basis.shape[1])
        joined = self._join(events[None]), self._join(others[None])
        self.coefficients = np.nan_to_num(self._curve(*joined)[0])
        self.curve = expit(self.basis @ self.coefficients)

    def __call__(self, events: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,)."""
        gaps = self._gaps(events, others)
        expected = (events + others) @ self.p
        answer = {
            "oe_ratio": np.where(expected > 0, events.sum(axis=1) / expected, np.nan),
            "ece": np.abs(gaps).sum(axis=1),
            "ece_noise": np.abs(gaps - self.gaps).sum(axis=1),
        }
        return answer | self._regressions(self._join(events), self._join(others))

    def _join(self, weights: np.ndarray) -> np.ndarray:
        if len(self.points) == len(self.p):
            return weights
        joined: np.ndarray = np.add.reduceat(weights, self.points, axis=1)
        return joined

    def _gaps(self, events: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Observed less expected events in each bin, over all patients, (b, bins)."""
        total = events + others
        gaps: np.ndarray = np.add.reduceat(events - total * self.p, self.bins, axis=1)
        return gaps / total.sum(axis=1, keepdims=True)

    def _curve(self, events: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Coefficients (b, terms) of the smooth calibration curve."""
        start = np.tile(self.coefficients, (len(events), 1))
        # The small ridge keeps the curve defined where the tails are separated.
        return fit_logistic(self.basis, events, others, start=start, ridge=1e-3)

    def _regressions(self, events: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
        ones = np.ones((len(self.x), 1))
        intercept = fit_logistic(ones, events, others, offset=self.x)[:, 0]
        if not self.varies:
            undefined = np.full(len(events), np.nan)
            names = ("calibration_slope", "ici", "ici_noise")
            return {"calibration_intercept": intercept} | dict.fromkeys(names, undefined)
        start = np.column_stack([np.nan_to_num(intercept), np.ones(len(events))])
        slope = fit_logistic(np.column_stack([ones, self.x]), events, others, start=start)[:, 1]
        curve = expit(self._curve(events, others) @ self.basis.T)
        share = events + others
        share = share / share.sum(axis=1, keepdims=True)
        return {
            "calibration_intercept": intercept,
            "calibration_slope": slope,
            "ici": (share * np.abs(curve - expit(self.x))).sum(axis=1),
            "ici_noise": (share * np.abs(curve - self.curve)).sum(axis=1),
        }


def bin_starts(distinct: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where each of ten bins of equally many `rows` begins among the rising `distinct` values; none is empty."""
    cuts = np.quantile(rows, np.arange(1, N_BINS) / N_BINS)
    return np.unique(np.r_[0, np.searchsorted(distinct, cuts, side="left")])
