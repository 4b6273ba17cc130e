import numpy as np
import pytest

from iatros.core.errors import FitError
from iatros.learners.completion.factorisation import factorise
from iatros.learners.completion.kronecker import solve
from iatros.learners.completion.table import Asked, Settings, complete


def kernel(n, seed):
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(n, n + 2))
    return made @ made.T / n


def dense(drugs, targets, values, known, ridge):
    """The textbook: the kernel of all measured pairs, and its inverse."""
    d, t = np.nonzero(known)
    K = drugs[np.ix_(d, d)] * targets[np.ix_(t, t)]
    answer = np.zeros_like(values)
    answer[d, t] = np.linalg.solve(K + ridge * np.eye(len(d)), values[d, t])
    return answer


def test_a_whole_table_is_solved_as_the_textbook_solves_it():
    values = np.random.default_rng(0).normal(size=(4, 7))
    known = np.ones((4, 7))
    found = solve(kernel(4, 1), kernel(7, 2), values, known, 0.3)
    assert found == pytest.approx(dense(kernel(4, 1), kernel(7, 2), values, known, 0.3), abs=1e-10)


def test_a_table_with_gaps_is_solved_as_the_textbook_solves_it():
    rng = np.random.default_rng(3)
    values, known = rng.normal(size=(5, 8)), (rng.random((5, 8)) < 0.6).astype(float)
    drugs, targets = kernel(5, 4), kernel(8, 5)
    found = solve(drugs, targets, values, known, 0.5)
    expected = dense(drugs, targets, values, known, 0.5)
    assert np.array_equal(found != 0, known > 0)
    assert drugs @ found @ targets == pytest.approx(drugs @ expected @ targets, abs=5e-3)


def test_an_empty_residual_has_no_answer_to_look_for():
    assert not solve(np.eye(2), np.eye(3), np.zeros((2, 3)), np.eye(2, 3), 1.0).any()


def test_a_kernel_with_negative_eigenvalues_is_refused():
    values = np.ones((2, 2)) - 0.5 * np.eye(2)
    with pytest.raises(FitError, match="negative eigenvalues"):
        solve(-5.0 * np.eye(2), np.eye(2), values, np.array([[1.0, 1.0], [1.0, 0.0]]), 0.1)


def test_factors_find_a_table_of_one_factor_in_its_gaps():
    rng = np.random.default_rng(7)
    truth = np.outer(rng.normal(size=20), rng.normal(size=15))
    known = (rng.random(truth.shape) < 0.7).astype(float)
    found = factorise(truth, known, 1, 1e-3, seed=0)
    assert found.rows @ found.columns.T == pytest.approx(truth, abs=0.02)


def test_nothing_of_a_hidden_pair_enters_what_is_said_of_it():
    rng = np.random.default_rng(8)
    values, known = rng.normal(size=(6, 9)), (rng.random((6, 9)) < 0.8).astype(float)
    known[2, 3] = 0.0
    other = values.copy()
    other[2, 3] = 99.0
    drugs, targets = np.eye(6) * 0.5 + 0.5, np.eye(9) * 0.7 + 0.3
    said = [
        complete(one * known, known, drugs, targets, Settings(), seed=0).ask(Asked.known(drugs, targets))
        for one in (values, other)
    ]
    assert np.array_equal(said[0].second, said[1].second)
    assert np.array_equal(said[0].factors, said[1].factors)
