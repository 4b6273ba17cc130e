"""The factorisation: known structure is found, new rows solve their regression, nothing depends on threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.completion import sparse
from iatros.learners.completion.factor_loops import add_given
from iatros.learners.completion.factors import Factorisation, factorise
from iatros.learners.completion.sparse import SparseTable

SHAPE = (120, 70)


def _cells(share: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    known = np.random.default_rng(seed).random(SHAPE) < share
    row, column = np.nonzero(known)
    return row, column


def _truth(seed: int = 3, k: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    offsets = 0.4 * rng.normal(size=(SHAPE[0], 1)) + 0.6 * rng.normal(size=(1, SHAPE[1]))
    return 0.3 + offsets + 0.7 * rng.normal(size=(SHAPE[0], k)) @ rng.normal(size=(k, SHAPE[1]))


def _answers(fitted: Factorisation, rows: np.ndarray | None = None) -> np.ndarray:
    own = (fitted.rows if rows is None else rows).astype(float)
    other = fitted.columns.mean.astype(float)
    return fitted.kind.level + own[:, :1] + other[:, 0] + own[:, 1:] @ other[:, 1:].T


def _fit(y: np.ndarray, share: float = 0.5, **options: object) -> tuple[Factorisation, SparseTable]:
    row, column = _cells(share)
    table = SparseTable.of(row, column, y[row, column], SHAPE)
    return factorise(table, 6, **{"n_sweeps": 40, "seed": 0, **options}), table  # type: ignore[arg-type]


def test_unseen_cells_of_a_table_with_two_factors_are_found() -> None:
    truth = _truth()
    y = truth + np.random.default_rng(4).normal(0.0, 0.3, SHAPE)
    fitted, table = _fit(y)
    unseen = np.ones(SHAPE, bool)
    unseen[table.rows(), table.column] = False
    error = np.sqrt(np.mean((_answers(fitted) - truth)[unseen] ** 2))
    assert error < 0.16  # the noise is 0.3, the offsets alone leave 1.0
    assert fitted.rows.shape[1] - 1 == 2
    assert fitted.kind.noise**-0.5 == pytest.approx(0.3, abs=0.03)


def test_noise_alone_leaves_no_factor() -> None:
    fitted, _ = _fit(np.random.default_rng(5).normal(size=SHAPE))
    assert fitted.rows.shape == (120, 1)
    assert abs(_answers(fitted)).max() < 0.3


def test_log_odds_of_unseen_cells_are_found() -> None:
    truth = 1.5 * _truth(k=1)
    y = (np.random.default_rng(6).random(SHAPE) < 1.0 / (1.0 + np.exp(-truth))).astype(float)
    fitted, table = _fit(y, share=0.7, logistic=True)
    unseen = np.ones(SHAPE, bool)
    unseen[table.rows(), table.column] = False
    assert np.corrcoef(_answers(fitted)[unseen], truth[unseen])[0, 1] > 0.85
    said = 1.0 / (1.0 + np.exp(-_answers(fitted)[unseen]))
    assert said.mean() == pytest.approx(y[unseen].mean(), abs=0.03)


@pytest.mark.parametrize("options", [{}, {"given": True}, {"positive": True}, {"logistic": True}])
def test_the_bytes_do_not_depend_on_threads(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool]
) -> None:
    monkeypatch.setattr(sparse, "_LEAST_PER_THREAD", 100)
    y = np.exp(0.3 * _truth())
    y = (y > 1.0).astype(float) if options.get("logistic") else y
    one, two, three = (_fit(y, n_sweeps=6, threads=threads, **options)[0] for threads in (1, 2, 3))
    for other in (two, three):
        assert one.rows.tobytes() == other.rows.tobytes()
        assert one.columns.mean.tobytes() == other.columns.mean.tobytes()
        assert one.kind == other.kind


def test_a_new_row_solves_the_ridge_regression_of_its_cells() -> None:
    """Solved here by numpy: precision of the cells times (B'B + variances) plus that of the prior."""
    fitted, _ = _fit(_truth() + np.random.default_rng(4).normal(0.0, 0.3, SHAPE))
    columns, y = np.array([3, 8, 9, 40, 51, 66]), np.array([0.5, -1.0, 2.0, 0.1, 0.0, 1.2])
    found = fitted.fold_in(SparseTable.of(np.zeros(6, int), columns, y, (1, SHAPE[1])))
    mean, variance = (part[columns].astype(float) for part in fitted.columns)
    design = np.column_stack([np.ones(6), mean[:, 1:]])
    spread = np.append(0.0, variance[:, 1:].sum(axis=0))
    precision = fitted.prior.precision.astype(float)
    system = fitted.kind.noise * (design.T @ design + np.diag(spread)) + np.diag(precision)
    solved = np.linalg.solve(system, fitted.kind.noise * design.T @ (y - fitted.kind.level - mean[:, 0]))
    np.testing.assert_allclose(found[0], solved, atol=2e-5)


def test_a_new_row_of_zeros_and_ones_solves_its_bounded_likelihood() -> None:
    """Solved here by numpy with all numbers of the row at once, where the library takes one after another."""
    y = (_truth() > 0.3).astype(float)
    fitted, _ = _fit(y, logistic=True)
    columns, y = np.array([1, 2, 30, 31, 55, 60, 69]), np.array([1.0, 0, 1, 1, 0, 1, 1])
    found = fitted.fold_in(SparseTable.of(np.zeros(7, int), columns, y, (1, SHAPE[1])))
    mean, variance = (part[columns].astype(float) for part in fitted.columns)
    design = np.column_stack([np.ones(7), mean[:, 1:]])
    base = fitted.kind.level + mean[:, 0]
    own, own_variance = np.zeros(design.shape[1]), np.zeros(design.shape[1])
    factor_variance = np.column_stack([np.zeros(7), variance[:, 1:]])
    for _ in range(500):
        odds = base + design @ own
        second = own**2 + own_variance
        spread = variance[:, 0] + design**2 @ own_variance + factor_variance @ second
        bound = np.sqrt(odds**2 + spread)
        weight = np.tanh(bound / 2.0) / (2.0 * bound)
        system = design.T @ (weight[:, None] * design) + np.diag(
            weight @ factor_variance + fitted.prior.precision
        )
        own = np.linalg.solve(system, design.T @ (y - 0.5 - weight * base))
        own_variance = 1.0 / np.diag(system)
    np.testing.assert_allclose(found[0], own, atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"given": True}, {"positive": True}, {"logistic": True}])
def test_a_row_learned_from_is_folded_in_where_it_was(options: dict[str, bool]) -> None:
    y = np.exp(0.3 * _truth() + np.random.default_rng(4).normal(0.0, 0.1, SHAPE))
    y = (y > 1.0).astype(float) if options.get("logistic") else y
    fitted, table = _fit(y, n_sweeps=200, **options)
    again = fitted.fold_in(table)
    np.testing.assert_allclose(_answers(fitted, again), _answers(fitted), atol=0.1)


def test_rows_and_columns_without_cells_are_as_believed() -> None:
    row, column = _cells()
    kept = (row != 5) & (column != 7)
    y = _truth()[row, column]
    fitted = factorise(SparseTable.of(row[kept], column[kept], y[kept], SHAPE), 3, n_sweeps=10, seed=1)
    assert not fitted.rows[5].any()
    assert not fitted.columns.mean[7].any()
    new = fitted.fold_in(SparseTable.of(row[:0], column[:0], y[:0], (2, SHAPE[1])))
    assert new.shape == (2, fitted.rows.shape[1])
    assert not new.any()


def test_what_was_given_counts_where_it_tells() -> None:
    """Rows of two kinds, told by the columns that they have cells in; a value is the kind times the column's own."""
    rng = np.random.default_rng(8)
    kind = rng.choice([-1.0, 1.0], SHAPE[0])
    of_column = rng.normal(size=SHAPE[1])
    likely = np.where(np.outer(kind, np.arange(SHAPE[1]) - 34.5) > 0, 0.3, 0.03)
    y = np.outer(kind, of_column) + rng.normal(0.0, 1.0, SHAPE)
    row, column = np.nonzero(rng.random(SHAPE) < likely)
    table = SparseTable.of(row, column, y[row, column], SHAPE)
    errors = []
    for given_too in (False, True):
        fitted = factorise(table, 3, n_sweeps=40, seed=0, given=given_too)
        errors.append(np.sqrt(np.mean((_answers(fitted) - np.outer(kind, of_column)) ** 2)))
    assert errors[1] < 0.5 * errors[0]  # without it nothing is found


def test_what_was_given_is_the_sum_over_the_root_of_the_number() -> None:
    table = SparseTable.of(np.array([0, 0, 0, 0, 2]), np.array([0, 1, 2, 4, 1]), np.ones(5), (3, 5))
    mean = np.arange(10, dtype=np.float32).reshape(5, 2)
    believed = np.ones((3, 2), np.float32)
    add_given(table.start, table.column, mean, believed)
    assert believed.tolist() == [[7.0, 9.0], [0.0, 0.0], [2.0, 3.0]]


def test_factors_of_parts_are_not_negative() -> None:
    rng = np.random.default_rng(9)
    parts = rng.gamma(0.6, 1.0, (SHAPE[0], 2)) @ rng.gamma(0.6, 1.0, (2, SHAPE[1]))
    fitted, table = _fit(parts + 0.1 * rng.normal(size=SHAPE), positive=True, n_sweeps=80)
    unseen = np.ones(SHAPE, bool)
    unseen[table.rows(), table.column] = False
    assert (fitted.rows >= 0).all()
    assert (fitted.columns.mean >= 0).all()
    assert (fitted.fold_in(table) >= 0).all()
    assert np.corrcoef(_answers(fitted)[unseen], parts[unseen])[0, 1] > 0.97


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.booleans())
def test_any_table_gives_finite_factors(seed: int, k: int, positive: bool) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 9, 2)
    row, column = np.nonzero(rng.random((n, m)) < 0.6)
    if not len(row):
        row, column = np.zeros(1, int), np.zeros(1, int)
    y = np.abs(rng.standard_t(2, len(row))) + 0.01
    fitted = factorise(SparseTable.of(row, column, y, (n, m)), k, n_sweeps=8, seed=0, positive=positive)
    assert np.isfinite(_answers(fitted)).all()


def test_what_cannot_be_learned_is_refused() -> None:
    row, column = _cells()
    nothing = SparseTable.of(row[:0], column[:0], row[:0], SHAPE)
    with pytest.raises(InputError, match="without a known cell"):
        factorise(nothing, 3, n_sweeps=2, seed=0)
    table = SparseTable.of(row, column, _truth()[row, column], SHAPE)
    with pytest.raises(InputError, match="not negative"):
        factorise(table, 3, n_sweeps=2, seed=0, positive=True, given=True)
    with pytest.raises(InputError, match="70 were learned"):
        factorise(table, 3, n_sweeps=2, seed=0).fold_in(table.transposed())
