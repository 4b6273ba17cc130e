"""What a model of affinity is: something that learns from measured pairs, and something that answers for pairs.

An estimator is a class with `name`, `Params` (a frozen pydantic model) and `fit`. What it returns can be stored in a
bundle and answers with numpy, RDKit, numba and onnxruntime alone.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from iatros.core.errors import BundleFormatError
from iatros.core.registry import Registry
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.affinity.schema import Pairs

Newness = Literal["pairs", "leave-drug", "leave-target", "leave-both"]
"""What a prediction is for: pairs of known drugs and targets, a drug, a target or both that were never measured."""


class AffinityParams(BaseModel):
    """The base of every model's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AffinityPredictor(Protocol):
    """A fitted model as it is stored and used."""

    def predict(self, pairs: Pairs) -> np.ndarray:
        """The affinity of each pair (n,), finite; no answer depends on the other pairs."""
        ...

    def save(self) -> Saved:
        """A JSON-ready document with `kind`, and files, from which `load_predictor` gives an equal predictor."""
        ...


class AffinityEstimator(Protocol):
    """A model that can be trained. Nothing it does may depend on the number of threads or workers."""

    name: ClassVar[str]
    Params: ClassVar[type[AffinityParams]]

    def fit(
        self, pairs: Pairs, *, newness: Newness, groups: np.ndarray, seed: int
    ) -> tuple[AffinityPredictor, dict[str, Any]]:
        """The fitted predictor, and plain notes about the fit.

        `newness` says what the predictions will be for. `groups` (targets,) int64 names targets that are alike:
        where a model imitates a new target, it hides the whole group.
        """
        ...


PREDICTORS = Registry("predictor", group="iatros.molecules.affinity.predictors")


def load_predictor(document: dict[str, Any], read: Read) -> AffinityPredictor:
    """The predictor that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in PREDICTORS.names():
        raise BundleFormatError(
            f"the bundle holds a predictor of kind {kind!r}; known: {', '.join(PREDICTORS.names())}",
            hint="open it with the version of iatros that wrote it",
        )
    predictor: AffinityPredictor = PREDICTORS.load(str(kind)).load(document, read)
    return predictor


_HERE = "iatros.molecules.affinity.models"
PREDICTORS.add("kron-rls", f"{_HERE}.kron_rls:KronRlsPredictor", "kernels of drugs and targets")
PREDICTORS.add(
    "matrix-factorisation", f"{_HERE}.matrix_factorisation:FactorPredictor", "factors of drugs and targets"
)
PREDICTORS.add("dti-hybrid", f"{_HERE}.hybrid:HybridPredictor", "trees over what is known of a pair")
PREDICTORS.add("dti-cnn", f"{_HERE}.cnn:CnnPredictor", "two networks of letters and one of pairs")
