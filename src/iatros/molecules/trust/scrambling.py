"""y-scrambling: does a model find more than it would find in outcomes that mean nothing?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.molecules.assay import Assay

FitPredict = Callable[[Assay, Assay, int], np.ndarray]
"""Learns from the first assay and predicts the compounds of the second (n, k); the seed makes it repeatable."""
Score = Callable[[Assay, np.ndarray], float]
"""How good predictions (n, k) of an assay are; higher is better."""


def scramble(
    assay: Assay, folds: np.ndarray, fit_predict: FitPredict, score: Score, *, n: int = 20, seed: int = 0
) -> dict[str, Any]:
    """The score of a cross-fitted model, and the same with outcomes permuted, `n` times.

    Each permutation exchanges what was measured (a bound with its value) between compounds of one fold that were
    measured, endpoint by endpoint; so every fold keeps its values and its gaps, and only their tie to the structures
    is lost. `p_value` is the share of scores that are at least as good as the real one, that one included (Phipson and
    Smyth 2010): at most `n` permutations show no less than 1 / (n + 1). A model that does as well on permuted outcomes
    learns from chance or from how it is judged.
    """
    folds = np.asarray(folds)
    if folds.shape != (len(assay),):
        raise InputError(f"a fold is needed for each of {len(assay)} compounds, got {folds.shape}")
    if len(np.unique(folds)) < 2:
        raise InputError("y-scrambling needs at least two folds")
    if n < 1:
        raise InputError(f"at least one permutation is needed, got {n}")
    real = _cross_fitted(assay, folds, fit_predict, score, seed)
    permuted = [
        _cross_fitted(
            _permuted(assay, folds, np.random.default_rng((seed, turn))), folds, fit_predict, score, seed
        )
        for turn in range(1, n + 1)
    ]
    mean, spread = float(np.mean(permuted)), float(np.std(permuted, ddof=1)) if n > 1 else None
    return {
        "score": real,
        "permuted": permuted,
        "mean_permuted": mean,
        "best_permuted": float(np.max(permuted)),
        "standard_deviations_above": (real - mean) / spread if spread else None,
        "p_value": (1 + sum(one >= real for one in permuted)) / (n + 1),
        "n": n,
    }


def _permuted(assay: Assay, folds: np.ndarray, rng: np.random.Generator) -> Assay:
    y, bound = assay.y.copy(), assay.bound.copy()
    for column in range(y.shape[1]):
        for fold in np.unique(folds):
            rows = np.flatnonzero((folds == fold) & assay.measured[:, column])
            drawn = rng.permutation(rows)
            y[rows, column], bound[rows, column] = assay.y[drawn, column], assay.bound[drawn, column]
    return replace(assay, y=y, bound=bound)


def _cross_fitted(assay: Assay, folds: np.ndarray, fit_predict: FitPredict, score: Score, seed: int) -> float:
    prediction = np.empty(assay.y.shape)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        prediction[outside] = fit_predict(assay.take(inside), assay.take(outside), seed)
    return score(assay, prediction)
