"""Support vector machines with linear, RBF, polynomial and sigmoid kernels, for classes and for numbers.

Several classes are learned one against the rest: each machine has its own probability calibration, and the
probabilities are made to sum to one. One against one would need k (k - 1) / 2 machines and coupled
probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.params import ModelParams
from iatros.learners.tabular.estimators.pipeline import (
    Design,
    Fitted,
    derived_seed,
    fit_pipeline,
    inner_folds,
    least_on_grid,
    loss,
)
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import KernelScorer, LinearScorer, Link, Scorer, apply_link
from iatros.learners.tabular.table import Table

_PRICES = (0.1, 0.3, 1.0, 3.0)
_ROWS_FOR_CHOICE = 1_500  # the best C hardly moves beyond these
_NEVER = -30.0  # log-odds of a class that no training patient has


class SvmParams(ModelParams):
    """Parameters of the support vector machine. Features are standardised first."""

    impute: Literal["simple", "iterative", "multiple"] = Field(
        default="iterative",
        description="how missing values are filled: simple (median), iterative (chained equations), multiple "
        "(several chained draws, predictions averaged)",
    )
    kernel: Literal["linear", "rbf", "poly", "sigmoid"] = Field(
        default="rbf", description="shape of the boundary"
    )
    C: float | None = Field(
        default=None,
        gt=0,
        le=1e4,
        description="price of a patient on the wrong side; where not given, chosen by inner cross-validation",
    )
    gamma: float | None = Field(
        default=None,
        gt=0,
        le=1e3,
        description="how fast a patient's influence fades (rbf) or grows (poly, sigmoid); where not given, "
        "1 / (features x variance)",
    )
    degree: int = Field(default=3, ge=1, le=6, description="degree of the poly kernel")
    coef0: float | None = Field(
        default=None,
        ge=-10,
        le=10,
        description="constant of poly and sigmoid kernels; where not given, 1 for poly, 0 for sigmoid",
    )
    class_weight: Literal["none", "balanced"] = Field(
        default="balanced",
        description="balanced prices rare classes higher, without which a machine can overlook them; "
        "probabilities are calibrated either way",
    )
    epsilon: float = Field(
        default=0.1,
        ge=0,
        le=2,
        description="error that costs nothing, in standard deviations of a continuous outcome",
    )
    max_rows: int = Field(
        default=10_000, ge=100, le=50_000, description="training rows at most; more are drawn from, by class"
    )


@dataclass(frozen=True)
class _Kernel:
    """The kernel with its numbers settled."""

    name: Literal["linear", "rbf", "poly", "sigmoid"]
    gamma: float
    degree: int
    coef0: float


@dataclass(frozen=True)
class _Machine:
    """One trained machine: decision = K(X, support) dual + intercept; slope and offset calibrate it."""

    support: np.ndarray
    dual: np.ndarray
    intercept: float
    slope: float
    offset: float


class Svm:
    """Mean of five cross-fitted machines; probabilities by Platt's method on patients they have not seen."""

    name: ClassVar[str] = "svm"
    Params: ClassVar[type[SvmParams]] = SvmParams
    interpolates: ClassVar[bool] = True

    def __init__(self, params: SvmParams | None = None) -> None:
        self.params = params or SvmParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted machines; notes: kernel, C and how it came about, rows used, training rows stored."""
        return fit_pipeline(
            self.params,
            fit_machines,
            table,
            y,
            target,
            groups=groups,
            seed=seed,
            categories="one-hot",
            scale=True,
        )

    @staticmethod
    def search_space(trial: Any, base: SvmParams) -> SvmParams:
        """Kernel, price, reach and class weights."""
        drawn: dict[str, Any] = {
            "kernel": trial.suggest_categorical("kernel", ["linear", "rbf", "poly", "sigmoid"]),
            "C": trial.suggest_float("C", 1e-2, 1e2, log=True),
            "class_weight": trial.suggest_categorical("class_weight", ["none", "balanced"]),
        }
        if drawn["kernel"] != "linear":
            drawn["gamma"] = trial.suggest_float("gamma", 1e-4, 1.0, log=True)
        if drawn["kernel"] == "poly":
            drawn["degree"] = trial.suggest_int("degree", 2, 4)
        return base.model_copy(update=drawn)


def fit_machines(design: Design, params: SvmParams) -> tuple[Scorer, dict[str, Any]]:
    """The machines on one complete feature matrix, with their notes."""
    rows = _drawn_rows(design.y, design.target, params.max_rows, derived_seed(design.seed, 1))
    drawn = replace(design, X=design.X[rows], y=design.y[rows], groups=design.groups[rows])
    kernel = _settled(params, drawn.X)
    C = params.C if params.C is not None else _choose_price(drawn, kernel, params)
    if design.target.task == "continuous":
        machines = [_fit_numbers(drawn.X, drawn.y, kernel, params, C)]
    else:
        fold = inner_folds(drawn.y, drawn.target, drawn.groups, n_folds=5, seed=derived_seed(design.seed, 2))
        machines, _ = _calibrated(drawn, kernel, params, C, fold)
    scorer = _scorer(machines, kernel, _link(design.target))
    notes = {
        "kernel": kernel.name,
        "C": C,
        "C_chosen": "given" if params.C is not None else "least loss in grouped inner cross-validation",
        "gamma": kernel.gamma if kernel.name != "linear" else None,
        "n_rows_used": len(rows),
        "n_rows_given": len(design.y),
        "n_training_rows_stored": len(scorer.support) if isinstance(scorer, KernelScorer) else 0,
    }
    return scorer, notes


def _link(target: Target) -> Link:
    links: dict[str, Link] = {"binary": "sigmoid", "multiclass": "one-vs-rest", "continuous": "identity"}
    return links[target.task]


def _drawn_rows(y: np.ndarray, target: Target, most: int, seed: int) -> np.ndarray:
    """At most `most` rows, the classes in their shares, but 20 of each class where it has them."""
    n = len(y)
    if n <= most:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    if target.task == "continuous":
        return np.sort(rng.choice(n, most, replace=False))
    parts = []
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        share = max(20, round(most * len(members) / n))
        parts.append(rng.choice(members, min(len(members), share), replace=False))
    return np.sort(np.concatenate(parts))


def _settled(params: SvmParams, X: np.ndarray) -> _Kernel:
    variance = float(X.var()) or 1.0
    gamma = params.gamma if params.gamma is not None else 1.0 / (X.shape[1] * variance)
    usual = 1.0 if params.kernel == "poly" else 0.0
    return _Kernel(params.kernel, gamma, params.degree, params.coef0 if params.coef0 is not None else usual)


def _svc(kernel: _Kernel, params: SvmParams, C: float) -> Any:
    from sklearn.svm import SVC

    weight = "balanced" if params.class_weight == "balanced" else None
    return SVC(
        C=C, kernel=kernel.name, gamma=kernel.gamma, degree=kernel.degree, coef0=kernel.coef0,
        class_weight=weight, cache_size=200,
    )  # fmt: skip


def _choose_price(design: Design, kernel: _Kernel, params: SvmParams) -> float:
    """The C whose predictions for other folds lose least, on at most `_ROWS_FOR_CHOICE` rows."""
    rows = _drawn_rows(design.y, design.target, _ROWS_FOR_CHOICE, derived_seed(design.seed, 3))
    drawn = replace(design, X=design.X[rows], y=design.y[rows], groups=design.groups[rows])
    fold = inner_folds(drawn.y, drawn.target, drawn.groups, n_folds=5, seed=derived_seed(design.seed, 2))

    def total(C: float) -> float:
        if design.target.task != "continuous":
            _, margins = _calibrated(drawn, kernel, params, C, fold)
            return float(loss(drawn.target, drawn.y, apply_link(_link(drawn.target), margins)).sum())
        guesses = np.zeros(len(rows))
        for k in np.unique(fold):
            train, test = fold != k, fold == k
            machine = _fit_numbers(drawn.X[train], drawn.y[train], kernel, params, C)
            guesses[test] = _scorer([machine], kernel, "identity").score(drawn.X[test])
        return float(loss(drawn.target, drawn.y, guesses).sum())

    return least_on_grid(_PRICES, total)


def _truths(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """What each machine tells apart, (k, n) booleans, and which of them (k,) have both sides."""
    labels = np.array([1]) if design.target.task == "binary" else np.arange(len(design.target.classes))
    truths = design.y[None, :] == labels[:, None]
    present = truths.any(axis=1) & ~truths.all(axis=1)
    if not present.any():
        raise FitError(
            "the training rows have one class only", hint="use a larger or a stratified training side"
        )
    return truths, present


def _calibrated(
    design: Design, kernel: _Kernel, params: SvmParams, C: float, fold: np.ndarray
) -> tuple[list[_Machine], np.ndarray]:
    """One machine per truth, calibrated on patients it has not seen, and margins (n, k) of those patients.

    A machine is the mean of one machine for each fold, trained on the others, so that what is calibrated is
    what predicts: a machine trained on all rows can have another scale than those that Platt's method saw.
    """
    truths, present = _truths(design)
    machines = [_Machine(design.X[:0], np.zeros(0), 0.0, 0.0, _NEVER) for _ in truths]
    margins = np.full((len(design.y), len(truths)), _NEVER)
    for k in np.flatnonzero(present):
        parts, decision = _cross_fitted(design.X, truths[k], kernel, params, C, fold)
        slope, offset = fit_platt(decision, truths[k])
        machines[k] = _mean_machine(parts, slope, offset)
        margins[:, k] = slope * decision + offset
    return machines, margins


def _cross_fitted(
    X: np.ndarray, truth: np.ndarray, kernel: _Kernel, params: SvmParams, C: float, fold: np.ndarray
) -> tuple[list[_Machine], np.ndarray]:
    """For each fold the machine trained on the others, and each row's decision (n,) by the one that lacks it."""
    decision = np.zeros(len(truth))
    machines = []
    for k in np.unique(fold):
        train, test = fold != k, fold == k
        if truth[train].all() or not truth[train].any():
            raise FitError(
                "a fold of the inner split has one class only",
                hint="merge rare classes, or collect more patients",
            )
        model = _svc(kernel, params, C).fit(X[train], truth[train])
        decision[test] = model.decision_function(X[test])
        machines.append(_machine(model, X[:64], 1.0, 0.0))
    return machines, decision


def _mean_machine(parts: list[_Machine], slope: float, offset: float) -> _Machine:
    """The machine whose decision is the mean of those of `parts`, calibrated by `slope` and `offset`."""
    support = np.concatenate([part.support for part in parts])
    dual = np.concatenate([part.dual for part in parts]) / len(parts)
    intercept = float(np.mean([part.intercept for part in parts]))
    return _Machine(support, dual, intercept, float(slope), float(offset))


def fit_platt(decision: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Slope and offset, the slope not negative, of the log-odds of `truth` given `decision` (n,).

    Platt 1999 with his smoothed targets, minimised by Newton's method as in Lin, Lin & Weng 2007.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    goal = np.where(truth, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    unit = float(decision.std()) or 1.0
    design = np.stack([decision / unit, np.ones(len(decision))], axis=1)
    beta = np.array([0.0, np.log((positives + 1.0) / (negatives + 1.0))])

    def objective(at: np.ndarray) -> float:
        margin = design @ at
        return float(np.sum(np.logaddexp(0.0, margin) - goal * margin))

    for _ in range(100):
        probability = apply_link("sigmoid", (design @ beta)[:, None])
        gradient = design.T @ (probability - goal)
        weight = probability * (1.0 - probability)
        step = np.linalg.solve(design.T @ (design * weight[:, None]) + 1e-10 * np.eye(2), gradient)
        size, here = 1.0, objective(beta)
        while objective(beta - size * step) > here and size > 1e-8:
            size /= 2.0
        beta = beta - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    if beta[0] < 0.0:  # worse than chance on unseen patients: say the prevalence, never the reverse
        return np.array([0.0, np.log((positives + 1.0) / (negatives + 1.0))])
    return np.array([beta[0] / unit, beta[1]])


def _machine(model: Any, sample: np.ndarray, slope: float, offset: float) -> _Machine:
    """A fitted SVC or SVR as arrays, after asserting on `sample` that numpy gives scikit-learn's decisions."""
    support, dual = np.asarray(model.support_vectors_, float), np.asarray(model.dual_coef_, float)[0]
    machine = _Machine(support, dual, float(model.intercept_[0]), slope, offset)
    kernel = _Kernel(model.kernel, float(model.gamma), int(model.degree), float(model.coef0))
    plain = replace(machine, slope=1.0, offset=0.0)
    decide = getattr(model, "decision_function", model.predict)
    assert_equal(np.asarray(decide(sample)), _scorer([plain], kernel, "identity").score(sample))
    return machine


def _fit_numbers(X: np.ndarray, y: np.ndarray, kernel: _Kernel, params: SvmParams, C: float) -> _Machine:
    """One regression machine on the standardised outcome; slope and offset lead back to its unit."""
    from sklearn.svm import SVR

    centre, spread = float(y.mean()), float(y.std()) or 1.0
    model = SVR(
        C=C, kernel=kernel.name, gamma=kernel.gamma, degree=kernel.degree, coef0=kernel.coef0,
        epsilon=params.epsilon, cache_size=200,
    ).fit(X, (y - centre) / spread)  # fmt: skip
    return _machine(model, X[:64], spread, centre)


def _scorer(machines: list[_Machine], kernel: _Kernel, link: Link) -> Scorer:
    """The machines as stored: a linear kernel as its weights, others with the training rows they need."""
    width = machines[0].support.shape[1]
    intercept = np.array([machine.intercept for machine in machines])
    slope = np.array([machine.slope for machine in machines])
    offset = np.array([machine.offset for machine in machines])
    if kernel.name == "linear":
        weights = np.array([machine.dual @ machine.support for machine in machines]).reshape(-1, width)
        return LinearScorer(weights * slope[:, None], intercept * slope + offset, link)
    stacked = np.vstack([machine.support for machine in machines])
    support, position = np.unique(stacked, axis=0, return_inverse=True)
    dual = np.zeros((len(machines), len(support)))
    start = 0
    for k, machine in enumerate(machines):
        stop = start + len(machine.dual)
        np.add.at(dual[k], position.ravel()[start:stop], machine.dual)
        start = stop
    return KernelScorer(
        kernel.name, support, dual, intercept, slope, offset, link, kernel.gamma, kernel.degree, kernel.coef0
    )
