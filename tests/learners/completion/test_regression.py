from dataclasses import asdict

import numpy as np
import pytest

from iatros.learners.completion.kernels import gaussian
from iatros.learners.completion.regression import History, Mix, Plan, Regressed, Side, Table, fill, smooth


def alike(n, seed):
    return gaussian(*(2 * [np.random.default_rng(seed).normal(size=(n, 2))]), 0.5)


@pytest.fixture
def measured():
    """A table 9 x 6 of two factors, offsets and a mean, of which a fifth is not known."""
    rng = np.random.default_rng(5)
    values = 3.0 + rng.normal(size=(9, 1)) + rng.normal(size=(1, 6))
    values = values + rng.normal(size=(9, 2)) @ rng.normal(size=(2, 6))
    return values, (rng.random((9, 6)) < 0.8).astype(float)


def pairs_plan(**changed):
    mix = Mix(features=0.4, gaussian=0.6, itself=0.1)
    return Plan(**{"rows": mix, "columns": mix, "ridge": 0.3, "n_factors": 3, "penalty": 1.0} | changed)


def test_known_pairs_are_answered_as_the_textbook_answers_them(measured):
    values, known = measured
    kernels = alike(9, 1), alike(6, 2)
    table = Table(fill(values * known, known, pairs_plan(), seed=0), *kernels, pairs_plan())
    found = table.regress(0.3).ask(Side(np.arange(9), kernels[0]), Side(np.arange(6), kernels[1]))
    r, c = np.nonzero(known)
    K = table.of_rows[np.ix_(r, r)] * table.of_columns[np.ix_(c, c)]
    filled = table.filled
    dual = np.zeros((9, 6))
    dual[r, c] = np.linalg.solve(K + 0.3 * np.eye(len(r)), filled.learned[r, c])
    told = filled.row_offsets[:, None] + filled.column_offsets + table.of_rows @ dual @ table.of_columns
    assert found == pytest.approx(filled.mean + filled.scale * told, abs=0.02)


def test_gaps_are_filled_and_measured_cells_stay(measured):
    values, known = measured
    filled = fill(values * known, known, pairs_plan(), seed=0)
    back = filled.mean + filled.scale * (
        filled.row_offsets[:, None] + filled.column_offsets + filled.profiles
    )
    assert back[known > 0] == pytest.approx(values[known > 0])
    left = values - filled.mean - filled.scale * (filled.row_offsets[:, None] + filled.column_offsets)
    gaps = known == 0
    assert ((back - values)[gaps] ** 2).mean() < (left[gaps] ** 2).mean()


def test_where_rows_will_be_new_a_new_row_is_predicted_from_its_features_alone(measured):
    values, known = measured
    plan = pairs_plan(rows=Mix(features=1.0), columns=Mix(itself=1.0), row_offsets=False, whole=True)
    of_rows = alike(9, 1)
    fitted = Table(fill(values * known, known, plan, seed=0), of_rows, None, plan).regress(0.3)
    asked = np.random.default_rng(9).random((2, 9))
    found = fitted.ask(Side(np.array([-1, -1]), asked), Side(np.arange(6)))
    told = asked @ np.linalg.solve(of_rows + 0.3 * np.eye(9), fitted.profiles)
    assert found == pytest.approx(fitted.mean + fitted.scale * (fitted.column_offsets + told))


@pytest.mark.parametrize("rows_new", [True, False])
def test_of_which_nothing_is_known_the_other_side_tells(measured, rows_new):
    values, known = measured
    fitted = Table(fill(values * known, known, pairs_plan(), seed=0), None, None, pairs_plan()).regress(0.3)
    nothing = Side(np.array([-1]))
    if rows_new:
        found = fitted.ask(nothing, Side(np.arange(6)))[0]
        expected = fitted.mean + fitted.scale * fitted.column_offsets
    else:
        found = fitted.ask(Side(np.arange(9)), nothing)[:, 0]
        expected = fitted.mean + fitted.scale * fitted.row_offsets
    assert found == pytest.approx(expected)
    assert fitted.ask(nothing, nothing)[0, 0] == pytest.approx(fitted.mean)


def test_past_responses_of_a_new_row_move_its_answers_towards_them():
    rng = np.random.default_rng(11)
    rows, columns = rng.normal(size=(60, 2)), rng.normal(size=(12, 2))
    values = 5.0 + rows @ columns.T + rng.normal(size=(60, 1))
    known = (rng.random(values.shape) < 0.9).astype(float)
    plan = pairs_plan(n_factors=4)
    fitted = Table(fill(values * known, known, plan, seed=0), None, None, plan).regress(0.3)
    new = np.array([1.5, -1.0])
    truth = 7.0 + columns @ new
    told = np.arange(6)
    history = History(np.array([0, 6]), told, truth[told])
    without = fitted.ask(Side(np.array([-1])), Side(np.arange(12)))[0]
    found = fitted.ask(Side(np.array([-1]), history=history), Side(np.arange(12)))[0]
    assert np.abs(found - truth)[6:].mean() < 0.3 * np.abs(without - truth)[6:].mean()


def test_exposures_of_a_new_row_are_ranked_by_rows_like_it():
    values = np.zeros((10, 8))
    values[:6, :3], values[6:, 4:7] = 1.0, 1.0
    values[0, 2] = 0.0
    mix = Mix(gaussian=0.7, cosine=0.3)
    plan = Plan(mix, mix, exposures=True)
    fitted = Table(smooth(values, None, None, plan), None, None, plan).regress(0.5)
    history = History(np.array([0, 2]), np.array([4, 5]), np.ones(2))
    found = fitted.ask(Side(np.array([-1]), history=history), Side(np.arange(8)))[0]
    assert found[6] > found[[0, 1, 2, 3, 7]].max()
    known = fitted.ask(Side(np.array([0])), Side(np.arange(8)))[0]
    assert known[2] > known[3:].max()


def test_the_same_after_it_was_stored(measured):
    values, known = measured
    kernels = alike(9, 1), alike(6, 2)
    plan = pairs_plan()
    fitted = Table(fill(values * known, known, plan, seed=0), *kernels, plan).regress(0.3)
    again = Regressed.load(Plan.load(asdict(fitted.plan)), fitted.arrays())
    sides = Side(np.arange(9), kernels[0]), Side(np.arange(6), kernels[1])
    assert again.plan == fitted.plan
    assert np.array_equal(again.ask(*sides), fitted.ask(*sides))


def test_a_row_of_zeros_is_learned_as_its_likes_are():
    values = np.zeros((4, 5))
    values[:3, :2] = 1.0
    values[:3, 4] = 1.0
    values[0, 1] = 0.0
    of_rows = np.full((4, 4), 0.8) + 0.2 * np.eye(4)
    filled = smooth(values, of_rows, None, Plan(Mix(), Mix(), exposures=True, smoothing=0.25))
    assert filled.learned[3] == pytest.approx(filled.profiles[3])
    assert filled.profiles[3, 0] > 0.0
    assert filled.learned[0, 1] == pytest.approx(0.25 * filled.profiles[0, 1])
