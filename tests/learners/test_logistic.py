from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.logistic import Logistic, LogisticParams, solve, spline_basis

BINARY = Target("y", "binary", ("0", "1"))


def lopsided(n: int = 150, p: int = 4, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 2.0, 0.5, 1.0]
    y = (X @ [1.0, -0.6, 0.8, 0.0] + rng.logistic(size=n) > 1.1).astype(int)
    return X, y


def test_without_a_penalty_it_is_maximum_likelihood_as_in_statsmodels() -> None:
    import statsmodels.api as sm

    X, y = lopsided()
    truth = sm.Logit(y, sm.add_constant(X)).fit(disp=0, tol=1e-12).params
    coefficients, intercept, converged = solve(X, y, BINARY, 1e9, 0.0, 2000, 0)
    assert converged
    np.testing.assert_allclose(np.r_[intercept, coefficients[0]], truth, atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_penalised_objective_is_minimised(l1_ratio: float) -> None:
    X, y = lopsided()
    C = 0.2

    def objective(beta: np.ndarray) -> float:
        margin = X @ beta[1:] + beta[0]
        data = np.sum(np.logaddexp(0, margin) - y * margin)
        return C * data + l1_ratio * np.abs(beta[1:]).sum() + 0.5 * (1 - l1_ratio) * np.sum(beta[1:] ** 2)

    coefficients, intercept, _ = solve(X, y, BINARY, C, l1_ratio, 20_000, 0)
    ours = objective(np.r_[intercept, coefficients[0]])
    best = minimize(
        objective, np.zeros(5), method="Powell", options={"xtol": 1e-8, "ftol": 1e-12, "maxiter": 20_000}
    )
    assert ours <= best.fun + 1e-4


def test_the_linear_penalty_has_the_scale_of_the_logistic_one() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = 40.0 + 7.0 * (X @ [1.0, 0.0, -2.0]) + rng.normal(size=90)
    target = Target("y", "continuous")
    ridge, _, _ = solve(X, y, target, 0.5, 0.0, 2000, 0)
    z = (y - y.mean()) / y.std()
    centred = X - X.mean(axis=0)
    by_hand = np.linalg.solve(centred.T @ centred + 2.0 * np.eye(3), centred.T @ z) * y.std()
    np.testing.assert_allclose(ridge[0], by_hand, rtol=1e-6)
    almost, _, _ = solve(X, y, target, 0.5, 1e-7, 20_000, 0)
    np.testing.assert_allclose(almost, ridge, rtol=1e-3)


def test_a_class_that_training_lacks_gets_next_to_no_probability() -> None:
    X, y = lopsided()
    target = Target("y", "multiclass", ("a", "b", "c"))
    for present in ([0, 2], [1, 2]):
        coefficients, intercept, _ = solve(X, np.array(present)[y], target, 1.0, 0.0, 2000, 0)
        margin = X @ coefficients.T + intercept
        probability = np.exp(margin) / np.exp(margin).sum(axis=1, keepdims=True)
        (absent,) = {0, 1, 2} - set(present)
        assert probability[:, absent].max() < 1e-10
        assert np.mean(probability[:, present[1]]) == pytest.approx(y.mean(), abs=1e-3)


def test_one_class_is_refused() -> None:
    X, y = lopsided()
    with pytest.raises(FitError, match="one class only"):
        solve(X, np.zeros_like(y), BINARY, 1.0, 0.0, 100, 0)


def test_strength_is_chosen_inside_and_said(make_patients) -> None:
    data = make_patients("binary")
    fitted = Logistic().fit(data.table, data.y, data.target, groups=data.groups, seed=0)
    assert fitted.notes["C_chosen"] == "least loss in grouped inner cross-validation"
    assert 1e-3 <= fitted.notes["C"] <= 100
    assert set(fitted.notes["coefficients"]) >= {"age", "marker", "ward=surgery"}
    given = Logistic(LogisticParams(C=0.7)).fit(data.table, data.y, data.target, groups=data.groups, seed=0)
    assert (given.notes["C"], given.notes["C_chosen"]) == (0.7, "given")


def test_noise_alone_is_shrunk_away(make_table) -> None:
    rng = np.random.default_rng(1)
    table = make_table({f"x{j}": ("numeric", rng.normal(size=150).tolist()) for j in range(10)})
    y = (rng.random(150) < 0.3).astype(int)
    fitted = Logistic().fit(table, y, BINARY, groups=None, seed=0)
    assert fitted.notes["C"] <= 0.02
    assert np.ptp(fitted.predictor.predict(table.frame)) < 0.25


def test_splines_learn_a_bend_that_a_line_cannot(make_table) -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    x = rng.normal(size=600)
    y = (rng.random(600) < 1 / (1 + np.exp(-(2.2 * x**2 - 2.5)))).astype(int)
    table = make_table({"x": ("numeric", x.tolist()), "sex": ("numeric", (x > 0.3).astype(float).tolist())})
    line = Logistic().fit(table, y, BINARY, groups=None, seed=0).predictor.predict(table.frame)
    bent = (
        Logistic(LogisticParams(splines=4))
        .fit(table, y, BINARY, groups=None, seed=0)
        .predictor.predict(table.frame)
    )
    assert roc_auc_score(y, bent) > roc_auc_score(y, line) + 0.15
    assert spline_basis(np.array([[0.0], [1.0]] * 20), 4) is None


def test_missing_ages_are_filled_from_what_goes_with_them(make_patients) -> None:
    data = make_patients("continuous", n=400, missing=0.3)
    for impute in ("simple", "iterative", "multiple"):
        fitted = Logistic(LogisticParams(impute=impute, C=10.0)).fit(
            data.table, data.y, data.target, groups=data.groups, seed=0
        )
        prediction = fitted.predictor.predict(data.table.frame)
        assert np.corrcoef(prediction, data.y)[0, 1] > 0.7


@pytest.mark.parametrize(
    "changed",
    [
        {"C": 0.05},
        {"l1_ratio": 1.0},
        {"splines": 3},
        {"impute": "simple"},
        {"indicators": True},
        {"impute": "multiple"},
    ],
)
def test_every_parameter_changes_the_answer(make_patients, changed: dict) -> None:
    data = make_patients("binary")
    base = LogisticParams(C=1.0)

    def answer(params: LogisticParams) -> np.ndarray:
        return (
            Logistic(params)
            .fit(data.table, data.y, data.target, groups=None, seed=0)
            .predictor.predict(data.table.frame)
        )

    assert np.abs(answer(base.model_copy(update=changed)) - answer(base)).max() > 1e-4
