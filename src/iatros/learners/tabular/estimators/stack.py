"""The other models combined: their average, or weights learned on predictions for patients they had not seen."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from iatros.core.errors import FitError, unknown_name
from iatros.core.task import Target
from iatros.learners.tabular.estimators.params import Impute, ModelParams, with_impute
from iatros.learners.tabular.estimators.pipeline import Estimator, Fitted, derived_seed, inner_folds
from iatros.learners.tabular.predictor import Predictor, StackPredictor
from iatros.learners.tabular.table import Table

_HERE = "iatros.learners.tabular.estimators"

MEMBERS: dict[str, str] = {
    "logistic": f"{_HERE}.logistic:Logistic",
    "svm": f"{_HERE}.svm:Svm",
    "forest": f"{_HERE}.forest:Forest",
    "boosting": f"{_HERE}.boosting:Boosting",
    "mlp": f"{_HERE}.mlp:Mlp",
}
"""The models that can be combined."""

_FLOOR = 1e-7


class EnsembleParams(ModelParams):
    """Parameters of the ensemble; a member is set by its own name, such as `forest.n_estimators=200`."""

    impute: Impute | Literal["model"] = Field(  # type: ignore[assignment]
        default="model",
        description="how missing values are filled in every member; model: each one's own way",
    )
    members: tuple[str, ...] = Field(
        default=("logistic", "svm", "forest", "boosting", "mlp"),
        min_length=1,
        description=f"models that are combined, of {', '.join(MEMBERS)}",
    )
    combine: Literal["average", "stack"] = Field(
        default="average",
        description="average: equal weights, which hold up best at a new hospital; stack: weights learned on "
        "predictions for patients that the members had not seen, drawn towards equal ones",
    )
    folds: int = Field(default=5, ge=2, le=20, description="folds behind the weights where combine is stack")
    shrinkage: float = Field(
        default=100.0,
        ge=0,
        le=1e6,
        description="how strongly learned weights are drawn towards equal ones, in patients' worth of evidence",
    )
    member_params: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="parameters of the members, set through their own names"
    )

    @field_validator("members")
    @classmethod
    def _known(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        for member in members:
            if member not in MEMBERS:
                raise ValueError(str(unknown_name("member", member, MEMBERS)))
        if len(set(members)) < len(members):
            raise ValueError("a member is named twice")
        return members


class Ensemble:
    """Several models as one."""

    name: ClassVar[str] = "ensemble"
    Params: ClassVar[type[EnsembleParams]] = EnsembleParams
    interpolates: ClassVar[bool] = True

    def __init__(self, params: EnsembleParams | None = None) -> None:
        self.params = params or EnsembleParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted members and their weights; notes: the weights, and what each member has to say."""
        params = self.params
        groups = np.arange(len(y)) if groups is None else np.asarray(groups)
        weights, intercept = self._weights(table, y, target, groups, seed)
        scale: Literal["prediction", "logit"] = "logit" if params.combine == "stack" else "prediction"
        fitted = [
            estimator.fit(table, y, target, groups=groups, seed=derived_seed(seed, index))
            for index, estimator in enumerate(self._estimators())
        ]
        members: tuple[Predictor, ...] = tuple(each.predictor for each in fitted)
        predictor = StackPredictor(params.members, members, target.task, scale, weights, intercept)
        notes = {
            "combine": params.combine,
            "weights": {
                name: round(float(weight), 6) for name, weight in zip(params.members, weights, strict=True)
            },
            "members": {name: each.notes for name, each in zip(params.members, fitted, strict=True)},
        }
        return Fitted(predictor, notes)

    @staticmethod
    def search_space(trial: Any, base: EnsembleParams) -> EnsembleParams:
        """How the members are combined; tune a member by itself and set what was found."""
        combine = trial.suggest_categorical("combine", ["average", "stack"])
        if combine == "average":
            return base.model_copy(update={"combine": combine})
        shrinkage = trial.suggest_float("shrinkage", 10.0, 10_000.0, log=True)
        return base.model_copy(update={"combine": combine, "shrinkage": shrinkage})

    def _estimators(self) -> list[Estimator]:
        """A fresh estimator for each member, with what was set for it."""
        return [member_estimator(name, self.params) for name in self.params.members]

    def _weights(
        self, table: Table, y: np.ndarray, target: Target, groups: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (m,) and intercept (1,) or (k,), see `StackPredictor`."""
        n_members = len(self.params.members)
        n_margins = len(target.classes) if target.task == "multiclass" else 1
        equal = np.full(n_members, 1.0 / n_members), np.zeros(n_margins)
        if self.params.combine == "average" or n_members == 1:
            return equal
        unseen = self._out_of_fold(table, y, target, groups, seed)
        return fit_weights(unseen, y, target, shrinkage=self.params.shrinkage)

    def _out_of_fold(
        self, table: Table, y: np.ndarray, target: Target, groups: np.ndarray, seed: int
    ) -> np.ndarray:
        """Predictions (m, n) or (m, n, k) of members that were fitted on other patients."""
        fold = inner_folds(y, target, groups, n_folds=self.params.folds, seed=derived_seed(seed, 100))
        shape = (len(self.params.members), len(y))
        unseen = np.zeros((*shape, len(target.classes)) if target.task == "multiclass" else shape)
        for index in np.unique(fold):
            inside, outside = np.flatnonzero(fold != index), np.flatnonzero(fold == index)
            learned, asked = table.take(inside), table.take(outside).frame
            for position, estimator in enumerate(self._estimators()):
                own_seed = derived_seed(seed, 101, int(index), position)
                fitted = estimator.fit(learned, y[inside], target, groups=groups[inside], seed=own_seed)
                unseen[position, outside] = fitted.predictor.predict(asked)
        return unseen


def member_estimator(name: str, params: EnsembleParams) -> Estimator:
    """The estimator called `name`, with what the ensemble's parameters say of it and of all members."""
    module, _, attribute = MEMBERS[name].partition(":")
    kind = getattr(import_module(module), attribute)
    common: dict[str, Any] = {"n_imputations": params.n_imputations, "indicators": params.indicators}
    own = params.member_params.get(name, {})
    member: ModelParams = kind.Params(**{**common, **own})
    if params.impute != "model" and "impute" not in own:
        member = with_impute(member, params.impute)
    estimator: Estimator = kind(member)
    return estimator


def fit_weights(
    unseen: np.ndarray, y: np.ndarray, target: Target, *, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (m,), none negative, and intercept, from predictions (m, n[, k]) for patients not seen.

    Minimises the summed loss of `StackPredictor`'s answer plus `shrinkage * scale * sum_m (w_m - 1/m)^2`,
    `scale` the mean squared spread of the members' links (so that the outcome's unit does not matter). The
    loss is cross-entropy, or the squared error over the error variance of the plain average; van der Laan,
    Polley & Hubbard 2007 (super learner), with a ridge towards the average.
    """
    from scipy.optimize import minimize

    n_members = len(unseen)
    links = _links(unseen, target)
    penalty = shrinkage * _spread(links, y, target)
    n_margins = links.shape[2]

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercept = values[:n_members], values[n_members:]
        margin = np.tensordot(weights, links, axes=1) + intercept
        total, slope = _loss(margin, y, target, links)
        gap = weights - 1.0 / n_members
        gradient = np.concatenate([np.einsum("mnk,nk->m", links, slope), slope.sum(axis=0)])
        gradient[:n_members] += 2.0 * penalty * gap
        return total + penalty * float(gap @ gap), gradient

    start = np.concatenate([np.full(n_members, 1.0 / n_members), np.zeros(n_margins)])
    bounds = [(0.0, None)] * n_members + [(None, None)] * n_margins
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    if not np.all(np.isfinite(found.x)):
        raise FitError("the weights of the ensemble did not settle", hint="use ensemble.combine=average")
    return found.x[:n_members], found.x[n_members:]


def _links(unseen: np.ndarray, target: Target) -> np.ndarray:
    """What the weights are applied to, (m, n, k): logits, log probabilities, or the predictions themselves."""
    if target.task == "continuous":
        return unseen[:, :, None]
    clipped = np.clip(unseen, _FLOOR, 1.0 - _FLOOR)
    if target.task == "binary":
        return (np.log(clipped) - np.log1p(-clipped))[:, :, None]
    return np.log(clipped)


def _spread(links: np.ndarray, y: np.ndarray, target: Target) -> float:
    """Mean squared spread of the members' links, over the noise that the loss is measured in."""
    spread = float(links.var(axis=1).mean())
    return spread / _noise(links, y) if target.task == "continuous" else spread


def _noise(links: np.ndarray, y: np.ndarray) -> float:
    """Error variance of the plain average of continuous predictions."""
    return max(float(np.mean((y - links[:, :, 0].mean(axis=0)) ** 2)), 1e-12)


def _loss(margin: np.ndarray, y: np.ndarray, target: Target, links: np.ndarray) -> tuple[float, np.ndarray]:
    """Summed loss, and its slope in the margins (n, k)."""
    if target.task == "continuous":
        noise = _noise(links, y)
        error = margin[:, 0] - y
        return float(error @ error) / (2.0 * noise), (error / noise)[:, None]
    if target.task == "binary":
        value = margin[:, 0]
        probability = 0.5 * (1.0 + np.tanh(0.5 * value))
        return float(np.sum(np.logaddexp(0.0, value) - y * value)), (probability - y)[:, None]
    shifted = margin - margin.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    rows = np.arange(len(y))
    slope = np.exp(shifted - log_total[:, None])
    slope[rows, y.astype(int)] -= 1.0
    return float(np.sum(log_total - shifted[rows, y.astype(int)])), slope
