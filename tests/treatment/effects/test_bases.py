import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import LimitError, UnknownNameError
from iatros.treatment.effects.bases import BASES, gp, ridge

ONES = np.ones


def data(n=120, p=3, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 3.0, 0.2][:p] + 2.0
    y = X[:, 0] - 0.3 * X[:, 1] + 0.5 * rng.normal(size=n)
    return X, y


def test_ridge_is_the_ridge_regression_of_scikit_learn_at_the_penalty_of_least_left_out_error():
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    X, y = data(n=25)
    Z = StandardScaler().fit_transform(X)
    losses = []
    for penalty in ridge._PENALTIES:
        model = Ridge(alpha=penalty * len(y))
        losses.append(((y - cross_val_predict(model, Z, y, cv=LeaveOneOut())) ** 2).mean())
    best = ridge._PENALTIES[int(np.argmin(losses))]
    loss, surface = ridge._linear(X, y, ONES(len(y)), np.zeros((0, 2), dtype=int))
    assert loss == pytest.approx(min(losses), rel=1e-8)
    expected = Ridge(alpha=best * len(y)).fit(Z, y).predict(Z)
    np.testing.assert_allclose(surface.predict(X), expected, atol=1e-8)


def test_logistic_ridge_has_the_coefficients_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    X, y = data()
    event = (y > np.median(y) + 0.4).astype(float)
    Z = np.hstack([StandardScaler().fit_transform(X), ONES((len(y), 1))])
    penalty = 3.0
    beta, _ = ridge._logistic_step(Z, event, ONES(len(y)), penalty, np.zeros(4))
    theirs = LogisticRegression(C=4 / penalty, tol=1e-10, max_iter=1000).fit(Z[:, :3], event)
    np.testing.assert_allclose(beta[:3], theirs.coef_[0], atol=1e-5)
    assert beta[3] == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_the_approximate_left_out_deviance_is_close_to_the_true_one():
    X, y = data(n=60)
    event = (y > np.median(y)).astype(float)
    Z = np.hstack([(X - X.mean(axis=0)) / X.std(axis=0), ONES((len(y), 1))])
    _, approximate = ridge._logistic_step(Z, event, ONES(60), 2.0, np.zeros(4))
    true = []
    for out in range(60):
        rows = np.delete(np.arange(60), out)
        beta, _ = ridge._logistic_step(Z[rows], event[rows], ONES(59), 2.0, np.zeros(4))
        margin = float(Z[out] @ beta)
        true.append(np.logaddexp(0, -margin if event[out] else margin))
    assert approximate == pytest.approx(np.mean(true), rel=0.01)


def test_products_are_used_where_they_help_and_only_there():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(250, 3))
    noise = 0.2 * rng.normal(size=250)
    assert len(ridge.fit(X, X[:, 0] * X[:, 1] + noise, weight=ONES(250)).pairs)
    assert not len(ridge.fit(X, X[:, 0] + noise, weight=ONES(250)).pairs)


@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-50, 50), factor=st.floats(0.1, 20))
def test_a_change_of_units_changes_nothing_but_the_units(shift, factor):
    X, y = data(n=50)
    plain = ridge.fit(X, y, weight=ONES(50)).predict(X)
    other = ridge.fit(X * factor + shift, y * factor + shift, weight=ONES(50)).predict(X * factor + shift)
    np.testing.assert_allclose(other, plain * factor + shift, rtol=1e-5, atol=1e-5 * factor)


@pytest.mark.parametrize("base", ["ridge", "gp", "boosting", "forest"])
@pytest.mark.parametrize("binary", [False, True])
def test_every_base_learns_keeps_probabilities_and_repeats_itself(base, binary):
    X, y = data(n=150)
    if binary:
        y = (y > np.median(y)).astype(float)
    weight = np.where(np.arange(150) < 100, 1.0, 0.0)
    fit = BASES.load(base)
    found = fit(X, y, weight=weight, binary=binary, seed=5).predict(X)
    assert found.shape == (150,)
    assert np.corrcoef(found[100:], y[100:])[0, 1] > 0.5
    if binary:
        assert (found >= 0).all()
        assert (found <= 1).all()
    np.testing.assert_array_equal(found, fit(X, y, weight=weight, binary=binary, seed=5).predict(X))
    # rows of no weight have no say
    y[100:] = 1 - y[100:] if binary else y[100:] + 1000
    np.testing.assert_array_equal(found, fit(X, y, weight=weight, binary=binary, seed=5).predict(X))


@pytest.mark.parametrize("base", ["ridge", "gp", "boosting", "forest"])
def test_an_outcome_that_never_varies_is_predicted_as_it_is(base):
    X, _ = data(n=40)
    found = BASES.load(base)(X, ONES(40), weight=ONES(40), binary=True, seed=0).predict(X)
    np.testing.assert_allclose(found, 1.0, atol=0.02)


def test_the_gaussian_process_is_that_of_scikit_learn_at_the_same_amplitudes_and_lengths():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

    X, y = data(n=60)
    surface = gp.fit(X, y, weight=ONES(60))
    a = np.exp(2 * surface.theta[:4])
    kernel = ConstantKernel(a[0]) * RBF(np.exp(-0.5 * surface.theta[4:])) + ConstantKernel(
        a[1] / 3
    ) * DotProduct(0.0, sigma_0_bounds="fixed")
    kernel = kernel + ConstantKernel(a[3])
    Z, t = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    theirs = GaussianProcessRegressor(kernel, alpha=a[2] + 1e-6, optimizer=None).fit(Z, t)
    new = data(n=20, seed=9)[0]
    mean, deviation = theirs.predict((new - X.mean(axis=0)) / X.std(axis=0), return_std=True)
    np.testing.assert_allclose(surface.predict(new), y.mean() + y.std() * mean, atol=1e-5)
    np.testing.assert_allclose(surface.deviation(new), y.std() * deviation, atol=1e-5)


def test_the_gradient_of_the_marginal_likelihood_is_the_slope_of_its_value():
    from scipy.optimize import check_grad

    rng = np.random.default_rng(0)
    Z, t, weight = rng.normal(size=(25, 3)), rng.normal(size=25), rng.uniform(0.5, 2, 25)
    prior, width = np.concatenate([gp._CENTRE, np.full(3, -2.0)]), np.full(7, 2.0)

    def value(theta):
        return gp._objective(theta, Z, t, weight, prior, width)[0]

    def slope(theta):
        return gp._objective(theta, Z, t, weight, prior, width)[1]

    assert check_grad(value, slope, 0.5 * rng.normal(size=7)) < 1e-4


def test_a_feature_that_says_nothing_loses_its_length_and_a_wiggle_is_found():
    rng = np.random.default_rng(2)
    X = rng.uniform(-3, 3, size=(150, 2))
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=150)
    surface = gp.fit(X, y, weight=ONES(150))
    assert surface.theta[4] - surface.theta[5] > 3
    new = np.column_stack([np.linspace(-2.5, 2.5, 30), np.zeros(30)])
    assert np.abs(surface.predict(new) - np.sin(2 * new[:, 0])).mean() < 0.1


def test_too_many_rows_for_a_gaussian_process_and_a_base_that_is_not_there_are_said():
    with pytest.raises(LimitError, match="at most 5000"):
        gp.fit(np.zeros((5001, 1)), np.zeros(5001), weight=ONES(5001))
    with pytest.raises(UnknownNameError, match="ridge"):
        BASES.load("rigde")
