"""Fits encoder, imputers and scorer on training rows, in that order, into one predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.encoding import fit_encode
from iatros.learners.tabular.estimators.params import ModelParams
from iatros.learners.tabular.imputation import fit_imputers
from iatros.learners.tabular.predictor import PipelinePredictor, Predictor
from iatros.learners.tabular.scorers import Link, Scorer
from iatros.learners.tabular.table import Table
from iatros.learners.threads import one_blas_thread


@dataclass
class Fitted:
    """What a fit gives: the predictor, and JSON-ready notes on what was chosen on the way."""

    predictor: Predictor
    notes: dict[str, Any] = field(default_factory=dict)


class Estimator(Protocol):
    """One model; `name`, `Params` and `interpolates` belong to the class."""

    name: ClassVar[str]
    Params: ClassVar[type[ModelParams]]
    interpolates: ClassVar[bool]
    """Whether training patients are (nearly) memorised: then Harrell's optimism is not to be trusted."""
    params: ModelParams

    def __init__(self, params: Any) -> None: ...

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """Learn from the rows of `table`, whose columns are all features; `groups` (n,) are the patients."""
        ...

    @staticmethod
    def search_space(trial: Any, base: Any) -> Any:
        """Parameters drawn by an Optuna trial, around `base`."""
        ...


@dataclass(frozen=True)
class Design:
    """What a scorer is fitted on.

    X (n, p) is float64 and complete unless imputation is "none"; `names` and `sources` (p) are the features
    and the columns they come from; `cardinalities` (p) the number of codes where the feature is a category's
    code, else 0; `groups` (n,) are the patients, for any inner split.
    """

    X: np.ndarray
    y: np.ndarray
    target: Target
    names: list[str]
    sources: list[str]
    cardinalities: list[int]
    groups: np.ndarray
    seed: int


FitScorer = Callable[[Design, Any], tuple[Scorer, dict[str, Any]]]
"""Fits one scorer with the model's parameters; returns it with its notes."""


def fit_pipeline(
    params: ModelParams,
    fit_scorer: FitScorer,
    table: Table,
    y: np.ndarray,
    target: Target,
    *,
    groups: np.ndarray | None,
    seed: int,
    categories: str,
    scale: bool,
) -> Fitted:
    """The predictor fitted on all rows of `table`; the notes are those of the first imputation's scorer.

    `categories` and `scale` are options of `fit_encode`; with impute "multiple" there is one scorer for each of
    the completed tables, and the predictor averages them.
    """
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    if len(y) == 0:
        raise FitError("there are no rows to learn from")
    encoding = encoding_options(params, categories=categories, scale=scale)
    with one_blas_thread():
        encoder, X = fit_encode(table, y=y, target=target, groups=groups, seed=seed, **encoding)
        if X.shape[1] == 0:
            raise FitError(
                "no feature is left to learn from", hint="name columns that vary and are not missing"
            )
        completed = fit_imputers(params.impute, X, n_imputations=params.n_imputations, seed=seed)
        scorers, notes = [], []
        for index, (_, filled) in enumerate(completed):
            design = Design(
                filled,
                y,
                target,
                encoder.names,
                encoder.sources,
                encoder.cardinalities,
                groups,
                derived_seed(seed, index),
            )
            scorer, note = fit_scorer(design, params)
            scorers.append(scorer)
            notes.append(note)
    imputers = tuple(imputer for imputer, _ in completed)
    extra = {"n_imputations": len(completed)} if len(completed) > 1 else {}
    return Fitted(PipelinePredictor(encoder, imputers, tuple(scorers)), {**notes[0], **extra})


def encoding_options(params: ModelParams, *, categories: str, scale: bool, **more: Any) -> dict[str, Any]:
    """The options of `fit_encode` for a model with `params`."""
    return {"categories": categories, "scale": scale, "indicator": params.indicators, **more}


def derived_seed(seed: int, *index: int) -> int:
    """A seed of its own for part `index` of what `seed` governs; below 2**31, as every library takes it."""
    return int(np.random.SeedSequence([seed, *index]).generate_state(1)[0] >> 1)


def link_of(target: Target) -> Link:
    """How the margins of a model with one margin per class (one for binary) become predictions."""
    links: dict[str, Link] = {"binary": "sigmoid", "multiclass": "softmax", "continuous": "identity"}
    return links[target.task]


def loss(target: Target, y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Loss of each row (n,): cross-entropy for classes, squared error for a continuous outcome."""
    if target.task == "continuous":
        return np.asarray((y - prediction) ** 2)
    if target.task == "binary":
        of_truth = np.where(y == 1, prediction, 1.0 - prediction)
    else:
        of_truth = prediction[np.arange(len(y)), y.astype(int)]
    return -np.log(np.clip(of_truth, 1e-15, 1.0))


def inner_folds(y: np.ndarray, target: Target, groups: np.ndarray, *, n_folds: int, seed: int) -> np.ndarray:
    """The fold (n,) of each row in a grouped, stratified inner split.

    There are fewer folds where a class has few patients; raises FitError where a class has a single patient.
    """
    from iatros.core.splits import folds

    most = len(np.unique(groups))
    if target.task != "continuous":
        most = min(len(np.unique(groups[y == label])) for label in np.unique(y))
    n_folds = min(n_folds, most)
    if n_folds < 2:
        raise FitError(
            "an inner split needs at least two patients of each class, got one",
            hint="merge rare classes, or collect more patients",
        )
    strata = None if target.task == "continuous" else y
    return np.asarray(folds(groups=groups, strata=strata, n_folds=n_folds, seed=seed))


def least_on_grid(grid: Sequence[float], total_loss: Callable[[float], float]) -> float:
    """The value of `grid` with the least loss; stops once two steps on end have made it worse."""
    losses: list[float] = []
    for value in grid:
        losses.append(total_loss(value))
        if len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break
    return grid[int(np.argmin(losses))]
