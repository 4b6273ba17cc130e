"""Values of which only a bound is known, for models whose loss cannot be one-sided.

Such a value first enters as its bound. It is then predicted by fits on the other folds, and moved to the prediction
where that lies on the allowed side of the bound; the model is fitted once more on these values. That is one step of
Buckley and James (1979), who go on until nothing moves and impute the mean of the residuals beyond the bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FitPredict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Predictions for the second rows by a fit on the first rows and their values."""

_N_FOLDS = 5


def settle(
    y: np.ndarray, bound: np.ndarray, groups: np.ndarray, fit_predict: FitPredict, *, seed: int
) -> np.ndarray:
    """`y` (n,), complete, with each bound moved to what other folds predict, on its allowed side.

    `bound` (n,) is as in `Assay`; folds keep `groups` (n,) together. With a single group nothing can be predicted,
    and bounds stay where they are.
    """
    n_groups = len(np.unique(groups))
    if not bound.any() or n_groups < 2:
        return y
    from iatros.core.splits import folds

    fold = folds(groups=groups, n_folds=min(_N_FOLDS, n_groups), seed=seed)
    settled = y.copy()
    for index in np.unique(fold[bound != 0]):
        inside, outside = np.flatnonzero(fold != index), np.flatnonzero((fold == index) & (bound != 0))
        settled[outside] = beyond(fit_predict(inside, outside, y[inside]), y[outside], bound[outside])
    return settled


def beyond(prediction: np.ndarray, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """`prediction` where it lies on the allowed side of the bound `y`, else `y`; `y` where it is a value.

    >>> beyond(np.array([5.0, 5.0, 5.0]), np.array([4.0, 4.0, 4.0]), np.array([1, -1, 0])).tolist()
    [5.0, 4.0, 4.0]
    """
    return np.where(bound * (prediction - y) > 0.0, prediction, y)
