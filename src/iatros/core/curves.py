"""Small regressions of an outcome on a prediction, fitted for many weightings of the rows at once.

Only numpy is needed, so that what predicts can import it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PROBABILITY_FLOOR = 1e-6
"""Probabilities nearer than this to 0 or 1 count as this far away wherever a logit is taken."""

_MAX_ITERATIONS = 40
_TOLERANCE = 1e-8
_KNOT_QUANTILES = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}


def logit(p: np.ndarray) -> np.ndarray:
    """Log-odds of probabilities, finite at 0 and 1 (see PROBABILITY_FLOOR)."""
    clipped = np.clip(p, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.log(clipped) - np.log1p(-clipped)


def expit(x: np.ndarray) -> np.ndarray:
    """Probability of log-odds `x`."""
    return 1.0 / (1.0 + np.exp(-np.clip(x, -500.0, 500.0)))


def softmax(x: np.ndarray) -> np.ndarray:
    """Rows of `x` (n, k) as probabilities that sum to one."""
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def fit_logistic(
    design: np.ndarray,
    events: np.ndarray,
    non_events: np.ndarray,
    *,
    offset: np.ndarray | None = None,
    start: np.ndarray | None = None,
    ridge: float = 0.0,
) -> np.ndarray:
    """Maximum-likelihood coefficients (b, p) of b logistic regressions on the same `design` (m, p).

    `events` and `non_events` (b, m) are the weights of the two outcomes at each design row, so ties
    and resampling weights cost nothing. Rows of the answer are nan where the likelihood has no
    maximum: one outcome only, or separation. `ridge` penalises all columns but the first.
    """
    size = design.shape[1]
    answer = np.full((len(events), size), np.nan)
    begin = np.zeros((len(events), size)) if start is None else np.array(start, dtype=float)
    both = (events.sum(axis=1) > 0) & (non_events.sum(axis=1) > 0)
    rows = np.flatnonzero(both)
    penalty = np.full(size, ridge)
    penalty[0] = 0.0
    shift = np.zeros(len(design)) if offset is None else offset
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    problem = _Logistic(design, products, shift, penalty, events[rows], non_events[rows])
    beta = begin[rows]
    for _ in range(_MAX_ITERATIONS):
        if not len(rows):
            break
        step = problem.step(beta)
        beta = problem.ascend(beta, step)
        done = np.abs(step).max(axis=1) < _TOLERANCE * (1 + np.abs(beta).max(axis=1))
        answer[rows[done]] = beta[done]
        if done.any():
            rows, beta, problem = rows[~done], beta[~done], problem.take(~done)
    return answer


@dataclass(frozen=True)
class _Logistic:
    """b logistic likelihoods on one design, each with its own weights (b, m)."""

    design: np.ndarray
    products: np.ndarray
    shift: np.ndarray
    penalty: np.ndarray
    events: np.ndarray
    others: np.ndarray

    def take(self, rows: np.ndarray) -> _Logistic:
        return replace(self, events=self.events[rows], others=self.others[rows])

    def likelihood(self, beta: np.ndarray) -> np.ndarray:
        eta = beta @ self.design.T + self.shift
        # log(1 + exp(-|eta|)): twice as fast as logaddexp, and as exact.
        softplus = np.log(1 + np.exp(-np.abs(eta)))
        value: np.ndarray = -(self.events * (np.maximum(-eta, 0) + softplus)).sum(axis=1)
        value -= (self.others * (np.maximum(eta, 0) + softplus)).sum(axis=1)
        return value - 0.5 * (self.penalty * beta**2).sum(axis=1)

    def step(self, beta: np.ndarray) -> np.ndarray:
        """Newton's step, cut to a length that cannot overflow."""
        size = beta.shape[1]
        total = self.events + self.others
        mean = expit(beta @ self.design.T + self.shift)
        gradient = (self.events - total * mean) @ self.design - self.penalty * beta
        matrix = ((total * mean * (1 - mean)) @ self.products).reshape(-1, size, size) + np.diag(self.penalty)
        # The jitter only keeps the solve defined; at the maximum the gradient is zero, so it moves nothing.
        jitter = 1e-12 * np.trace(matrix, axis1=1, axis2=2) + 1e-300
        step = np.linalg.solve(matrix + jitter[:, None, None] * np.eye(size), gradient[:, :, None])[:, :, 0]
        step = np.nan_to_num(step, posinf=0.0, neginf=0.0)
        return step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True) / 100.0)

    def ascend(self, beta: np.ndarray, step: np.ndarray) -> np.ndarray:
        """`beta` plus the step, halved where and for as long as the likelihood would fall."""
        before = self.likelihood(beta)
        scale = np.ones(len(beta))
        rows = np.arange(len(beta))
        for _ in range(20):
            after = self.take(rows).likelihood(beta[rows] + scale[rows, None] * step[rows])
            rows = rows[~(after >= before[rows] - 1e-9 * (1 + np.abs(before[rows])))]
            if not len(rows):
                break
            scale[rows] /= 2
        return beta + scale[:, None] * step


def fit_linear(design: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least-squares coefficients (b, p) of `y` (n,) on `design` (n, p) for `weights` (b, n)."""
    size = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    matrix = (weights @ products).reshape(-1, size, size)
    jitter = 1e-12 * np.trace(matrix, axis1=1, axis2=2) + 1e-300
    right = weights @ (design * y[:, None])
    solved: np.ndarray = np.linalg.solve(matrix + jitter[:, None, None] * np.eye(size), right[:, :, None])
    return solved[:, :, 0]


def spline_knots(x: np.ndarray, *, n_knots: int = 4) -> np.ndarray:
    """Distinct knots at Harrell's quantiles of `x`; empty where `x` has too few distinct values."""
    distinct = len(np.unique(x))
    for count in range(min(n_knots, distinct - 1), 2, -1):
        knots = np.unique(np.quantile(x, _KNOT_QUANTILES[count]))
        if len(knots) == count and np.min(np.diff(knots)) > 1e-6 * (knots[-1] - knots[0]):
            return knots
    return np.empty(0)


def spline_basis(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Design (n, n_knots) of a restricted cubic spline: constant, `x`, and cubic terms, linear in the tails.

    Harrell, Regression Modeling Strategies, 2nd edition, equation 2.25 (terms divided by the squared
    span of the knots). Without knots it is a straight line.
    """
    columns = [np.ones_like(x), x]
    if len(knots) >= 3:
        last, before = knots[-1], knots[-2]
        span = (last - knots[0]) ** 2
        for knot in knots[:-2]:
            term = _cube(x - knot)
            term = term - _cube(x - before) * (last - knot) / (last - before)
            term = term + _cube(x - last) * (before - knot) / (last - before)
            columns.append(term / span)
    return np.column_stack(columns)


def join_points(x: np.ndarray, max_points: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Starts of at most `max_points` runs of neighbours in rising `x` (n,), and the mean of each run."""
    starts = np.arange(len(x))
    if max_points is not None and len(x) > max_points:
        starts = np.unique(np.linspace(0, len(x), max_points, endpoint=False).astype(int))
    return starts, np.add.reduceat(x, starts) / np.diff(np.r_[starts, len(x)])


def _cube(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) ** 3
