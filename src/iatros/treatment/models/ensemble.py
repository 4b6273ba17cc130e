"""The weighted mean of several models that predicts unseen folds of the training responses best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from iatros.core.errors import RequestError, SplitError
from iatros.core.splits import folds, task_seed
from iatros.learners.tabular.scorers import Read, Saved, nest, within
from iatros.treatment.models import MODELS
from iatros.treatment.models.scale import check_learnable
from iatros.treatment.responses.estimator import Newness, ResponseParams, ResponsePredictor, load_predictor
from iatros.treatment.responses.schema import Ask, Outcome, Responses

_STEPS = 500
_LEAST = 1e-12
SMALL, SMALL_TABLE = 20_000, 1_000_000
"""Responses, and pairs of subjects and treatments, up to which the slower members are fitted unasked."""


class EnsembleParams(ResponseParams):
    """Parameters of the ensemble."""

    members: tuple[str, ...] = Field(
        default=(),
        max_length=10,
        description="models that are averaged, two at least; where not given baseline, knn and svd, with kernel where "
        "the table is small, and neural where it is and features are known",
    )
    member_params: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="parameters of members, by model"
    )
    n_folds: int = Field(default=3, ge=2, le=20, description="folds that the weights are learned on")

    @field_validator("members")
    @classmethod
    def _each_once(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        if len(members) == 1:
            raise ValueError("one member is no ensemble: name at least two")
        if len(set(members)) < len(members) or Ensemble.name in members:
            raise ValueError("each member is named once, and an ensemble is no member")
        return members


class Ensemble:
    """Members and their weights (stacking; Breiman 1996), not negative and with a sum of 1.

    The weights minimise the squared error, or the cross-entropy of binary outcomes, of what the members say about
    folds that they did not learn from: pairs, subjects, treatments or later responses, as the answer is for.
    """

    name: ClassVar[str] = "ensemble"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary")
    Params: ClassVar[type[EnsembleParams]] = EnsembleParams

    def __init__(self, params: EnsembleParams | None = None) -> None:
        self.params = params or EnsembleParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[EnsemblePredictor, dict[str, Any]]:
        """The members, fitted on all responses; notes: the weight of each, and what each notes itself."""
        check_learnable(Ensemble, responses)
        names = self.params.members or members_for(responses)
        fold = inner_folds(responses, newness, self.params.n_folds, seed)
        said = np.full((len(responses), len(names)), np.nan)
        for number in range(fold.max() + 1):
            inside = np.flatnonzero(fold == number)
            outside = responses.take(np.flatnonzero(fold < number if newness == "time" else fold != number))
            if newness == "time" and number == 0:
                continue
            for place, name in enumerate(names):
                fitted, _ = self._member(name, names).fit(
                    outside, newness=newness, seed=task_seed(seed, f"{name}/{number}")
                )
                said[inside, place] = fitted.predict(responses.pairs(inside))
        judged = np.isfinite(said).all(axis=1)
        weigh = likeliest_weights if responses.outcome == "binary" else least_squares_weights
        weights = weigh(said[judged], responses.y[judged])
        fits = [
            self._member(name, names).fit(responses, newness=newness, seed=task_seed(seed, name))
            for name in names
        ]
        notes = {
            "weights": dict(zip(names, weights.tolist(), strict=True)),
            "members": {name: noted for name, (_, noted) in zip(names, fits, strict=True)},
        }
        return EnsemblePredictor(names, tuple(fitted for fitted, _ in fits), weights), notes

    def _member(self, name: str, names: tuple[str, ...]) -> Any:
        model = MODELS.load(name)
        unread = set(self.params.member_params) - set(names)
        if unread:
            raise RequestError(
                f"parameters are given for {', '.join(sorted(unread))}, no member", where="member_params"
            )
        return model(model.Params(**self.params.member_params.get(name, {})))


@dataclass(frozen=True)
class EnsemblePredictor:
    """`members` by `names`, and their weights (members,)."""

    kind: ClassVar[str] = "ensemble"
    names: tuple[str, ...]
    members: tuple[ResponsePredictor, ...]
    weights: np.ndarray

    def predict(self, ask: Ask) -> np.ndarray:
        """The weighted mean of the members' answers for each pair (n,)."""
        answer = np.zeros(len(ask))
        for weight, member in zip(self.weights, self.members, strict=True):
            if weight > 0.0:
                answer += weight * member.predict(ask)
        return answer

    def save(self) -> Saved:
        """The document, and the files of all members."""
        documents: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        for name, member in zip(self.names, self.members, strict=True):
            document, own = member.save()
            documents.append(document)
            files |= nest(name, own)
        described = {
            "kind": self.kind,
            "names": list(self.names),
            "members": documents,
            "weights": self.weights.tolist(),
        }
        return described, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> EnsemblePredictor:
        """The predictor that `save` described."""
        names = tuple(document["names"])
        members = tuple(
            load_predictor(described, within(name, read))
            for name, described in zip(names, document["members"], strict=True)
        )
        return cls(names, members, np.array(document["weights"], dtype=float))


def members_for(responses: Responses) -> tuple[str, ...]:
    """The members that a user gets who names none: those that such responses are many or few enough for."""
    n_subjects, n_treatments = responses.shape
    small = n_subjects * n_treatments <= SMALL_TABLE and len(responses) <= SMALL
    described = responses.of_subjects is not None or responses.of_treatments is not None
    return (
        *("baseline", "knn", "svd"),
        *(("kernel",) if small else ()),
        *(("neural",) if small and described else ()),
    )


def inner_folds(responses: Responses, newness: Newness, n_folds: int, seed: int) -> np.ndarray:
    """The fold of each response (n,): of pairs, of whole subjects or treatments, or by time, the earliest 0.

    By time, fold 0 is learned from only, and each later one is predicted from all before it. RequestError
    where responses have no time.
    """
    if newness == "time":
        if responses.time is None:
            raise RequestError("later responses are predicted, but the responses have no time", where="time")
        cuts = np.quantile(responses.time, np.arange(1, n_folds + 1) / (n_folds + 1))
        later: np.ndarray = np.searchsorted(np.unique(cuts), responses.time, side="right")
        if len(np.unique(later)) < 2 or later.min() > 0:
            raise SplitError(
                "the responses have too few different times to predict later ones from earlier ones"
            )
        return later
    groups = {"pairs": None, "subjects": responses.subject, "treatments": responses.treatment}[newness]
    return folds(groups=groups, n_folds=n_folds, seed=task_seed(seed, "ensemble"), n=len(responses))


def least_squares_weights(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights (members,) >= 0 with the sum 1 for which `said` (n, members) has the least squared error.

    With errors E, minimising w'E'Ew + (1'w - 1)^2 over w >= 0 and dividing by the sum is exact: along each
    direction the minimum over the length falls as u'E'Eu does.
    """
    from scipy.optimize import nnls

    errors = said - y[:, None]
    size = float(np.square(errors).mean())
    if size == 0.0:
        return np.full(said.shape[1], 1.0 / said.shape[1])
    root = np.linalg.qr(errors / np.sqrt(size * len(y)), mode="r")
    system = np.vstack([root, np.ones(said.shape[1])])
    weights, _ = nnls(system, np.append(np.zeros(len(root)), 1.0))
    total: np.ndarray = weights / weights.sum()
    return total


def likeliest_weights(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights (members,) >= 0 with the sum 1 for which the mean of `said` (n, members) has the least cross-entropy.

    They are those of a mixture, found by expectation and maximisation, of which every step improves.
    """
    likely = np.maximum(np.where(y[:, None] > 0.5, said, 1.0 - said), _LEAST)
    weights = np.full(said.shape[1], 1.0 / said.shape[1])
    for _ in range(_STEPS):
        share = likely * weights
        weights = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights / weights.sum()
