"""Metrics of activities: values by hand, means over endpoints, bounds, and intervals that draw groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.metrics.ranking import concordance_index
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay
from iatros.molecules.evaluation import Evaluator, primary, score


def assay(
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    bound: np.ndarray | None = None,
    unit: str | None = None,
) -> Assay:
    """Compounds with these values; classes where all are 0 or 1."""
    y = np.asarray(y, dtype=float).reshape(len(y), -1)
    classes = bool(np.isin(y[~np.isnan(y)], (0, 1)).all())
    targets = tuple(
        Target(f"e{k}", "binary", ("no", "yes")) if classes else Target(f"e{k}", "continuous", unit=unit)
        for k in range(y.shape[1])
    )
    return Assay(
        Compounds(["C"] * len(y)),
        y,
        np.zeros(y.shape, np.int8) if bound is None else bound.astype(np.int8),
        targets,
        np.arange(len(y)) if groups is None else groups,
    )


def overall(given: Assay, prediction: np.ndarray) -> dict:
    """The metrics over all endpoints."""
    evaluator = Evaluator(given, 0.95, 0)
    return evaluator.overall(evaluator.judge(np.asarray(prediction, dtype=float).reshape(given.y.shape)))


def test_metrics_of_numbers_by_hand():
    found = overall(assay([1.0, 2.0, 3.0, 6.0]), [1.0, 3.0, 3.0, 4.0])
    # errors 0, 1, 0, -2: mean of squares 5/4; the values have mean 3 and variance 14/4
    assert found["rmse"].value == pytest.approx(1.25**0.5)
    assert found["mae"].value == pytest.approx(0.75)
    assert found["bias"].value == pytest.approx(-0.25)
    assert found["r2"].value == pytest.approx(1 - 1.25 / 3.5)
    # of six pairs one has equal predictions, which counts half
    assert found["concordance_index"].value == pytest.approx(5.5 / 6)
    assert "relative_rmse" not in found


def test_predicted_values_tell_active_compounds():
    y, predicted = np.array([4.0, 5.0, 6.3, 7.0, 6.0]), np.array([4.4, 6.5, 6.1, 8.0, 5.0])
    evaluator = Evaluator(assay(y), 0.95, 0, active_from=6.3)
    found = evaluator.overall(evaluator.judge(predicted[:, None]))
    # of six pairs of an active and an inactive compound one is in the wrong order
    assert found["auroc"].value == pytest.approx(5 / 6)
    assert found["enrichment_factor"].value == pytest.approx(5 / 2)
    assert "auroc" not in overall(assay(y), predicted)
    none = Evaluator(assay(y), 0.95, 0, active_from=9.0)
    assert none.overall(none.judge(predicted[:, None]))["auroc"].interval == "not defined: no variation"


def test_metrics_of_classes_by_hand():
    found = overall(assay([0, 0, 1, 1, 0]), [0.1, 0.4, 0.35, 0.8, 0.2])
    assert found["auroc"].value == pytest.approx(5 / 6)
    assert found["brier"].value == pytest.approx((0.01 + 0.16 + 0.65**2 + 0.04 + 0.04) / 5)
    # one hundredth of five compounds is one, and it is active: one of one against two of five
    assert found["enrichment_factor"].value == pytest.approx(2.5)
    assert found["enrichment_factor"].low >= 0
    assert found["auroc"].n_events == 2


def test_the_mean_over_endpoints_takes_each_where_it_was_measured():
    nan = np.nan
    y = np.array([[1.0, 10.0], [2.0, nan], [4.0, 30.0], [nan, 50.0], [5.0, 20.0]])
    p = np.array([[1.0, 20.0], [3.0, 0.0], [4.0, 30.0], [9.0, 50.0], [5.0, 20.0]])
    found = overall(assay(y), p)
    first, second = (
        overall(assay(y[[0, 1, 2, 4], :1]), p[[0, 1, 2, 4], :1]),
        overall(assay(y[[0, 2, 3, 4], 1:]), p[[0, 2, 3, 4], 1:]),
    )
    assert found["spearman"].value == pytest.approx((first["spearman"].value + second["spearman"].value) / 2)
    relative = [one["rmse"].value / spread for one, spread in ((first, 10**0.5 / 2), (second, 218.75**0.5))]
    assert found["relative_rmse"].value == pytest.approx(np.mean(relative))
    assert "rmse" not in found
    in_one_unit = overall(assay(y, unit="minus log10 of mol/L"), p)
    assert in_one_unit["rmse"].value == pytest.approx((first["rmse"].value + second["rmse"].value) / 2)


def test_an_endpoint_of_one_class_is_left_out_of_the_mean_and_said():
    y = np.array([[0, 1], [1, 1], [0, 1], [1, np.nan]])
    p = np.array([[0.2, 0.5], [0.7, 0.6], [0.8, 0.1], [0.9, 0.2]])
    given = assay(y)
    evaluator = Evaluator(given, 0.95, 0)
    judged = evaluator.judge(p)
    assert list(evaluator.by_endpoint(judged)) == ["e0"]
    found = evaluator.overall(judged)["auroc"]
    assert found.value == pytest.approx(0.75)
    assert found.interval.endswith("mean of 1 of 2 endpoints")
    assert score(given, p) == pytest.approx(0.75)


def test_nothing_to_judge_is_said_and_not_invented():
    found = overall(assay([1, 1, 1]), [0.2, 0.3, 0.4])
    assert np.isnan(found["auroc"].value)
    assert score(assay([1, 1, 1]), np.full((3, 1), 0.5)) == 0.5


def test_bounds_enter_the_concordance_and_nothing_else():
    y, p = np.array([1.0, 2.0, 3.0, 4.0, 2.5]), np.array([1.5, 1.0, 3.5, 9.0, 0.0])
    bound = np.array([0, 0, 0, 1, -1])
    found = overall(assay(y, bound=bound.reshape(-1, 1)), p)
    exact = overall(assay(y[:3]), p[:3])
    assert found["rmse"].value == pytest.approx(exact["rmse"].value)
    assert found["rmse"].n == 3
    # 4 or more lies above every exact value; at most 2.5 lies for certain below 3 alone
    assert found["concordance_index"].value == pytest.approx(concordance_index(y, p, bound))
    assert found["concordance_index"].value != exact["concordance_index"].value


def test_intervals_draw_groups_so_relatives_widen_them():
    draw = np.random.default_rng(0)
    n_groups, size = 25, 8
    centre = np.repeat(draw.normal(size=n_groups), size)
    y = centre + 0.1 * draw.normal(size=n_groups * size)
    p = 0.5 * centre
    alone = overall(assay(y), p)["rmse"]
    grouped = overall(assay(y, groups=np.repeat(np.arange(n_groups), size)), p)["rmse"]
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    assert grouped.interval == "bootstrap over 25 scaffolds"


def test_the_difference_is_paired():
    draw = np.random.default_rng(1)
    y = draw.normal(size=120)
    noise = draw.normal(size=120)
    given = assay(y)
    evaluator = Evaluator(given, 0.95, 0)
    better, worse = (evaluator.judge((y + k * noise).reshape(-1, 1)) for k in (0.5, 0.6))
    found = evaluator.difference(better, worse)
    assert found.value < 0
    assert found.high < 0, "the same compounds are hard for both, so the difference is known well"
    turned = evaluator.difference(worse, better)
    assert turned.value == pytest.approx(-found.value)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    same = evaluator.difference(better, better)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_primary_metric_goes_by_the_endpoints():
    assert primary(assay([0, 1]).endpoints) == "auroc"
    assert primary(assay([0.5, 1.5]).endpoints) == "rmse"
    assert primary(assay(np.array([[0.5, 1.0], [1.5, 2.0]])).endpoints) == "relative_rmse"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-20, 20))
def test_the_score_does_not_depend_on_the_unit(seed: int, factor: float, shift: float):
    draw = np.random.default_rng(seed)
    y, p = draw.normal(size=(30, 2)), draw.normal(size=(30, 2))
    y[draw.random((30, 2)) < 0.3] = np.nan
    other = y.copy(), p.copy()
    for one in other:
        one[:, 0] = one[:, 0] * factor + shift
    assert score(assay(y), p) == pytest.approx(score(assay(other[0]), other[1]))
    assert score(assay(y), np.nan_to_num(y)) == pytest.approx(0.0, abs=1e-12)
