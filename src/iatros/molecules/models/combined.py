"""Several predictors as one: fits of one model averaged, and models weighed by compounds they had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator, model_validator

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import FitError, unknown_name
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.tabular.scorers import Read, Saved, nest, sigmoid, within
from iatros.molecules.assay import Assay
from iatros.molecules.models.estimator import CompoundParams, CompoundPredictor, load_predictor

_ARRAYS = "arrays.safetensors"
_FLOOR = 1e-6  # keeps the logit of a member's probability finite
_EVIDENCE = 50.0


@dataclass(frozen=True)
class BagPredictor:
    """Several fits of one model, averaged: probabilities, or values."""

    kind: ClassVar[str] = "bag"
    members: tuple[CompoundPredictor, ...]

    def parts(self, compounds: Compounds) -> np.ndarray:
        """What each fit says, (m, n, k)."""
        return np.stack([member.predict(compounds) for member in self.members])

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`."""
        return np.asarray(self.parts(compounds).mean(axis=0))

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k), the mean of what each fit says."""
        return np.mean([member.hidden(smiles) for member in self.members], axis=0)

    def save(self) -> Saved:
        """The documents and files of all."""
        documents, files = _save_all(self.members)
        return {"kind": self.kind, "members": documents}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> BagPredictor:
        """The predictor that `save` described."""
        return cls(_load_all(document["members"], read))


@dataclass(frozen=True)
class StackPredictor:
    """Several models, weighed for each endpoint: `weights` (m, k) are not negative, `intercept` is (k,).

    A value is the weighted sum of the members' values plus the intercept; with `binary`, the log-odds are that of
    the members' log-odds.
    """

    kind: ClassVar[str] = "stack"
    names: tuple[str, ...]
    members: tuple[CompoundPredictor, ...]
    binary: bool
    weights: np.ndarray
    intercept: np.ndarray

    def parts(self, compounds: Compounds) -> np.ndarray:
        """What each member says, in the order of `names`, (m, n, k)."""
        return np.stack([member.predict(compounds) for member in self.members])

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`."""
        return self.combine(self.parts(compounds))

    def combine(self, parts: np.ndarray) -> np.ndarray:
        """The answer (n, k) from those of the members (m, n, k)."""
        return combine(parts, self.weights, self.intercept, binary=self.binary)

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k), the members' answers combined."""
        return self.combine(np.stack([member.hidden(smiles) for member in self.members]))

    def save(self) -> Saved:
        """The document, the weights, and the members' files."""
        documents, files = _save_all(self.members)
        files[_ARRAYS] = pack_arrays({"weights": self.weights, "intercept": self.intercept})
        document = {"kind": self.kind, "names": list(self.names), "binary": self.binary, "members": documents}
        return document, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> StackPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        members = _load_all(document["members"], read)
        return cls(
            tuple(document["names"]), members, document["binary"], arrays["weights"], arrays["intercept"]
        )


def combine(parts: np.ndarray, weights: np.ndarray, intercept: np.ndarray, *, binary: bool) -> np.ndarray:
    """What members that say `parts` (m, n, k) say together, (n, k).

    >>> combine(np.array([[[1.0]], [[3.0]]]), np.array([[0.25], [0.75]]), np.zeros(1), binary=False).tolist()
    [[2.5]]
    """
    margin = np.einsum("mk,mnk->nk", weights, _links(parts, binary=binary)) + intercept
    return sigmoid(margin) if binary else margin


def weigh(predictions: Sequence[np.ndarray], assay: Assay) -> tuple[np.ndarray, np.ndarray]:
    """Weights (m, k), not negative and of sum one, and intercept (k,), from m predictions (n, k) for unseen compounds.

    For each endpoint, over the compounds that were measured: least squared error, where a prediction beyond a bound on
    its allowed side has none, or least cross-entropy of the weighted log-odds, with intercept 0 (calibration comes
    after). To it is added what `_EVIDENCE` more compounds would, on which members disagree as much as on these, and
    all of equal merit: with few compounds the weights are nearly equal, with many the evidence decides. The same holds
    for the intercept, drawn to 0. Super learner (van der Laan, Polley and Hubbard 2007) with a ridge.
    """
    parts = np.stack([np.asarray(each, dtype=np.float64) for each in predictions])
    m, _, k = parts.shape
    weights, intercept = np.full((m, k), 1.0 / m), np.zeros(k)
    binary = assay.task == "binary"
    links = _links(parts, binary=binary)
    for column in range(k):
        rows = assay.measured[:, column]
        if not rows.any():
            raise FitError(
                f"no compound has a value of {assay.endpoints[column].name}", hint="leave the endpoint out"
            )
        seen, y = links[:, rows, column], assay.y[rows, column]
        if binary:
            weights[:, column] = _least(_Logistic(seen, y), m, free=False)
        else:
            found = _least(_Squared(seen, y, assay.bound[rows, column]), m, free=True)
            weights[:, column], intercept[column] = found[:m], found[m]
    return weights, intercept


def _links(parts: np.ndarray, *, binary: bool) -> np.ndarray:
    if not binary:
        return parts
    clipped = np.clip(parts, _FLOOR, 1.0 - _FLOOR)
    return np.log(clipped) - np.log1p(-clipped)


def _disagreement(links: np.ndarray) -> float:
    """Mean squared distance of the members (m, n) from their mean."""
    return float(np.mean((links - links.mean(axis=0)) ** 2))


class _Squared:
    """One-sided squared error over twice the error variance of the plain average, with its slope.

    `strength` is what an evidence of one compound pulls with, on each weight and on the intercept.
    """

    def __init__(self, links: np.ndarray, y: np.ndarray, bound: np.ndarray) -> None:
        self.links, self.y, self.bound = links, y, bound
        error = self._error(links.mean(axis=0))
        self.noise = max(float(np.mean(error**2)), 1e-12)
        self.scale = self.noise**0.5
        self.strength = _disagreement(links) / self.noise

    def _error(self, prediction: np.ndarray) -> np.ndarray:
        return np.where(self.bound * (prediction - self.y) > 0.0, 0.0, prediction - self.y)

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss and slope in the weights (m,) and in the intercept, which is in units of `scale`."""
        m = len(self.links)
        error = self._error(values[:m] @ self.links + values[m] * self.scale) / self.noise
        slope = np.append(self.links @ error, error.sum() * self.scale)
        return float(error @ error) * self.noise / 2.0, slope


class _Logistic:
    """Cross-entropy of the weighted log-odds, with its slope in the weights; `strength` as in `_Squared`."""

    scale = 1.0

    def __init__(self, links: np.ndarray, y: np.ndarray) -> None:
        self.links, self.y = links, y
        mean = sigmoid(links.mean(axis=0))
        self.strength = _disagreement(links) * float(np.mean(mean * (1.0 - mean)))

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss and slope."""
        margin = values @ self.links
        loss = float(np.sum(np.logaddexp(0.0, margin) - self.y * margin))
        return loss, self.links @ (sigmoid(margin) - self.y)


def _least(loss: _Squared | _Logistic, m: int, *, free: bool) -> np.ndarray:
    """Weights (m,) on the simplex, and behind them the intercept where it is `free`, of least penalised loss."""
    from scipy.optimize import minimize

    from iatros.learners.threads import one_blas_thread

    n = loss.links.shape[1]
    start = np.append(np.full(m, 1.0 / m), np.zeros(int(free)))
    pull = np.append(np.full(m, _EVIDENCE * loss.strength), np.full(int(free), _EVIDENCE))

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = loss(values)
        gap = values - start
        return (total + 0.5 * float(pull @ gap**2)) / n, (slope + pull * gap) / n

    one = np.append(np.ones(m), np.zeros(int(free)))
    with one_blas_thread():
        found = minimize(
            objective,
            start,
            jac=True,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * m + [(None, None)] * int(free),
            constraints={"type": "eq", "fun": lambda values: values @ one - 1.0, "jac": lambda _: one},
            options={"maxiter": 300, "ftol": 1e-10},
        )
    if not np.all(np.isfinite(found.x)):
        raise FitError("the weights of the members did not settle", hint="use a single model")
    weights = np.where(found.x[:m] > 1e-9, found.x[:m], 0.0)
    return np.append(weights / weights.sum(), found.x[m:] * loss.scale)


def _save_all(members: Sequence[CompoundPredictor]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    documents: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for index, member in enumerate(members):
        document, inner = member.save()
        documents.append(document)
        files |= nest(f"member-{index}", inner)
    return documents, files


def _load_all(documents: list[dict[str, Any]], read: Read) -> tuple[CompoundPredictor, ...]:
    return tuple(
        load_predictor(document, within(f"member-{index}", read)) for index, document in enumerate(documents)
    )


class EnsembleParams(CompoundParams):
    """Parameters of the ensemble; a member is set by its own name, such as `boosting.rounds=200`."""

    members: tuple[str, ...] = Field(
        default=("boosting", "dmpnn", "svm"), min_length=1, description="models that are combined"
    )
    n_folds: int = Field(
        default=5, ge=2, le=20, description="fits of each member, and folds behind the weights"
    )
    member_params: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="parameters of the members, set through their own names"
    )

    @field_validator("members")
    @classmethod
    def _known(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        from iatros.molecules.models import MODELS

        known = [name for name in MODELS.names() if name != Ensemble.name]
        for member in members:
            if member not in known:
                raise ValueError(str(unknown_name("member", member, known)))
        if len(set(members)) < len(members):
            raise ValueError("a member is named twice")
        return members

    @model_validator(mode="after")
    def _members_take_them(self) -> EnsembleParams:
        from iatros.molecules.models import MODELS

        for name, values in self.member_params.items():
            if name not in self.members:
                raise ValueError(f"{name} is set but is no member; members: {', '.join(self.members)}")
            MODELS.load(name).Params(**values)
        return self


class Ensemble:
    """Several models, each the mean of its cross-fits, weighed by what these say of compounds they had not seen."""

    name: ClassVar[str] = "ensemble"
    Params: ClassVar[type[EnsembleParams]] = EnsembleParams

    def __init__(self, params: EnsembleParams | None = None) -> None:
        self.params = params or EnsembleParams()

    def fit(self, assay: Assay, *, seed: int) -> tuple[StackPredictor, dict[str, Any]]:
        """The members and their weights; notes: the weights of each, and what each member has to say."""
        # crossfit gives bags, and so imports this file
        from iatros.core.engine import SerialEngine
        from iatros.molecules.models.crossfit import cross_fit, grouped_folds

        fold = grouped_folds(assay, self.params.n_folds, seed)
        names, bags, unseen, notes = self.params.members, [], [], {}
        for name in names:
            bag, out_of_fold, note = cross_fit(self._member(name), assay, fold, seed, SerialEngine())
            bags.append(bag)
            unseen.append(out_of_fold)
            notes[name] = note
        weights, intercept = weigh(unseen, assay)
        predictor = StackPredictor(names, tuple(bags), assay.task == "binary", weights, intercept)
        told = {
            name: [round(float(weight), 6) for weight in each]
            for name, each in zip(names, weights, strict=True)
        }
        return predictor, {"weights": told, "members": notes}

    def _member(self, name: str) -> Any:
        from iatros.molecules.models import MODELS

        kind = MODELS.load(name)
        return kind(kind.Params(**self.params.member_params.get(name, {})))
