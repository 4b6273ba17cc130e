"""What a model of the next medications is: something that learns from visits, and something that answers for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from iatros.core.errors import BundleFormatError
from iatros.core.registry import Registry
from iatros.core.request import Request, request_error
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.sequences.vocabulary import Encoded

_HERE = "iatros.treatment.sequences.models"
MODELS = Registry("sequence model", group="iatros.treatment.sequence_models")
MODELS.add("gru", f"{_HERE}.networks:Gru", "gated recurrent units over the visits", extra="treatment")
MODELS.add("cnn", f"{_HERE}.networks:Cnn", "convolutions over the visits", extra="treatment")
MODELS.add("logistic", f"{_HERE}.logistic:Logistic", "logistic regression on the codes, now and ever before")
MODELS.add("previous", f"{_HERE}.repeating:Previous", "the medications of the visit before, again")
MODELS.add("frequency", f"{_HERE}.repeating:Frequency", "the medications that are given most often")

BASELINES = ("previous", "frequency", "logistic")
"""What every model is judged beside, on the same visits."""


class SequenceParams(BaseModel):
    """The base of every model's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Learning:
    """Visits in places of the vocabulary, those to learn from and those that only tune; sides share no subject.

    `interactions` is bool (medications, medications), or None without a table.
    """

    encoded: Encoded
    train: np.ndarray
    tuning: np.ndarray
    interactions: np.ndarray | None = None


class SequencePredictor(Protocol):
    """A fitted model as it is stored and used, with numpy alone."""

    @property
    def threshold(self) -> float:
        """The probability from which a medication is in the predicted set, chosen on the tuning side."""
        ...

    def each(self, encoded: Encoded, rows: np.ndarray) -> np.ndarray:
        """The probability that each member gives each medication in the visits at `rows`, (members, n, medications)."""
        ...

    def save(self) -> Saved:
        """A JSON-ready document with `kind`, and files, from which `load_predictor` gives an equal predictor."""
        ...


class SequenceEstimator(Protocol):
    """A model that can be trained. Nothing it does may depend on the number of threads."""

    name: ClassVar[str]
    Params: ClassVar[type[SequenceParams]]

    def fit(self, learning: Learning, *, seed: int) -> tuple[SequencePredictor, dict[str, Any]]:
        """The fitted predictor, and plain notes about the fit."""
        ...


PREDICTORS = Registry("sequence predictor", group="iatros.treatment.sequence_predictors")
PREDICTORS.add("network", f"{_HERE}.networks:NetworkPredictor", "an ensemble of networks over visits")
PREDICTORS.add("logistic", f"{_HERE}.logistic:LogisticPredictor", "logistic regression")
PREDICTORS.add("repeating", f"{_HERE}.repeating:RepeatingPredictor", "shares, and the set before")


def make_estimator(name: str, params: dict[str, Any] | None = None) -> SequenceEstimator:
    """The model called `name` with `params`; UnknownNameError or RequestError for what is not known."""
    kind = MODELS.load(name)
    try:
        estimator: SequenceEstimator = kind(kind.Params(**(params or {})))
    except ValidationError as error:
        raise request_error(error, cast(type[Request], kind.Params)) from None
    return estimator


def load_predictor(document: dict[str, Any], read: Read) -> SequencePredictor:
    """The predictor that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in PREDICTORS.names():
        raise BundleFormatError(
            f"the bundle holds a predictor of kind {kind!r}; known: {', '.join(PREDICTORS.names())}",
            hint="open it with the version of iatros that wrote it",
        )
    predictor: SequencePredictor = PREDICTORS.load(str(kind)).load(document, read)
    return predictor


def best_threshold(probability: np.ndarray, truth: np.ndarray) -> float:
    """The threshold, of 0.05 to 0.90, whose sets have the highest mean Jaccard index; of equals the one nearest 0.5."""
    grid = np.arange(1, 19) / 20
    scores = []
    for threshold in grid:
        chosen = probability >= threshold
        both = (chosen & truth).sum(axis=1)
        either = (chosen | truth).sum(axis=1)
        scores.append(float(np.mean(both / np.maximum(either, 1))))
    best = np.flatnonzero(np.array(scores) >= max(scores) - 1e-12)
    return float(grid[best[np.argmin(np.abs(grid[best] - 0.5))]])
