import numpy as np
import pytest

from iatros.core.errors import FitError
from iatros.learners.completion.leaving_out import RowsLeftOut, choose_weights


def kernel(values):
    square = ((values[:, None, :] - values[None, :, :]) ** 2).sum(axis=2)
    return np.exp(-square)


def test_a_row_left_out_in_closed_form_is_the_row_left_out_by_hand():
    rng = np.random.default_rng(1)
    of_rows, values = kernel(rng.normal(size=(7, 2))), rng.normal(size=(7, 3))
    found = RowsLeftOut(of_rows).residual(values, 0.4)
    for row in range(7):
        others = np.flatnonzero(np.arange(7) != row)
        inverse = np.linalg.inv(of_rows[np.ix_(others, others)] + 0.4 * np.eye(6))
        told = of_rows[row, others] @ inverse @ values[others]
        assert found[row] == pytest.approx(values[row] - told, abs=1e-10)


def test_the_dual_coefficients_are_those_of_the_textbook():
    rng = np.random.default_rng(2)
    of_rows, values = kernel(rng.normal(size=(6, 2))), rng.normal(size=(6, 4))
    expected = np.linalg.solve(of_rows + 0.7 * np.eye(6), values)
    assert RowsLeftOut(of_rows).dual(values, 0.7) == pytest.approx(expected, abs=1e-10)


def test_a_kernel_of_noise_loses_its_weight():
    rng = np.random.default_rng(3)
    telling, noise = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    values = np.column_stack([np.sin(telling[:, 0]), telling[:, 1]]) + 0.1 * rng.normal(size=(60, 2))
    weights, found = choose_weights([kernel(noise), kernel(telling)], values)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[1] > 0.85
    assert found.error < RowsLeftOut(kernel(noise)).best(values).error


def test_noise_alone_is_regressed_with_the_largest_ridge():
    rng = np.random.default_rng(4)
    found = RowsLeftOut(kernel(rng.normal(size=(40, 2)))).best(rng.normal(size=(40, 30)), (0.1, 100.0))
    assert found.ridge == 100.0


def test_no_kernel_is_refused():
    with pytest.raises(FitError, match="no kernel"):
        choose_weights([], np.ones((3, 2)))
