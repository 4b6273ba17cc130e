"""Imputation recovers what was hidden as well as scikit-learn's; multiple imputation knows its doubt."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.bundle import pack_arrays, unpack_arrays
from iatros.learners.tabular.imputation import Imputer, fit_imputers


def recoverable(n: int = 500, share: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Six features on very different scales that share two factors, and X with cells hidden."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6)) + 0.2 * rng.normal(size=(n, 6))
    X = X * np.array([1, 10, 0.1, 1000, 1, 1]) + np.array([0, 5, 0, 1e4, -3, 0])
    return X, np.where(rng.random(X.shape) < share, np.nan, X)


def error(X: np.ndarray, hidden: np.ndarray, completed: np.ndarray) -> float:
    scaled = (completed - X) / X.std(axis=0)
    return float(np.sqrt(np.mean(scaled[np.isnan(hidden)] ** 2)))


def test_simple_is_the_median() -> None:
    X = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, np.nan], [9.0, np.nan, np.nan]])
    [(imputer, completed)] = fit_imputers("simple", X)
    np.testing.assert_array_equal(completed, [[1, 5, 0], [2, 5, 0], [9, 5, 0]])
    np.testing.assert_array_equal(imputer.transform(np.full((1, 3), np.nan)), [[2, 5, 0]])


def test_none_keeps_nan() -> None:
    X = np.array([[1.0, np.nan]])
    [(imputer, completed)] = fit_imputers("none", X)
    np.testing.assert_array_equal(completed, X)
    np.testing.assert_array_equal(imputer.transform(X), X)


def test_iterative_is_as_good_as_scikit_learn() -> None:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    X, hidden = recoverable()
    new, new_hidden = X[350:], hidden[350:]
    theirs = IterativeImputer(max_iter=30, random_state=0).fit(hidden[:350])
    [(ours, completed)] = fit_imputers("iterative", hidden[:350])
    [(simple, _)] = fit_imputers("simple", hidden[:350])
    best = error(new, new_hidden, theirs.transform(new_hidden))
    assert error(new, new_hidden, ours.transform(new_hidden)) < 1.05 * best
    assert best < 0.6 * error(new, new_hidden, simple.transform(new_hidden))
    assert error(X[:350], hidden[:350], completed) < 1.1 * best


def test_bayesian_ridge_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import BayesianRidge

    from iatros.learners.tabular.imputation import _bayesian_ridge

    rng = np.random.default_rng(4)
    A = rng.normal(size=(60, 5)) @ np.diag([1, 2, 0.3, 1, 1])
    b = A @ [1, 0, -2, 0.1, 0] + 0.7 * rng.normal(size=60)
    A, b = A - A.mean(axis=0), b - b.mean()
    theirs = BayesianRidge(fit_intercept=False, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, tol=1e-8).fit(
        A, b
    )
    ours = _bayesian_ridge(A, b, np.zeros(5), 0.0)
    np.testing.assert_allclose(ours.mean, theirs.coef_, atol=1e-4)
    assert ours.noise == pytest.approx(theirs.alpha_**-0.5, rel=1e-3)
    covariance = ours.basis @ np.diag(ours.deviations**2) @ ours.basis.T
    np.testing.assert_allclose(covariance, theirs.sigma_, rtol=1e-2, atol=1e-5)


def test_values_that_are_there_never_change_and_gaps_stay_in_range() -> None:
    _, hidden = recoverable()
    new = hidden[:50].copy()
    new[0] = np.nan
    for kind in ("simple", "iterative", "multiple"):
        for imputer, completed in fit_imputers(kind, hidden, n_imputations=2):
            there = ~np.isnan(hidden)
            np.testing.assert_array_equal(completed[there], hidden[there])
            for filled in (completed, imputer.transform(new)):
                assert not np.isnan(filled).any()
                assert (filled >= np.nanmin(hidden, axis=0) - 1e-9).all()
                assert (filled <= np.nanmax(hidden, axis=0) + 1e-9).all()


def test_a_gap_where_training_had_none_is_filled_from_the_others() -> None:
    X, _ = recoverable()
    [(imputer, completed)] = fit_imputers("multiple", X)
    np.testing.assert_array_equal(completed, X)
    gap = X[:40].copy()
    gap[:, 0] = np.nan
    others = np.column_stack([np.ones(500), X[:, 1:]])
    fitted = others @ np.linalg.lstsq(others, X[:, 0], rcond=None)[0]
    held = np.clip(fitted, X[:, 0].min(), X[:, 0].max())
    np.testing.assert_allclose(imputer.transform(gap)[:, 0], held[:40], atol=0.02)


def test_all_missing_and_constant_columns() -> None:
    _, hidden = recoverable(n=60)
    hidden[:, 1] = np.nan
    hidden[:, 2] = np.where(np.arange(60) % 2, 4.0, np.nan)
    for kind in ("simple", "iterative", "multiple"):
        for imputer, completed in fit_imputers(kind, hidden):
            assert np.isfinite(completed).all()
            assert (completed[:, 1] == 0).all()
            np.testing.assert_allclose(completed[:, 2], 4.0)
            assert np.isfinite(imputer.transform(np.full((2, 6), np.nan))).all()


def test_few_rows_and_many_features() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 40))
    X[rng.random(X.shape) < 0.3] = np.nan
    for kind in ("iterative", "multiple"):
        for imputer, completed in fit_imputers(kind, X):
            assert np.isfinite(completed).all()
            assert np.isfinite(imputer.transform(X)).all()


def test_multiple_draws_have_the_right_spread() -> None:
    X, hidden = recoverable(n=800)
    draws = fit_imputers("multiple", hidden, n_imputations=4)
    [(_, expected)] = fit_imputers("iterative", hidden)
    assert len(draws) == 4
    # the error of a draw is twice (in variance) that of the conditional mean
    for _, completed in draws:
        assert error(X, hidden, completed) == pytest.approx(np.sqrt(2) * error(X, hidden, expected), rel=0.15)
    for imputer, _ in draws:
        assert error(X, hidden, imputer.transform(hidden)) < 1.15 * error(X, hidden, expected)


def test_seed_decides_and_the_stored_form_is_equal() -> None:
    _, hidden = recoverable()
    first = fit_imputers("multiple", hidden, n_imputations=2, seed=7)
    again = fit_imputers("multiple", hidden, n_imputations=2, seed=7)
    other = fit_imputers("multiple", hidden, n_imputations=2, seed=8)
    for (a, filled_a), (b, filled_b), (_, filled_c) in zip(first, again, other, strict=True):
        assert pack_arrays(a.arrays()) == pack_arrays(b.arrays())
        np.testing.assert_array_equal(filled_a, filled_b)
        assert not np.array_equal(filled_a, filled_c)
    for kind in ("none", "simple", "iterative"):
        [(imputer, _)] = fit_imputers(kind, hidden)
        stored = Imputer.load(imputer.kind, unpack_arrays(pack_arrays(imputer.arrays())))
        np.testing.assert_array_equal(stored.transform(hidden), imputer.transform(hidden))


@pytest.mark.slow
def test_rubin_intervals_cover_the_mean() -> None:
    """Pooled 95 % intervals of a mean, values missing at random, cover it 95 % of the time (Rubin 1987)."""
    from scipy.stats import t

    rng = np.random.default_rng(11)
    covered, trials, m, n = 0, 300, 10, 150
    for trial in range(trials):
        x = rng.normal(size=n)
        y = 2.0 + x + rng.normal(size=n)
        data = np.column_stack([x, np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * x)), np.nan, y)])
        ys = [z[:, 1] for _, z in fit_imputers("multiple", data, n_imputations=m, seed=trial)]
        within = np.mean([v.var(ddof=1) / n for v in ys])
        between = np.var([v.mean() for v in ys], ddof=1)
        total = within + (1 + 1 / m) * between
        freedom = (m - 1) * (1 + within / ((1 + 1 / m) * between)) ** 2
        half = t.ppf(0.975, freedom) * np.sqrt(total)
        covered += abs(np.mean([v.mean() for v in ys]) - 2.0) < half
    assert covered / trials == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize("kind", ["iterative", "multiple"])
def test_a_feature_that_is_almost_never_known_stays_at_its_mean(kind: str) -> None:
    """Its equation would rest on a handful of rows, and run away from them."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(600, 4))
    X[:, 3] += X[:, 0]
    X[rng.random(600) < 0.97, 3] = np.nan
    assert 5 < np.isfinite(X[:, 3]).sum() < 30
    gaps = np.isnan(X[:, 3])
    for imputer, completed in fit_imputers(kind, X, n_imputations=2, seed=0):
        assert completed[gaps, 3] == pytest.approx(np.nanmean(X[:, 3]))
        assert imputer.transform(X)[gaps, 3] == pytest.approx(np.nanmean(X[:, 3]))


def test_a_wide_table_is_completed_from_the_features_that_tell_most() -> None:
    """400 features in 40 families: a gap is filled from its family, and in seconds."""
    rng = np.random.default_rng(2)
    families = rng.normal(size=(500, 40))
    X = np.repeat(families, 10, axis=1) + 0.3 * rng.normal(size=(500, 400))
    gaps = rng.random(X.shape) < 0.1
    holed = np.where(gaps, np.nan, X)
    ((imputer, completed),) = fit_imputers("iterative", holed, seed=0)
    assert np.corrcoef(completed[gaps], X[gaps])[0, 1] > 0.9
    again = imputer.transform(holed)
    assert np.corrcoef(again[gaps], X[gaps])[0, 1] > 0.9
