"""A Gaussian process whose kernel is a linear part, a smooth part with a length for each feature, and a constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import LimitError
from iatros.learners.threads import one_blas_thread

MOST_ROWS = 5000
_STEPS = 60
_JITTER = 1e-6
_SPREAD_OF_LENGTHS = 2.0
"""Standard deviation of the prior of each log inverse squared length: wide, so that features can drop out."""

_CENTRE = np.array([0.0, 0.0, -1.0, 0.0])
_SPREAD = 2.0
"""Prior of the log amplitudes: smooth part, linear part, noise, constant; on a standardised outcome."""


@dataclass(frozen=True)
class GaussianProcess:
    """The posterior; `theta` are log amplitudes and log inverse squared lengths, `Z` (n, p) standardised rows."""

    centre: np.ndarray
    scale: np.ndarray
    level: float
    spread: float
    theta: np.ndarray
    Z: np.ndarray
    weights: np.ndarray
    factor: np.ndarray
    low: float
    high: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The posterior mean (n,), a probability held within 0 and 1."""
        K = _kernel((X - self.centre) / self.scale, self.Z, self.theta)
        return np.asarray(np.clip(self.level + self.spread * (K @ self.weights), self.low, self.high))

    def deviation(self, X: np.ndarray) -> np.ndarray:
        """The posterior standard deviation of the mean outcome (n,), noise left out."""
        from scipy.linalg import solve_triangular

        Q = (X - self.centre) / self.scale
        K = _kernel(Q, self.Z, self.theta)
        amplitude = np.exp(2 * self.theta[:4])
        own = amplitude[0] + amplitude[1] * (Q**2).mean(axis=1) + amplitude[3]
        explained = (solve_triangular(self.factor, K.T, lower=True) ** 2).sum(axis=0)
        return np.asarray(self.spread * np.sqrt(np.maximum(own - explained, 0.0)))


def fit(
    X: np.ndarray, y: np.ndarray, *, weight: np.ndarray, binary: bool = False, seed: int = 0
) -> GaussianProcess:
    """The process with the greatest marginal likelihood times prior of its amplitudes and lengths (Neal 1996).

    A weight divides the noise variance of its row. Outcomes of 0 and 1 are treated as numbers. `seed` changes nothing.
    LimitError beyond MOST_ROWS rows: time grows with their cube.
    """
    from scipy.optimize import minimize

    del seed
    used = weight > 0
    X, y, weight = X[used], y[used], weight[used] / weight[used].mean()
    n, p = X.shape
    if n > MOST_ROWS:
        raise LimitError(
            f"a Gaussian process of {n} subjects, at most {MOST_ROWS}", hint="choose another base"
        )
    centre, scale, level, spread = X.mean(axis=0), X.std(axis=0), float(y.mean()), float(y.std())
    scale = np.where(scale > 1e-9, scale, 1.0)
    spread = spread if spread > 0 else 1.0
    Z, t = (X - centre) / scale, (y - level) / spread
    prior = np.concatenate([_CENTRE, np.full(p, np.log(0.3 / p))])
    width = np.concatenate([np.full(4, _SPREAD), np.full(p, _SPREAD_OF_LENGTHS)])
    with one_blas_thread():
        found = minimize(
            _objective, prior, args=(Z, t, weight, prior, width), jac=True, method="L-BFGS-B",
            bounds=[(-6.0, 4.0)] * 4 + [(-16.0, 3.0)] * p, options={"maxiter": _STEPS},
        )  # fmt: skip
        K = _kernel(Z, Z, found.x)
        K.flat[:: n + 1] += np.exp(2 * found.x[2]) / weight + _JITTER
        factor = np.linalg.cholesky(K)
        alpha = np.linalg.solve(factor.T, np.linalg.solve(factor, t))
    low, high = (0.0, 1.0) if binary else (-np.inf, np.inf)
    return GaussianProcess(centre, scale, level, spread, found.x, Z, alpha, factor, low, high)


def _kernel(A: np.ndarray, B: np.ndarray, theta: np.ndarray) -> np.ndarray:
    amplitude = np.exp(2 * theta[:4])
    linear = A @ B.T / A.shape[1]
    return np.asarray(_smooth(A, B, theta) + amplitude[1] * linear + amplitude[3])


def _smooth(A: np.ndarray, B: np.ndarray, theta: np.ndarray) -> np.ndarray:
    root = np.exp(0.5 * theta[4:])
    A, B = A * root, B * root
    squared = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T
    return np.asarray(np.exp(2 * theta[0] - 0.5 * np.maximum(squared, 0.0)))


def _objective(
    theta: np.ndarray, Z: np.ndarray, t: np.ndarray, weight: np.ndarray, prior: np.ndarray, width: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minus log marginal likelihood and log prior, with the gradient in theta."""
    from scipy.linalg import cho_solve, lapack

    n, p = Z.shape
    amplitude = np.exp(2 * theta[:4])
    smooth, linear = _smooth(Z, Z, theta), amplitude[1] * (Z @ Z.T) / p
    K = smooth + linear + amplitude[3]
    K.flat[:: n + 1] += amplitude[2] / weight + _JITTER
    factor, failed = lapack.dpotrf(K, lower=1)
    if failed:
        return 1e10, np.zeros_like(theta)
    alpha = cho_solve((factor, True), t)
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    W = inverse - np.outer(alpha, alpha)
    of_smooth = W * smooth
    gradient = np.empty_like(theta)
    gradient[0] = of_smooth.sum()
    gradient[1] = (W * linear).sum()
    gradient[2] = (np.diag(W) / weight).sum() * amplitude[2]
    gradient[3] = W.sum() * amplitude[3]
    # sum over pairs of W K (z_i - z_j)^2, without an n x n array for each feature
    pairs = 2 * of_smooth.sum(axis=1) @ Z**2 - 2 * (Z * (of_smooth @ Z)).sum(axis=0)
    gradient[4:] = -0.25 * np.exp(theta[4:]) * pairs
    away = (theta - prior) / width
    value = 0.5 * float(t @ alpha) + float(np.log(np.diag(factor)).sum()) + 0.5 * float(away @ away)
    return value, gradient + away / width
