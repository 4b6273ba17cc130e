"""Regression with an elastic-net penalty: logistic, multinomial or linear, by the kind of outcome."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

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
    link_of,
    loss,
)
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import LinearScorer, SplineBasis, apply_link
from iatros.learners.tabular.table import Table

_GRID = tuple(float(C) for C in 10.0 ** np.arange(-3.0, 2.5, 0.5))
_ROWS_FOR_CHOICE = 4_000  # beyond these, the penalty hardly matters
_NEVER = -30.0  # log-odds of a class that no training patient has
_QUANTILES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}
"""Where the knots lie, by their number: Harrell, Regression Modeling Strategies, 2nd ed., table 2.3."""

Weights = tuple[np.ndarray, np.ndarray, bool]
"""Coefficients (k, p), intercepts (k,), and whether the solver converged."""


class LogisticParams(ModelParams):
    """Parameters of penalised regression. Features are standardised first."""

    impute: Literal["simple", "iterative", "multiple"] = Field(
        default="iterative",
        description="how missing values are filled: simple (median), iterative (chained equations), multiple "
        "(several chained draws, predictions averaged)",
    )
    C: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="inverse strength of the penalty; where not given, chosen by inner cross-validation",
    )
    l1_ratio: float = Field(
        default=0.0, ge=0, le=1, description="share of the absolute (lasso) penalty; 0 is ridge"
    )
    splines: int = Field(
        default=0,
        ge=0,
        le=7,
        description="knots of a restricted cubic spline for each continuous column, 3 to 7; 0 is linear",
    )
    max_iter: int = Field(default=2000, ge=10, le=100_000, description="iterations of the solver at most")

    @field_validator("splines")
    @classmethod
    def _enough_knots(cls, splines: int) -> int:
        if splines in (1, 2):
            raise ValueError("a restricted cubic spline needs 3 to 7 knots, or 0 for none")
        return splines


class Logistic:
    """Ridge-penalised regression by default; its strength is chosen inside the training rows."""

    name: ClassVar[str] = "logistic"
    Params: ClassVar[type[LogisticParams]] = LogisticParams
    interpolates: ClassVar[bool] = False

    def __init__(self, params: LogisticParams | None = None) -> None:
        self.params = params or LogisticParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted regression; notes: C and how it came about, and coefficients per standard deviation."""
        return fit_pipeline(
            self.params,
            fit_linear,
            table,
            y,
            target,
            groups=groups,
            seed=seed,
            categories="one-hot",
            scale=True,
        )

    @staticmethod
    def search_space(trial: Any, base: LogisticParams) -> LogisticParams:
        """Strength and kind of the penalty, splines."""
        drawn = {
            "C": trial.suggest_float("C", 1e-3, 1e2, log=True),
            "l1_ratio": trial.suggest_categorical("l1_ratio", [0.0, 0.5, 1.0]),
            "splines": trial.suggest_categorical("splines", [0, 3, 4]),
        }
        return base.model_copy(update=drawn)


def fit_linear(design: Design, params: LogisticParams) -> tuple[LinearScorer, dict[str, Any]]:
    """The regression on one complete feature matrix, with its notes."""
    basis = spline_basis(design.X, params.splines) if params.splines else None
    expanded = basis.expand(design.X) if basis else design.X
    if not np.isfinite(expanded).all():
        raise FitError("a feature is not finite after imputation and scaling")
    unit = _spline_units(expanded, design.X.shape[1])
    scaled = expanded / unit
    C, how = (params.C, "given") if params.C is not None else choose_strength(design, scaled, params)
    coefficients, intercept, converged = solve(
        scaled, design.y, design.target, C, params.l1_ratio, params.max_iter, design.seed
    )
    scorer = LinearScorer(coefficients / unit, intercept, link_of(design.target), basis)
    sample = slice(0, 256)
    expected = apply_link(link_of(design.target), scaled[sample] @ coefficients.T + intercept)
    assert_equal(expected, scorer.score(design.X[sample]))
    notes: dict[str, Any] = {"C": C, "C_chosen": how, "l1_ratio": params.l1_ratio, "converged": converged}
    if design.target.task != "multiclass":
        width = design.X.shape[1]
        notes["coefficients"] = dict(zip(design.names, scorer.coefficients[0, :width].tolist(), strict=True))
    return scorer, notes


def _spline_units(expanded: np.ndarray, width: int) -> np.ndarray:
    """What each column is divided by: spline terms by their spread, so that the penalty treats all alike."""
    unit = np.ones(expanded.shape[1])
    spread = expanded[:, width:].std(axis=0)
    unit[width:] = np.where(spread > 0, spread, 1.0)
    return unit


def spline_basis(X: np.ndarray, n_knots: int) -> SplineBasis | None:
    """Knots at Harrell's quantiles for each feature with enough distinct values; None where there is none."""
    columns, knots = [], []
    for column in range(X.shape[1]):
        values = X[:, column]
        if len(np.unique(values)) < 2 * n_knots:
            continue
        at = np.quantile(values, _QUANTILES[n_knots])
        if np.min(np.diff(at)) > 1e-8 * max(1.0, float(np.ptp(values))):
            columns.append(column)
            knots.append(at)
    return SplineBasis(np.array(columns, dtype=np.int64), np.array(knots)) if columns else None


def choose_strength(design: Design, X: np.ndarray, params: LogisticParams) -> tuple[float, str]:
    """The C with the least loss in grouped inner cross-validation, and how it was chosen."""
    y, target, groups = design.y, design.target, design.groups
    if len(y) > _ROWS_FOR_CHOICE:
        rng = np.random.default_rng(derived_seed(design.seed, 1))
        rows = np.sort(rng.choice(len(y), _ROWS_FOR_CHOICE, replace=False))
        X, y, groups = X[rows], y[rows], groups[rows]
    try:
        fold = inner_folds(y, target, groups, n_folds=5, seed=derived_seed(design.seed, 2))
    except FitError:
        return 1.0, "too few patients for an inner split: 1"

    def total(C: float) -> float:
        lost = 0.0
        for k in np.unique(fold):
            train, test = fold != k, fold == k
            coefficients, intercept, _ = solve(
                X[train], y[train], target, C, params.l1_ratio, params.max_iter, design.seed, rough=True
            )
            margin = X[test] @ coefficients.T + intercept
            lost += float(loss(target, y[test], apply_link(link_of(target), margin)).sum())
        return lost

    return least_on_grid(_GRID, total), "least loss in grouped inner cross-validation"


def solve(
    X: np.ndarray,
    y: np.ndarray,
    target: Target,
    C: float,
    l1_ratio: float,
    max_iter: int,
    seed: int,
    *,
    rough: bool = False,
) -> Weights:
    """The minimum of `C * total loss + penalty`, the penalty as in scikit-learn's LogisticRegression.

    For a continuous outcome the loss is half the squared error of the outcome in standard deviations. A
    `rough` minimum is enough to compare penalties.
    """
    if target.task == "continuous":
        return _solve_linear(X, y, C, l1_ratio, max_iter, seed)
    present = np.unique(y).astype(int)
    if len(present) < 2:
        raise FitError(
            "the training rows have one class only", hint="use a larger or a stratified training side"
        )
    coefficients, intercept, converged = _solve_classes(X, y, C, l1_ratio, max_iter, seed, rough)
    if target.task == "binary":
        return coefficients, intercept, converged
    if len(coefficients) == 1:  # two of the classes are present: split the one margin between them
        coefficients, intercept = (
            np.vstack([-coefficients, coefficients]) / 2,
            np.array([-1, 1]) * intercept[0] / 2,
        )
    all_coefficients = np.zeros((len(target.classes), X.shape[1]))
    all_intercepts = np.full(len(target.classes), _NEVER)
    all_coefficients[present], all_intercepts[present] = coefficients, intercept
    return all_coefficients, all_intercepts, converged


def _solve_classes(
    X: np.ndarray, y: np.ndarray, C: float, l1_ratio: float, max_iter: int, seed: int, rough: bool
) -> Weights:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if l1_ratio > 0:
        solver, tolerance = "saga", 1e-3 if rough else 1e-5
    elif rough or X.shape[1] * len(np.unique(y)) > 500:
        solver, tolerance = "lbfgs", 1e-4 if rough else 1e-7
    else:
        solver, tolerance = "newton-cholesky", 1e-8
    model = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver=solver, tol=tolerance, max_iter=max_iter, random_state=seed
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(X, y.astype(int))
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return np.asarray(model.coef_, float), np.asarray(model.intercept_, float), converged


def _solve_linear(
    X: np.ndarray, y: np.ndarray, C: float, l1_ratio: float, max_iter: int, seed: int
) -> Weights:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import ElasticNet, Ridge

    centre, spread = float(y.mean()), float(y.std()) or 1.0
    if l1_ratio == 0:
        model = Ridge(alpha=1.0 / C)
    else:
        model = ElasticNet(
            alpha=1.0 / (C * len(y)), l1_ratio=l1_ratio, max_iter=max_iter, tol=1e-6, random_state=seed
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(X, (y - centre) / spread)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    coefficients = np.asarray(model.coef_, float)[None, :] * spread
    return coefficients, np.array([centre + spread * float(model.intercept_)]), converged
