"""Missing features filled in, learned on training rows only; what is learned is a few arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from iatros.learners.threads import one_blas_thread

Kind = Literal["none", "simple", "iterative", "multiple"]

_FIT_ROWS = 10_000
"""Rows that one equation is fitted on at most; more change its coefficients by less than their own error."""

_PREDICTORS = 100
"""Features that one equation uses at most, those most correlated with it; in wide tables all would take hours."""

_ROUNDS = 20
"""Rounds of the equations for new patients: fixed, so that no patient's answer depends on another's."""

_LEAST_SHARE = 0.05
_LEAST_KNOWN = 10
"""A feature known in a smaller share, or in fewer rows, has no equation: its gaps stay at the mean."""

_TINY = 1e-12


@dataclass(frozen=True)
class Imputer:
    """Fills NaN in a feature matrix (n_rows, n_features); never changes a value that is there.

    Kinds: none (NaN stays), simple (the training median), chained (each feature by a linear equation in the
    others, started from the mean and repeated `rounds` times, held within the range seen in training).
    A feature that was never seen in training is filled with 0.
    """

    kind: str
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """A copy of X without NaN (kind none: with)."""
        X = np.array(X, dtype=float)
        missing = np.isnan(X)
        if self.kind == "none" or not missing.any():
            return X
        if self.kind == "simple":
            return np.where(missing, self.values["fill"], X)
        return self._chain(X, missing)

    def _chain(self, X: np.ndarray, missing: np.ndarray) -> np.ndarray:
        v = self.values
        rows = np.flatnonzero(missing.any(axis=1))
        gaps = missing[rows]
        Z = np.where(gaps, 0.0, (X[rows] - v["centre"]) / v["scale"])
        columns = [j for j in v["order"] if gaps[:, j].any()]
        for _ in range(int(v["rounds"][0])):
            for j in columns:
                at = gaps[:, j]
                Z[at, j] = np.clip(Z[at] @ v["weights"][j] + v["intercepts"][j], v["low"][j], v["high"][j])
        X[rows] = np.where(gaps, Z * v["scale"] + v["centre"], X[rows])
        return X

    def arrays(self) -> dict[str, np.ndarray]:
        """The learned numbers, by name."""
        return dict(self.values)

    @classmethod
    def load(cls, kind: str, arrays: dict[str, np.ndarray]) -> Imputer:
        """The imputer that `kind` and `arrays()` describe."""
        return cls(kind=kind, values=dict(arrays))


def fit_imputers(
    kind: Kind | str, X: np.ndarray, *, n_imputations: int = 5, n_rounds: int = 5, seed: int = 0
) -> list[tuple[Imputer, np.ndarray]]:
    """Imputers learned on X (n_rows, n_features; NaN = missing), each with X as it completed it.

    none, simple: one. iterative: one; chained equations with Bayesian ridge regression (van Buuren &
    Groothuis-Oudshoorn 2011; evidence maximisation of MacKay 1992), missing values replaced by conditional
    means, `n_rounds` times over. multiple: `n_imputations` chains whose coefficients are drawn from their
    posterior and whose training values carry residual noise (Rubin 1987), so that the spread over them
    shows what is not known; their `transform` gives conditional means. With nothing missing, multiple gives
    one.
    """
    X = np.asarray(X, dtype=float)
    if kind == "none":
        return [(Imputer("none"), X.copy())]
    if kind == "simple":
        return [_fit_simple(X)]
    if kind not in ("iterative", "multiple"):
        raise ValueError(f"unknown imputation {kind!r}: none, simple, iterative or multiple")
    with one_blas_thread():
        expected = _fit_chain(X, X, n_rounds, np.random.default_rng([seed, 0]), draw=False)
        if kind == "iterative" or not np.isnan(X).any():
            return [expected]
        # a chain that starts from the conditional means needs few rounds to forget its start
        return [
            _fit_chain(X, expected[1], n_rounds, np.random.default_rng([seed, 1 + index]), draw=True)
            for index in range(n_imputations)
        ]


def _fit_simple(X: np.ndarray) -> tuple[Imputer, np.ndarray]:
    fill = np.array([np.median(seen) if len(seen) else 0.0 for seen in _seen(X)])
    imputer = Imputer("simple", {"fill": fill})
    return imputer, imputer.transform(X)


def _seen(X: np.ndarray) -> list[np.ndarray]:
    return [column[~np.isnan(column)] for column in X.T]


def _fit_chain(
    X: np.ndarray, start: np.ndarray, n_rounds: int, rng: np.random.Generator, *, draw: bool
) -> tuple[Imputer, np.ndarray]:
    """One chain of equations; with `draw`, coefficients and completed values are drawn rather than expected.

    `start` is X, complete or not; its gaps begin at the mean.
    """
    missing = np.isnan(X)
    scale = _standards(X)
    Z = np.nan_to_num((start - scale["centre"]) / scale["scale"], nan=0.0)
    # features with the fewest gaps come first: they are the best predictors of the rest
    order = np.argsort(missing.sum(axis=0), kind="stable")
    known = (~missing).sum(axis=0) >= max(_LEAST_KNOWN, _LEAST_SHARE * len(X))
    gappy = [j for j in order if missing[:, j].any() and scale["varies"][j] and known[j]]
    weights = np.zeros((X.shape[1], X.shape[1]))
    intercepts = np.zeros(X.shape[1])
    predictors = _predictors(Z)
    for _ in range(n_rounds):
        for j in gappy:
            at, by = missing[:, j], predictors[j]
            weights[j], intercepts[j], posterior = _equation(Z, ~at, j, by, rng)
            guess = posterior.draw(Z[at][:, by], by == j, rng) if draw else Z[at] @ weights[j] + intercepts[j]
            Z[at, j] = np.clip(guess, scale["low"][j], scale["high"][j])
    whole = np.ones(len(X), dtype=bool)
    for j in order:
        # a feature without gaps in training can have one when a patient is predicted
        if scale["varies"][j] and not missing[:, j].any():
            weights[j], intercepts[j], _ = _equation(Z, whole, j, predictors[j], rng)
    values = {key: scale[key] for key in ("centre", "scale", "low", "high")}
    values |= {"weights": weights, "intercepts": intercepts, "order": order, "rounds": np.array([_ROUNDS])}
    return Imputer("chained", values), np.where(missing, Z * scale["scale"] + scale["centre"], X)


def _standards(X: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, spread and standardised range of what was seen; a feature never seen is held at 0."""
    seen = _seen(X)
    centre = np.array([column.mean() if len(column) else 0.0 for column in seen])
    spread = np.array([column.std() if len(column) else 0.0 for column in seen])
    varies = spread > _TINY * np.maximum(1.0, np.abs(centre))
    spread = np.where(varies, spread, 1.0)
    bounds = [(column.min(), column.max()) if len(column) else (0.0, 0.0) for column in seen]
    low, high = ((np.array(bound) - centre) / spread for bound in zip(*bounds, strict=True))
    return {"centre": centre, "scale": spread, "varies": varies, "low": low, "high": high}


@dataclass(frozen=True)
class _Posterior:
    """Normal posterior of one equation, in the eigenbasis of its predictors' Gram matrix."""

    mean: np.ndarray
    basis: np.ndarray
    deviations: np.ndarray
    noise: float
    centre: np.ndarray
    intercept: float
    intercept_deviation: float

    def draw(self, Z: np.ndarray, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The feature in the rows of its predictors Z under one draw of the coefficients, with residual noise.

        `own` marks the feature itself where it stands among its predictors.
        """
        coefficients = self.mean + self.basis @ (self.deviations * rng.standard_normal(len(self.mean)))
        # nothing was learned about a feature's weight on itself: its posterior is the wide prior
        coefficients[own] = 0.0
        level = self.intercept + self.intercept_deviation * rng.standard_normal()
        return (Z - self.centre) @ coefficients + level + self.noise * rng.standard_normal(len(Z))


def _predictors(Z: np.ndarray) -> list[np.ndarray]:
    """Which features the equation of each feature uses, in order: all of them, or the most correlated ones."""
    n_features = Z.shape[1]
    every = np.arange(n_features)
    if n_features - 1 <= _PREDICTORS:
        return [every] * n_features
    centred = Z - Z.mean(axis=0)
    spread = np.maximum(np.sqrt((centred**2).sum(axis=0)), _TINY)
    alike = np.abs(centred.T @ centred) / spread[:, None] / spread
    np.fill_diagonal(alike, -1.0)
    return [np.sort(np.argsort(-row, kind="stable")[:_PREDICTORS]) for row in alike]


def _equation(
    Z: np.ndarray, seen: np.ndarray, j: int, by: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float, _Posterior]:
    """Weights (0 for feature j itself), intercept and posterior of feature j given the features `by`."""
    rows = np.flatnonzero(seen)
    if len(rows) > _FIT_ROWS:
        rows = np.sort(rng.choice(rows, _FIT_ROWS, replace=False))
    outcome = Z[rows, j]
    A = Z[np.ix_(rows, by)]
    A[:, by == j] = 0.0
    centre, level = A.mean(axis=0), float(outcome.mean())
    A -= centre
    posterior = _bayesian_ridge(A, outcome - level, centre, level)
    weights = np.zeros(Z.shape[1])
    weights[by] = np.where(by == j, 0.0, posterior.mean)
    return weights, level - float(centre @ weights[by]), posterior


def _bayesian_ridge(A: np.ndarray, b: np.ndarray, centre: np.ndarray, level: float) -> _Posterior:
    """Ridge regression of centred b (n,) on centred A (n, p), penalty and noise by evidence (MacKay 1992)."""
    n = len(b)
    eigenvalues, basis = np.linalg.eigh(A.T @ A)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    projected = basis.T @ (A.T @ b)
    total = float(b @ b)
    noise_precision, weight_precision = 1.0 / max(total / n, _TINY), 1.0
    # features that add up exactly (one-hot levels) leave directions without data: never divide by their noise
    least = 1e-9 * max(float(eigenvalues[-1]), 1.0)
    for _ in range(30):
        ratio = max(weight_precision / noise_precision, least)
        rotated = projected / (eigenvalues + ratio)
        effective = float(np.sum(eigenvalues / (eigenvalues + ratio)))
        residual = max(total - 2 * float(rotated @ projected) + float(eigenvalues @ rotated**2), _TINY * n)
        new_weight = (effective + _TINY) / max(float(rotated @ rotated), _TINY)
        new_noise = max(n - effective, 1.0) / residual
        settled = abs(np.log(new_weight / weight_precision)) + abs(np.log(new_noise / noise_precision)) < 1e-4
        weight_precision, noise_precision = min(new_weight, 1e12), min(new_noise, 1e12)
        if settled:
            break
    ratio = max(weight_precision / noise_precision, least)
    return _Posterior(
        mean=basis @ (projected / (eigenvalues + ratio)),
        basis=basis,
        deviations=1.0 / np.sqrt(noise_precision * (eigenvalues + ratio)),
        noise=1.0 / float(np.sqrt(noise_precision)),
        centre=centre,
        intercept=level,
        intercept_deviation=1.0 / float(np.sqrt(noise_precision * n)),
    )
