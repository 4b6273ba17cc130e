"""Gradient-boosted trees (LightGBM), with outcome means of codes, early stopping by patient, and bags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.export_lightgbm import Lookup, lightgbm_to_onnx
from iatros.learners.tabular.estimators.outcome_means import (
    CodedColumns,
    OutcomeMeans,
    coded_columns,
    fit_expand,
    fit_means,
    outcome_matrix,
)
from iatros.learners.tabular.estimators.params import Impute, ModelParams
from iatros.learners.tabular.estimators.pipeline import (
    Design,
    Fitted,
    derived_seed,
    fit_pipeline,
    inner_folds,
    link_of,
)
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, apply_link, as_float32
from iatros.learners.tabular.table import Table
from iatros.learners.threads import fit_threads

_SMALL = 5000
"""Up to so many rows, all five inner folds vote on when to stop; above, the first one is enough."""

_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "continuous": "regression"}


class BoostingParams(ModelParams):
    """Parameters of the boosted trees."""

    impute: Impute = Field(
        default="none",
        description="how missing values are filled: none (each split learns where they go), simple, iterative "
        "or multiple",
    )
    n_estimators: int | None = Field(
        default=None, ge=1, le=20_000, description="rounds; where not given, chosen by early stopping"
    )
    max_rounds: int = Field(default=1500, ge=10, le=20_000, description="rounds that early stopping may try")
    patience: int = Field(
        default=40, ge=5, le=1000, description="rounds without a smaller loss after which it stops"
    )
    learning_rate: float = Field(default=0.04, gt=0, le=1, description="share of each tree that is added")
    num_leaves: int = Field(default=31, ge=2, le=1024, description="leaves of a tree at most")
    min_child_samples: int = Field(
        default=20, ge=1, le=100_000, description="training rows in a leaf at least; fewer below 400 rows"
    )
    reg_lambda: float = Field(default=10.0, ge=0, le=10_000, description="L2 penalty on the leaves")
    feature_fraction: float = Field(
        default=0.4, gt=0, le=1, description="share of the features drawn per tree"
    )
    bagging_fraction: float = Field(default=0.8, gt=0, le=1, description="share of the rows drawn per round")
    n_bags: int = Field(default=3, ge=1, le=100, description="models with different draws, margins averaged")
    outcome_means: bool | None = Field(
        default=None,
        description="add the mean outcome of each category of many, and of each integer of few; where not "
        "given, from 2000 training rows on",
    )


class Boosting:
    """Boosted trees; category codes are ordered by name, so that ICD or ATC chapters stand together."""

    name: ClassVar[str] = "boosting"
    Params: ClassVar[type[BoostingParams]] = BoostingParams
    interpolates: ClassVar[bool] = True

    def __init__(self, params: BoostingParams | None = None) -> None:
        self.params = params or BoostingParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted trees; notes: rounds, bags, trees, and the features that got outcome means."""
        return fit_pipeline(
            self.params,
            fit_boosting,
            table,
            y,
            target,
            groups=groups,
            seed=seed,
            categories="codes",
            scale=False,
        )

    @staticmethod
    def search_space(trial: Any, base: BoostingParams) -> BoostingParams:
        """Size, penalty and randomness of the trees; the number of rounds follows by early stopping."""
        drawn = {
            "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 200, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 100.0, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.1, 1.0),
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
        }
        return base.model_copy(update=drawn)


@dataclass(frozen=True)
class _Rows:
    """Training rows: X (n, p) without outcome means, labels, what the means average, patients."""

    X: np.ndarray
    y: np.ndarray
    outcome: np.ndarray
    groups: np.ndarray

    def take(self, mask: np.ndarray) -> _Rows:
        return _Rows(self.X[mask], self.y[mask], self.outcome[mask], self.groups[mask])


def fit_boosting(design: Design, params: BoostingParams) -> tuple[OnnxScorer, dict[str, Any]]:
    """The bags fitted on one feature matrix, stored as one ONNX graph, with their notes."""
    target = design.target
    if target.task != "continuous" and len(np.unique(design.y)) < 2:
        raise FitError(
            "the training rows have one class only", hint="use a larger or a stratified training side"
        )
    X = as_float32(design.X).astype(np.float64)
    rows = _Rows(X, design.y, outcome_matrix(design.y, target), design.groups)
    coded = _coded(X, design.cardinalities, params)
    settings = _settings(params, target, len(X))
    rounds = params.n_estimators or _choose_rounds(rows, coded, settings, design, params)
    means, expanded = _expand(rows, coded, derived_seed(design.seed, 1))
    boosters = [
        _train(expanded, rows.y, {**settings, "seed": derived_seed(design.seed, 2, bag)}, rounds)
        for bag in range(params.n_bags)
    ]
    link = link_of(target)
    lookup = None if means is None else Lookup(coded.columns, coded.lows, coded.sizes, means.table)
    onnx = lightgbm_to_onnx(boosters, X.shape[1], link=link, lookup=lookup)
    scorer = OnnxScorer(onnx, normalise=target.task != "continuous")
    sample = X[:64]
    expected = apply_link(link, _margin(boosters, sample if means is None else means.expand(sample)))
    assert_equal(expected, scorer.score(sample))
    return scorer, {
        "rounds": rounds,
        "n_bags": params.n_bags,
        "n_trees": sum(booster.num_trees() for booster in boosters),
        "outcome_means": [design.names[column] for column in coded.columns],
    }


def _coded(X: np.ndarray, cardinalities: list[int], params: BoostingParams) -> CodedColumns:
    wanted = len(X) >= 2000 if params.outcome_means is None else params.outcome_means
    if not wanted:
        return CodedColumns(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    return coded_columns(X, cardinalities, min_levels=20)


def _expand(rows: _Rows, coded: CodedColumns, seed: int) -> tuple[OutcomeMeans | None, np.ndarray]:
    if len(coded.columns) == 0:
        return None, rows.X
    return fit_expand(rows.X, rows.outcome, coded, groups=rows.groups, seed=seed)


def _settings(params: BoostingParams, target: Target, n: int) -> dict[str, Any]:
    """LightGBM's parameters; with these the trees do not depend on the number of threads.

    Half of the cores: the threads wait for one another busily, and one that finds its core taken slows all
    of them down many times.
    """
    settings = {
        "objective": _OBJECTIVES[target.task],
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_child_samples": max(1, min(params.min_child_samples, n // 20)),
        "reg_lambda": params.reg_lambda,
        "feature_fraction": params.feature_fraction,
        "bagging_fraction": params.bagging_fraction,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": max(1, fit_threads() // 2),
        "verbosity": -1,
    }
    return settings | ({"num_class": len(target.classes)} if target.task == "multiclass" else {})


def _choose_rounds(
    rows: _Rows, coded: CodedColumns, settings: dict[str, Any], design: Design, params: BoostingParams
) -> int:
    """Rounds with the smallest mean loss on inner folds of other patients, grown in step."""
    fold = inner_folds(design.y, design.target, design.groups, n_folds=5, seed=derived_seed(design.seed, 3))
    used = np.unique(fold) if len(fold) <= _SMALL else [0]
    boosters = [
        _watched(rows, fold == index, coded, {**settings, "seed": derived_seed(design.seed, 4, index)})
        for index in used
    ]
    best_loss, best_round = np.inf, 1
    for position in range(1, params.max_rounds + 1):
        total = 0.0
        for booster in boosters:
            booster.update()
            total += booster.eval_valid()[0][2]
        if total < best_loss:
            best_loss, best_round = total, position
        elif position - best_round >= params.patience:
            break
    return best_round


def _watched(rows: _Rows, tuning: np.ndarray, coded: CodedColumns, settings: dict[str, Any]) -> Any:
    """A booster on the rows outside `tuning`, which it is judged on; no outcome mean sees a tuning row."""
    import lightgbm

    inside, outside = rows.take(~tuning), rows.take(tuning)
    means, X = _expand(inside, coded, settings["seed"])
    judged = outside.X if means is None else fit_means(inside.X, inside.outcome, coded).expand(outside.X)
    data = lightgbm.Dataset(X, inside.y, params=settings)
    booster = lightgbm.Booster({**settings, "metric": _metric(settings)}, data)
    booster.add_valid(lightgbm.Dataset(judged, outside.y, reference=data, params=settings), "tuning")
    return booster


def _metric(settings: dict[str, Any]) -> str:
    return {"binary": "binary_logloss", "multiclass": "multi_logloss"}.get(settings["objective"], "l2")


def _train(X: np.ndarray, y: np.ndarray, settings: dict[str, Any], rounds: int) -> Any:
    import lightgbm

    return lightgbm.train(settings, lightgbm.Dataset(X, y, params=settings), num_boost_round=rounds)


def _margin(boosters: list[Any], X: np.ndarray) -> np.ndarray:
    """LightGBM's own mean margin, (n, k)."""
    margins = np.mean([booster.predict(X, raw_score=True) for booster in boosters], axis=0)
    return margins[:, None] if margins.ndim == 1 else margins
