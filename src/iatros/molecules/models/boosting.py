"""Gradient-boosted trees (LightGBM) over count fingerprints and descriptors, a booster for each endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Kind
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, sigmoid
from iatros.learners.threads import fit_threads
from iatros.molecules.assay import Assay
from iatros.molecules.models.censored import beyond
from iatros.molecules.models.featured import (
    FeaturedPredictor,
    FeatureParams,
    check_learnable,
    fit_inputs,
    outcome_scale,
    prepare,
)


class BoostingParams(FeatureParams):
    """Parameters of the boosted trees; the features are those of Notwell and Wood (2023)."""

    features: tuple[Kind, ...] = Field(
        default=("morgan-counts", "avalon-counts", "erg", "descriptors"),
        min_length=1,
        description="kinds of fingerprints and descriptors, side by side",
    )
    n_bits: int = Field(
        default=1024,
        ge=64,
        le=65536,
        multiple_of=64,
        description="length of each circular or Avalon fingerprint",
    )
    rounds: int = Field(default=800, ge=1, le=20_000, description="trees of each endpoint")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="share of each tree that is added")
    num_leaves: int = Field(default=8, ge=2, le=1024, description="leaves of a tree at most")
    min_child_samples: int = Field(default=5, ge=1, le=100_000, description="compounds in a leaf at least")
    reg_lambda: float = Field(default=1.0, ge=0, le=10_000, description="L2 penalty on the leaves")
    feature_fraction: float = Field(
        default=0.2, gt=0, le=1, description="share of the features drawn per tree"
    )
    bagging_fraction: float = Field(
        default=0.8, gt=0, le=1, description="share of the compounds drawn per round"
    )
    max_bin: int = Field(default=63, ge=2, le=255, description="steps that a feature is cut into at most")


class Boosting:
    """Boosted trees; a value known as a bound costs nothing where the prediction lies on its allowed side."""

    name: ClassVar[str] = "boosting"
    Params: ClassVar[type[BoostingParams]] = BoostingParams

    def __init__(self, params: BoostingParams | None = None) -> None:
        self.params = params or BoostingParams()

    def prepare(self, compounds: Compounds) -> None:
        """Compute the features that `fit` needs."""
        prepare(compounds, self.params.fingerprints())

    def fit(self, assay: Assay, *, seed: int) -> tuple[FeaturedPredictor, dict[str, Any]]:
        """The trees of each endpoint, of the compounds that were measured; notes: rounds, leaves, features."""
        from iatros.learners.tabular.estimators.pipeline import derived_seed

        check_learnable(assay)
        inputs, X = fit_inputs(assay.compounds, self.params.fingerprints(), scale=False)
        centre, spread = outcome_scale(assay)
        Y = (assay.y - centre) / spread
        scorers, leaves = [], []
        for column in range(len(assay.endpoints)):
            rows = np.flatnonzero(assay.measured[:, column])
            booster = self._trained(
                X[rows], Y[rows, column], assay.bound[rows, column], assay.task, derived_seed(seed, column)
            )
            scorers.append(_stored(booster, X[rows[:64]], binary=assay.task == "binary"))
            leaves.append(sum(tree["num_leaves"] for tree in booster.dump_model()["tree_info"]))
        notes = {"rounds": self.params.rounds, "n_leaves": leaves, "n_features": X.shape[1]}
        return FeaturedPredictor(inputs, tuple(scorers), centre, spread), notes

    def _trained(self, X: np.ndarray, y: np.ndarray, bound: np.ndarray, task: str, seed: int) -> Any:
        import lightgbm

        settings = _settings(self.params, task, seed)
        if task == "continuous" and bound.any():
            settings["objective"] = one_sided(bound)
        data = lightgbm.Dataset(X, y, params=settings)
        return lightgbm.train(settings, data, num_boost_round=self.params.rounds)


def one_sided(bound: np.ndarray) -> Callable[[np.ndarray, Any], tuple[np.ndarray, np.ndarray]]:
    """Half the squared error as LightGBM's objective, without error where a bound (n,) allows the prediction.

    The gradient is prediction - label, or 0 where the prediction lies on the allowed side of a bound; the curvature
    is 1 everywhere, so that a leaf of allowed predictions still has a weight.
    """

    def objective(prediction: np.ndarray, data: Any) -> tuple[np.ndarray, np.ndarray]:
        goal = beyond(prediction, np.asarray(data.get_label(), dtype=np.float64), bound)
        return prediction - goal, np.ones(len(prediction))

    return objective


def _settings(params: BoostingParams, task: str, seed: int) -> dict[str, Any]:
    """LightGBM's parameters; with these the trees do not depend on the number of threads.

    Half of the cores: the threads wait for one another busily, and one that finds its core taken slows all of them
    down many times.
    """
    return {
        "objective": "binary" if task == "binary" else "regression",
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_child_samples": params.min_child_samples,
        "reg_lambda": params.reg_lambda,
        "feature_fraction": params.feature_fraction,
        "bagging_fraction": params.bagging_fraction,
        "bagging_freq": 1,
        "max_bin": params.max_bin,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": max(1, fit_threads() // 2),
        "seed": seed,
        "verbosity": -1,
    }


def _stored(booster: Any, sample: np.ndarray, *, binary: bool) -> OnnxScorer:
    """The booster as ONNX, after asserting on `sample` that it answers alike."""
    from iatros.learners.export_lightgbm import lightgbm_to_onnx

    onnx = lightgbm_to_onnx([booster], sample.shape[1], link="sigmoid" if binary else "identity")
    scorer = OnnxScorer(onnx, normalise=binary)
    margin = np.asarray(booster.predict(sample, raw_score=True))
    assert_equal(sigmoid(margin) if binary else margin, scorer.score(sample))
    return scorer
