"""Which columns a forest needs, chosen on training rows only, and how stable the choice is over resamples.

Every resample draws patients with replacement, and learns from one row of each that was drawn. A column is a
*hit* in a resample

* permutation: if shuffling it (all its features together) raises the loss of the patients who were not drawn,
  by a one-sided paired test at 5 %. Chosen: hit in at least 60 % of the resamples.
* boruta: if the forest finds it more important than the best of the shuffled copies of all columns (Kursa &
  Rudnicki 2010). Chosen: hit more often than a coin would, one-sided binomial at 5 % over the number of
  columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.encoding import fit_encode
from iatros.learners.tabular.estimators.pipeline import derived_seed, loss
from iatros.learners.tabular.imputation import fit_imputers
from iatros.learners.tabular.scorers import as_float32
from iatros.learners.tabular.table import Table
from iatros.learners.threads import fit_threads, one_blas_thread

Method = Literal["permutation", "boruta"]

_SHARE = 0.6  # of the resamples, for permutation
_LEVEL = 0.05
_ROWS_IN, _ROWS_OUT = 5_000, 2_000  # per resample at most
_TREES = 100
_SHUFFLES = 3  # of each column, averaged
_LEAF = 3


@dataclass(frozen=True)
class Selection:
    """The chosen columns, in the table's order, and the share of resamples in which each column was a hit.

    `stability` (Nogueira, Sechidis & Brown 2018) is 1 where every resample chose alike and 0 where they agree
    as much as chance would. `fallback` is set where no column passed and the most frequent one was kept.
    """

    method: Method
    columns: tuple[str, ...]
    frequency: dict[str, float]
    stability: float
    n_resamples: int
    fallback: bool

    def document(self) -> dict[str, Any]:
        """The selection as plain values."""
        return {
            "method": self.method,
            "columns": list(self.columns),
            "n_columns": len(self.frequency),
            "frequency": dict(sorted(self.frequency.items(), key=lambda pair: (-pair[1], pair[0]))),
            "stability": self.stability,
            "n_resamples": self.n_resamples,
            "fallback": self.fallback,
        }


@dataclass(frozen=True)
class _Sample:
    """Features and outcome of the rows drawn, and of the rows of patients not drawn."""

    X: np.ndarray
    y: np.ndarray
    X_out: np.ndarray
    y_out: np.ndarray
    blocks: list[np.ndarray]
    target: Target
    seed: int


def select_columns(
    table: Table,
    y: np.ndarray,
    target: Target,
    *,
    groups: np.ndarray,
    seed: int,
    method: Method,
    n_resamples: int = 20,
    encoding: dict[str, Any],
    impute: str,
) -> Selection:
    """The columns of `table` that say something about `y`, and their stability; see the head of this file."""
    with one_blas_thread():
        encoder, raw = fit_encode(table, y=y, target=target, groups=groups, seed=seed, **encoding)
        single = "iterative" if impute == "multiple" else impute
        ((_, X),) = fit_imputers(single, raw, seed=seed)
        X = as_float32(X)
        columns = list(dict.fromkeys(encoder.sources))
        blocks = [np.flatnonzero(np.array(encoder.sources) == column) for column in columns]
        score: Callable[[_Sample], np.ndarray] = (
            _permutation_hits if method == "permutation" else _boruta_hits
        )
        hits = np.array(
            [
                score(_draw(X, y, target, groups, blocks, derived_seed(seed, 3, index)))
                for index in range(n_resamples)
            ]
        )
    frequency = hits.mean(axis=0)
    chosen = frequency >= _SHARE if method == "permutation" else _beyond_chance(hits)
    fallback = not chosen.any()
    if fallback:
        chosen[int(np.argmax(frequency))] = True
    return Selection(
        method=method,
        columns=tuple(column for column, keep in zip(columns, chosen, strict=True) if keep),
        frequency={column: float(share) for column, share in zip(columns, frequency, strict=True)},
        stability=stability(hits),
        n_resamples=n_resamples,
        fallback=fallback,
    )


def stability(hits: np.ndarray) -> float:
    """Agreement of the rows of `hits` (n_resamples, n_columns): Nogueira, Sechidis & Brown 2018.

    >>> round(stability(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]])), 3)
    0.55
    """
    n_resamples = len(hits)
    share = hits.mean(axis=0)
    variance = n_resamples / (n_resamples - 1) * share * (1.0 - share)
    mean = float(share.mean())
    if mean in (0.0, 1.0):
        return 1.0
    return float(1.0 - variance.mean() / (mean * (1.0 - mean)))


def _draw(
    X: np.ndarray, y: np.ndarray, target: Target, groups: np.ndarray, blocks: list[np.ndarray], seed: int
) -> _Sample:
    """One resample of patients; drawn again where a side has one class only."""
    from iatros.core.splits import bootstrap_rows

    for attempt in range(20):
        rows, out = bootstrap_rows(groups, derived_seed(seed, attempt))
        rng = np.random.default_rng(derived_seed(seed, attempt, 1))
        rows, out = _one_each(rows, groups, rng)[:_ROWS_IN], _one_each(out, groups, rng)[:_ROWS_OUT]
        if target.task == "continuous" or (len(np.unique(y[rows])) > 1 and len(np.unique(y[out])) > 1):
            return _Sample(X[rows], y[rows], X[out], y[out], blocks, target, derived_seed(seed, attempt, 2))
    raise FitError(
        "features cannot be selected: a class has too few patients to be drawn in every resample",
        hint="set feature_selection to none",
    )


def _one_each(rows: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the `rows` of each patient, in random order.

    Several rows of a patient, or one row twice, tie values to outcomes that go together anyhow: a column of
    noise would then beat its shuffled copy, in which those ties are broken.
    """
    mixed = rng.permutation(rows)
    _, first = np.unique(groups[mixed], return_index=True)
    return rng.permutation(mixed[first])


def _forest(sample: _Sample, X: np.ndarray) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if sample.target.task == "continuous" else RandomForestClassifier
    features = 1 / 3 if sample.target.task == "continuous" else "sqrt"
    forest = kind(
        _TREES, min_samples_leaf=_LEAF, max_features=features, n_jobs=fit_threads(), random_state=sample.seed
    )
    return forest.fit(X, sample.y)


def _predict(forest: Any, X: np.ndarray, target: Target) -> np.ndarray:
    """Predictions in the shapes of `core.task.Target`."""
    forest.set_params(n_jobs=1)  # sums over the trees in their order, whatever the machine
    if target.task == "continuous":
        return np.asarray(forest.predict(X))
    full = np.zeros((len(X), max(2, len(target.classes))))
    full[:, forest.classes_.astype(int)] = forest.predict_proba(X)
    return full[:, 1] if target.task == "binary" else full


def _permutation_hits(sample: _Sample) -> np.ndarray:
    """Whether shuffling each column raises the loss on rows that were not drawn, (n_columns,)."""
    rng = np.random.default_rng(sample.seed)
    forest = _forest(sample, sample.X)
    floor = 0.5 / _TREES  # a forest that is certain and wrong must not decide alone

    def losses(X: np.ndarray) -> np.ndarray:
        prediction = _predict(forest, X, sample.target)
        if sample.target.task != "continuous":
            prediction = np.clip(prediction, floor, 1.0 - floor)
        return loss(sample.target, sample.y_out, prediction)

    base = losses(sample.X_out)
    hits = np.zeros(len(sample.blocks), dtype=bool)
    for index, block in enumerate(sample.blocks):
        rises = []
        for _ in range(_SHUFFLES):
            shuffled = sample.X_out.copy()
            shuffled[:, block] = sample.X_out[rng.permutation(len(shuffled))][:, block]
            rises.append(losses(shuffled) - base)
        rise = np.mean(rises, axis=0)
        error = rise.std(ddof=1) / np.sqrt(len(rise))
        hits[index] = rise.mean() > 1.645 * error and rise.mean() > 0.0
    return hits


def _boruta_hits(sample: _Sample) -> np.ndarray:
    """Whether each column is more important to the forest than every shuffled copy, (n_columns,)."""
    rng = np.random.default_rng(sample.seed)
    shadows = np.concatenate(
        [sample.X[rng.permutation(len(sample.X))][:, block] for block in sample.blocks], axis=1
    )
    importance = _forest(sample, np.concatenate([sample.X, shadows], axis=1)).feature_importances_
    real = np.array([importance[block].sum() for block in sample.blocks])
    ends = np.cumsum([len(block) for block in sample.blocks])
    shadow = np.array([part.sum() for part in np.split(importance[sample.X.shape[1] :], ends[:-1])])
    return np.asarray(real > shadow.max())


def _beyond_chance(hits: np.ndarray) -> np.ndarray:
    """Columns hit more often than a fair coin, one-sided binomial test with Bonferroni's correction."""
    from scipy.stats import binom

    n_resamples, n_columns = hits.shape
    p_values = binom.sf(hits.sum(axis=0) - 1, n_resamples, 0.5)
    return np.asarray(p_values * n_columns < _LEVEL)
