"""Random forest over fingerprints, one for each endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Kind
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer
from iatros.learners.threads import fit_threads
from iatros.molecules.assay import Assay
from iatros.molecules.models.censored import settle
from iatros.molecules.models.featured import (
    FeaturedPredictor,
    FeatureParams,
    check_learnable,
    fit_inputs,
    outcome_scale,
    prepare,
)


class ForestParams(FeatureParams):
    """Parameters of the random forest."""

    features: tuple[Kind, ...] = Field(
        default=("morgan",),
        min_length=1,
        description="kinds of fingerprints and descriptors, side by side",
    )
    n_estimators: int = Field(
        default=100,
        ge=10,
        le=5000,
        description="trees of each endpoint; five fits that are averaged have five times as many",
    )
    min_samples_leaf: int = Field(default=1, ge=1, le=10_000, description="compounds in a leaf at least")
    max_features: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of the features tried at each split; where not given, the square root of their "
        "number (classes) or a third (numbers)",
    )
    max_samples: int = Field(
        default=10_000,
        ge=50,
        le=1_000_000,
        description="compounds drawn for each tree at most; bounds the size of the bundle",
    )


@dataclass(frozen=True)
class _Data:
    """What one endpoint was measured on: features (n, p), values, bounds and groups (n,)."""

    X: np.ndarray
    y: np.ndarray
    bound: np.ndarray
    groups: np.ndarray


class Forest:
    """Random forest; a leaf answers with the share of the second class, or the mean, of its compounds."""

    name: ClassVar[str] = "forest"
    Params: ClassVar[type[ForestParams]] = ForestParams

    def __init__(self, params: ForestParams | None = None) -> None:
        self.params = params or ForestParams()

    def prepare(self, compounds: Compounds) -> None:
        """Compute the features that `fit` needs."""
        prepare(compounds, self.params.fingerprints())

    def fit(self, assay: Assay, *, seed: int) -> tuple[FeaturedPredictor, dict[str, Any]]:
        """The forests, each of the compounds that were measured; notes: trees, leaves, features.

        Values known only as bounds are settled by `censored.settle`.
        """
        from iatros.learners.tabular.estimators.pipeline import derived_seed

        check_learnable(assay)
        inputs, X = fit_inputs(assay.compounds, self.params.fingerprints(), scale=False)
        centre, spread = outcome_scale(assay)
        Y = (assay.y - centre) / spread
        scorers, leaves = [], []
        for column in range(len(assay.endpoints)):
            rows = np.flatnonzero(assay.measured[:, column])
            data = _Data(X[rows], Y[rows, column], assay.bound[rows, column], assay.groups[rows])
            scorer, n_leaves = self._fit(data, assay.task == "continuous", derived_seed(seed, column))
            scorers.append(scorer)
            leaves.append(n_leaves)
        notes = {"n_trees": self.params.n_estimators, "n_leaves": leaves, "n_features": X.shape[1]}
        return FeaturedPredictor(inputs, tuple(scorers), centre, spread), notes

    def _fit(self, data: _Data, continuous: bool, seed: int) -> tuple[OnnxScorer, int]:
        """The forest of one endpoint as it is stored, and the number of its leaves."""
        from iatros.learners.export import forest_to_onnx

        y = data.y
        if continuous:
            y = settle(
                y,
                data.bound,
                data.groups,
                lambda inside, outside, known: self._grown(data.X[inside], known, continuous, seed).predict(
                    data.X[outside]
                ),
                seed=seed,
            )
        forest = self._grown(data.X, y, continuous, seed)
        trees = [tree.tree_ for tree in forest.estimators_]
        answers = [
            np.asarray(tree.value[:, 0, -1:]) for tree in trees
        ]  # the mean, or the second class's share
        scorer = OnnxScorer(forest_to_onnx(trees, data.X.shape[1], answers), normalise=not continuous)
        sample = data.X[:64]
        expected = forest.predict(sample) if continuous else forest.predict_proba(sample)[:, 1]
        assert_equal(np.asarray(expected), scorer.score(sample))
        return scorer, sum(int((tree.children_left < 0).sum()) for tree in trees)

    def _grown(self, X: np.ndarray, y: np.ndarray, continuous: bool, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        params = self.params
        kind = RandomForestRegressor if continuous else RandomForestClassifier
        return kind(
            n_estimators=params.n_estimators,
            min_samples_leaf=params.min_samples_leaf,
            max_features=params.max_features or (1 / 3 if continuous else "sqrt"),
            max_samples=params.max_samples if len(X) > params.max_samples else None,
            n_jobs=fit_threads(),
            random_state=seed,
        ).fit(X, y)
