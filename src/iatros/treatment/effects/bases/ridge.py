"""Ridge regression, linear or logistic, whose penalty and design are chosen by the error of left-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.learners.threads import one_blas_thread

_PENALTIES = 10.0 ** np.arange(-4.0, 2.1, 0.5)
"""As shares of the number of rows, on standardised features."""

_MAX_PRODUCTS = 400
"""Squares and products are offered where they are no more than this and no more than the rows."""


@dataclass(frozen=True)
class RidgeSurface:
    """A linear predictor on standardised features and their `pairs` (q, 2) of products; logistic where `binary`."""

    centre: np.ndarray
    scale: np.ndarray
    pairs: np.ndarray
    coefficients: np.ndarray
    intercept: float
    binary: bool

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The expected outcome (n,)."""
        margin = self.intercept + _expand(X, self.pairs, self.centre, self.scale) @ self.coefficients
        return np.asarray(_sigmoid(margin) if self.binary else margin)


def fit(
    X: np.ndarray, y: np.ndarray, *, weight: np.ndarray, binary: bool = False, seed: int = 0
) -> RidgeSurface:
    """The surface with the least error over rows left out one at a time.

    Linear: the exact error of leaving out (Allen's PRESS). Logistic: its approximation at the converged fit
    (Rad and Maleki 2020). Offered are the features themselves, and the features with their squares and products.
    `seed` changes nothing.
    """
    del seed
    used = weight > 0
    X, y, weight = X[used], y[used], weight[used] / weight[used].mean()
    with one_blas_thread():
        best: tuple[float, RidgeSurface] | None = None
        for pairs in _designs(X):
            found = _logistic(X, y, weight, pairs) if binary else _linear(X, y, weight, pairs)
            # the larger design must be better by more than rounding
            if best is None or found[0] < best[0] * (1 - 1e-9):
                best = found
    assert best is not None
    return best[1]


def _designs(X: np.ndarray) -> list[np.ndarray]:
    linear = np.zeros((0, 2), dtype=np.int64)
    p = X.shape[1]
    squared = [np.unique(X[:, j]).size > 2 for j in range(p)]
    pairs = np.array([(i, j) for i in range(p) for j in range(i, p) if i != j or squared[i]], dtype=np.int64)
    return [linear, pairs] if 0 < len(pairs) <= min(_MAX_PRODUCTS, len(X)) else [linear]


def _expand(X: np.ndarray, pairs: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardised features, and the standardised products of standardised features."""
    p = X.shape[1]
    Z = (X - centre[:p]) / scale[:p]
    if not len(pairs):
        return np.asarray(Z)
    products = Z[:, pairs[:, 0]] * Z[:, pairs[:, 1]]
    return np.hstack([Z, (products - centre[p:]) / scale[p:]])


def _standards(X: np.ndarray, pairs: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre, scale = _moments(X, weight)
    if len(pairs):
        Z = (X - centre) / scale
        more = _moments(Z[:, pairs[:, 0]] * Z[:, pairs[:, 1]], weight)
        centre, scale = np.concatenate([centre, more[0]]), np.concatenate([scale, more[1]])
    return centre, scale


def _moments(X: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = weight @ X / weight.sum()
    spread = np.sqrt(weight @ (X - centre) ** 2 / weight.sum())
    return centre, np.where(spread > 1e-9 * np.maximum(1.0, np.abs(centre)), spread, 1.0)


def _linear(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray, pairs: np.ndarray
) -> tuple[float, RidgeSurface]:
    centre, scale = _standards(X, pairs, weight)
    Z = _expand(X, pairs, centre, scale)
    root, level = np.sqrt(weight), float(weight @ y / weight.sum())
    U, s, Vt = np.linalg.svd(Z * root[:, None], full_matrices=False)
    target = (y - level) * root
    projected, leverage = U.T @ target, U**2
    losses = []
    for penalty in _PENALTIES:
        kept = s**2 / (s**2 + penalty * len(y))
        held = np.minimum(weight / weight.sum() + leverage @ kept, 1 - 1e-9)
        losses.append(float(np.mean(((target - U @ (kept * projected)) / (1 - held)) ** 2)))
    best = int(np.argmin(losses))
    coefficients = Vt.T @ (s / (s**2 + _PENALTIES[best] * len(y)) * projected)
    return losses[best], RidgeSurface(centre, scale, pairs, coefficients, level, False)


def _logistic(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray, pairs: np.ndarray
) -> tuple[float, RidgeSurface]:
    centre, scale = _standards(X, pairs, weight)
    Z = np.hstack([_expand(X, pairs, centre, scale), np.ones((len(y), 1))])
    share = float(np.clip(weight @ y / weight.sum(), 0.5 / len(y), 1 - 0.5 / len(y)))
    beta = np.zeros(Z.shape[1])
    beta[-1] = np.log(share / (1 - share))
    best: tuple[float, np.ndarray] = (np.inf, beta)
    if y.min() < y.max():
        for penalty in _PENALTIES[::-1]:
            beta, loss = _logistic_step(Z, y, weight, penalty * len(y), beta)
            if loss > best[0] * 1.02:
                break
            best = min(best, (loss, beta), key=lambda found: found[0])
    loss, beta = best
    return loss, RidgeSurface(centre, scale, pairs, beta[:-1], float(beta[-1]), True)


def _logistic_step(
    Z: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float, beta: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients under one penalty (the last, the intercept, is free), and the deviance of left-out rows."""
    # the variance of a probability is at most a quarter: the penalty is on the scale of the linear fit's
    ridge = np.full(Z.shape[1], penalty / 4)
    ridge[-1] = 1e-8
    inverse = np.eye(Z.shape[1])
    for _ in range(30):
        p = _sigmoid(Z @ beta)
        spread = np.maximum(weight * p * (1 - p), 1e-10)
        inverse = np.linalg.inv((Z * spread[:, None]).T @ Z + np.diag(ridge))
        step = inverse @ (Z.T @ (weight * (y - p)) - ridge * beta)
        beta = beta + np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < 1e-7:
            break
    p = _sigmoid(Z @ beta)
    spread = np.maximum(weight * p * (1 - p), 1e-10)
    held = np.minimum(spread * ((Z @ inverse) * Z).sum(axis=1), 1 - 1e-6)
    margin = Z @ beta - held / (1 - held) * weight * (y - p) / spread
    deviance = weight * np.logaddexp(0.0, np.where(y == 1, -margin, margin))
    return beta, float(deviance.mean())


def _sigmoid(margin: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -35.0, 35.0))))
