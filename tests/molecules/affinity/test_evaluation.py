from dataclasses import replace

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.molecules.affinity.evaluation import Judged, censored, difference, evaluate, point_metrics
from iatros.molecules.affinity.schema import Pairs


def judged(pairs, prediction):
    rows = np.arange(len(pairs))
    return Judged(rows, prediction, np.zeros(len(pairs), dtype=np.int64))


def test_point_metrics_by_hand():
    # errors 1, 0, -1, 0; of the six pairs that differ in y, one is tied and five are in order
    found = point_metrics(np.array([5.0, 6.0, 8.0, 9.0]), np.array([6.0, 6.0, 7.0, 9.0]))
    assert found["mse"] == pytest.approx(0.5)
    assert found["rmse"] == pytest.approx(np.sqrt(0.5))
    assert found["mae"] == pytest.approx(0.5)
    assert found["concordance_index"] == pytest.approx(5.5 / 6)


def test_a_heap_on_the_lowest_value_is_censored_and_a_few_are_not(whole):
    heaped = replace(whole, y=np.maximum(whole.y, 5.5))
    assert np.array_equal(censored(heaped), whole.y <= 5.5)
    assert not censored(whole).any()
    bound = np.zeros(len(whole), dtype=np.int8)
    bound[3] = 1
    assert np.flatnonzero(censored(replace(whole, bound=bound))).tolist() == [3]


def test_metrics_without_censored_pairs_are_those_of_the_other_pairs_alone(whole):
    heaped = replace(whole, y=np.maximum(whole.y, 5.5))
    prediction = heaped.y + np.random.default_rng(0).normal(0, 0.3, len(heaped))
    found = evaluate(heaped, judged(heaped, prediction), n_bootstrap=20)
    exact = whole.y > 5.5
    alone = point_metrics(heaped.y[exact], prediction[exact])
    for name, value in alone.items():
        assert found["uncensored"][name].value == pytest.approx(value), name
    assert found["all"]["mse"].n == len(whole)
    assert "uncensored" not in evaluate(whole, judged(whole, prediction), n_bootstrap=20)


def test_intervals_of_few_targets_are_wider_than_those_over_pairs_would_be():
    # the error belongs to the target: 100 drugs tell no more of it than a few
    rng = np.random.default_rng(1)
    drug, target = (axis.ravel() for axis in np.mgrid[:100, :6])
    pairs = Pairs(
        tuple(f"d{k}" for k in range(100)), ("C",) * 100, tuple("abcdef"), ("M",) * 6,
        drug.astype(np.int64), target.astype(np.int64), rng.normal(size=600), np.zeros(600, dtype=np.int8),
    )  # fmt: skip
    size = np.array([0.1, 0.2, 0.4, 0.8, 1.2, 2.0])
    found = evaluate(pairs, judged(pairs, pairs.y + size[target]), n_bootstrap=200)["all"]["mse"]
    spread_of_rows = np.std(size[target] ** 2) / np.sqrt(600)
    assert found.high - found.low > 10 * spread_of_rows


def test_the_difference_of_two_models_is_paired(whole):
    better = whole.y + np.random.default_rng(2).normal(0, 0.2, len(whole))
    worse = better + 0.3
    found = difference(whole, judged(whole, better), judged(whole, worse), n_bootstrap=100)
    expected = np.mean((better - whole.y) ** 2) - np.mean((worse - whole.y) ** 2)
    assert found["mse"]["value"] == pytest.approx(expected)
    assert found["mse"]["high"] < 0
    assert found["concordance_index"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_models_that_judged_other_pairs_are_not_compared(whole):
    one = judged(whole, whole.y)
    with pytest.raises(ValueError, match="different pairs"):
        difference(whole, one, Judged(one.rows[::-1], one.prediction, one.fold))


def test_pairs_taken_keep_their_drugs_and_targets(whole):
    rows = np.array([20, 3, 100])
    taken = whole.take(rows)
    for k, row in enumerate(rows):
        assert taken.smiles[taken.drug[k]] == whole.smiles[whole.drug[row]]
        assert taken.targets[taken.target[k]] == whole.targets[whole.target[row]]
        assert taken.y[k] == whole.y[row]
    assert len(taken.drugs) == len(set(whole.drug[rows]))
    values, known = taken.table()
    assert known.sum() == 3
    assert values[taken.drug[2], taken.target[2]] == whole.y[100]


def test_pairs_that_do_not_fit_together_are_refused(whole):
    with pytest.raises(InputError, match="named twice"):
        replace(whole, drugs=("d1", *whole.drugs[1:]))
    with pytest.raises(InputError, match="not there"):
        replace(whole, drug=whole.drug + 1)
    with pytest.raises(InputError, match="one structure"):
        replace(whole, smiles=whole.smiles[1:])
    with pytest.raises(InputError, match="stands twice"):
        whole.take([0, 0]).table()
