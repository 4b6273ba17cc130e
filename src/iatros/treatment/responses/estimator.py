"""What a model of responses is: something that learns from responses, and something that answers for pairs.

An estimator is a class with `name`, `outcomes`, `Params` (a frozen pydantic model) and `fit`. What it returns can be
stored in a bundle and answers with numpy, numba and onnxruntime alone.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from iatros.core.errors import BundleFormatError
from iatros.core.registry import Registry
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.responses.schema import Ask, Outcome, Responses

Newness = Literal["pairs", "subjects", "treatments", "time"]
"""What a prediction is for: unseen pairs of known names, subjects or treatments without a response, or later pairs."""


class ResponseParams(BaseModel):
    """The base of every model's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ResponsePredictor(Protocol):
    """A fitted model as it is stored and used."""

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,), finite; no answer depends on the other pairs.

        Continuous: the outcome in its own unit. Binary: the probability of 1. Implicit: a score, more is likelier. A
        subject or treatment of which nothing is known gets what is known of the other, and a pair of two such the mean.
        """
        ...

    def save(self) -> Saved:
        """A JSON-ready document with `kind`, and files, from which `load_predictor` gives an equal predictor."""
        ...


class ResponseEstimator(Protocol):
    """A model that can be trained. Nothing it does may depend on the number of threads or workers."""

    name: ClassVar[str]
    outcomes: ClassVar[tuple[Outcome, ...]]
    """The outcomes that it can learn."""
    Params: ClassVar[type[ResponseParams]]

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[ResponsePredictor, dict[str, Any]]:
        """The fitted predictor, and plain notes about the fit. `newness` says what the predictions will be for."""
        ...


PREDICTORS = Registry("predictor", group="iatros.treatment.predictors")


def load_predictor(document: dict[str, Any], read: Read) -> ResponsePredictor:
    """The predictor that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in PREDICTORS.names():
        raise BundleFormatError(
            f"the bundle holds a predictor of kind {kind!r}; known: {', '.join(PREDICTORS.names())}",
            hint="open it with the version of iatros that wrote it",
        )
    predictor: ResponsePredictor = PREDICTORS.load(str(kind)).load(document, read)
    return predictor


_HERE = "iatros.treatment.models"
PREDICTORS.add("means", f"{_HERE}.baseline:MeansPredictor", "means of treatments and subjects, shrunk")
PREDICTORS.add("knn", f"{_HERE}.knn:KnnPredictor", "similar subjects or treatments")
PREDICTORS.add(
    "factors", f"{_HERE}.factors:FactorPredictor", "offsets and factors of subjects and treatments"
)
PREDICTORS.add("kernel", f"{_HERE}.kernel:KernelPredictor", "kernels of subjects and treatments")
PREDICTORS.add("towers", f"{_HERE}.neural:TowerPredictor", "two towers of layers")
PREDICTORS.add("ensemble", f"{_HERE}.ensemble:EnsemblePredictor", "a weighted mean of other models")
