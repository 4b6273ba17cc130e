"""Random forest for classes and numbers, with feature selection where asked for."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.export import forest_to_onnx
from iatros.learners.tabular.estimators.params import Impute, ModelParams
from iatros.learners.tabular.estimators.pipeline import (
    Design,
    Fitted,
    derived_seed,
    encoding_options,
    fit_pipeline,
)
from iatros.learners.tabular.estimators.selection import select_columns
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, as_float32
from iatros.learners.tabular.table import Table
from iatros.learners.threads import fit_threads


class ForestParams(ModelParams):
    """Parameters of the random forest."""

    n_estimators: int = Field(default=500, ge=10, le=5000, description="trees")
    impute: Impute = Field(
        default="iterative",
        description="how missing values are filled: none (each split learns where they go), simple (median), "
        "iterative (chained equations), multiple (several chained draws, predictions averaged)",
    )
    min_samples_leaf: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="training rows in a leaf at least; where not given, 1 in 200 of the training rows, but 3 at "
        "least and 50 at most",
    )
    max_features: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of the features tried at each split; where not given, the square root of their "
        "number (classes) or a third (numbers)",
    )
    max_depth: int | None = Field(default=None, ge=1, le=64, description="splits from root to leaf at most")
    max_samples: int = Field(
        default=10_000,
        ge=50,
        le=1_000_000,
        description="rows drawn for each tree at most; bounds the size of the bundle",
    )
    feature_selection: Literal["none", "permutation", "boruta"] = Field(
        default="none", description="how columns are chosen before the forest is grown, on training rows only"
    )
    selection_resamples: int = Field(
        default=20,
        ge=10,
        le=500,
        description="resamples over which columns are chosen and their stability is counted",
    )


class Forest:
    """Random forest; a leaf answers with the shares of the classes, or the mean, of its training rows."""

    name: ClassVar[str] = "forest"
    Params: ClassVar[type[ForestParams]] = ForestParams
    interpolates: ClassVar[bool] = True

    def __init__(self, params: ForestParams | None = None) -> None:
        self.params = params or ForestParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted forest; notes: its size, and the selection of columns with its stability."""
        params = self.params
        groups = np.arange(len(y)) if groups is None else np.asarray(groups)
        notes: dict[str, Any] = {}
        if params.feature_selection != "none":
            selection = select_columns(
                table,
                y,
                target,
                groups=groups,
                seed=derived_seed(seed, 1),
                method=params.feature_selection,
                n_resamples=params.selection_resamples,
                encoding=encoding_options(params, categories="target", scale=False),
                impute=params.impute,
            )
            table = table.select(list(selection.columns))
            notes["selection"] = selection.document()
        fitted = fit_pipeline(
            params, fit_trees, table, y, target, groups=groups, seed=seed, categories="target", scale=False
        )
        return Fitted(fitted.predictor, notes | fitted.notes)

    @staticmethod
    def search_space(trial: Any, base: ForestParams) -> ForestParams:
        """Leaf size and features tried."""
        drawn = {
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 50, log=True),
            "max_features": trial.suggest_float("max_features", 0.05, 1.0, log=True),
        }
        return base.model_copy(update=drawn)


def fit_trees(design: Design, params: ForestParams) -> tuple[OnnxScorer, dict[str, Any]]:
    """The forest on one feature matrix, stored as ONNX, with its notes."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    continuous = design.target.task == "continuous"
    if not continuous and len(np.unique(design.y)) < 2:
        raise FitError(
            "the training rows have one class only", hint="use a larger or a stratified training side"
        )
    X = as_float32(design.X)
    leaf = params.min_samples_leaf or min(50, max(3, len(X) // 200))
    kind = RandomForestRegressor if continuous else RandomForestClassifier
    forest = kind(
        n_estimators=params.n_estimators,
        min_samples_leaf=leaf,
        max_features=params.max_features or (1 / 3 if continuous else "sqrt"),
        max_depth=params.max_depth,
        max_samples=params.max_samples if len(X) > params.max_samples else None,
        n_jobs=fit_threads(),
        random_state=design.seed,
    ).fit(X, design.y)
    trees = [tree.tree_ for tree in forest.estimators_]
    values = [_answers(tree, forest, design.target) for tree in trees]
    scorer = OnnxScorer(forest_to_onnx(trees, X.shape[1], values), normalise=not continuous)
    sample = X[:64]
    assert_equal(_expected(forest, sample, design.target), scorer.score(sample))
    leaves = sum(int((tree.children_left < 0).sum()) for tree in trees)
    size = {"n_trees": len(trees), "n_leaves": leaves, "min_samples_leaf": leaf, "n_features": X.shape[1]}
    return scorer, size


def _answers(tree: Any, forest: Any, target: Target) -> np.ndarray:
    """What each node of a tree would answer, (n_nodes, k); k = 1 but for several classes."""
    if target.task == "continuous":
        return np.asarray(tree.value[:, 0, :1])
    if target.task == "binary":
        return np.asarray(tree.value[:, 0, 1:2])
    full = np.zeros((tree.node_count, len(target.classes)))
    full[:, forest.classes_.astype(int)] = tree.value[:, 0, :]
    return full


def _expected(forest: Any, X: np.ndarray, target: Target) -> np.ndarray:
    """scikit-learn's own predictions, in the shapes of `core.task.Target`."""
    if target.task == "continuous":
        return np.asarray(forest.predict(X))
    full = np.zeros((len(X), len(target.classes)))
    full[:, forest.classes_.astype(int)] = forest.predict_proba(X)
    return full[:, 1] if target.task == "binary" else full
