"""What `evaluate` adds to the values: intervals, their methods, counts, and refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from iatros.core.errors import FitError, InputError
from iatros.core.intervals import delong
from iatros.core.metrics import Metric, evaluate, loss, point_metrics
from iatros.core.metrics.evaluate import metric_names
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
CLASSES = Target("grade", "multiclass", ("a", "b", "c"))
DOSE = Target("dose", "continuous", unit="mg")


def _binary(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, size=n)
    return (rng.random(n) < p).astype(int), p


def test_every_metric_of_each_task_has_an_ordered_interval_and_counts() -> None:
    y, p = _binary()
    rng = np.random.default_rng(1)
    classes = rng.dirichlet([3, 2, 1], size=240)
    labels = np.array([rng.choice(3, p=row) for row in classes])
    dose = rng.gamma(4, 5, size=240)
    for target, truth, prediction in (
        (BINARY, y, p),
        (CLASSES, labels, classes),
        (DOSE, dose, dose + rng.normal(0, 2, 240)),
    ):
        metrics = evaluate(target, truth, prediction, n_bootstrap=100)
        assert tuple(metrics) == metric_names(target)
        for name, metric in metrics.items():
            assert metric.low <= metric.value <= metric.high, name
            assert metric.n_events == (int(y.sum()) if target is BINARY else None)
            assert metric.interval


def test_auroc_is_delongs_and_proportions_are_wilsons() -> None:
    y, p = _binary()
    metrics = evaluate(BINARY, y, p, threshold=0.3, n_bootstrap=10)
    assert (metrics["auroc"].value, metrics["auroc"].low, metrics["auroc"].high) == delong(y, p)
    assert metrics["auroc"].interval == "DeLong"
    hits = int(((p >= 0.3) & (y == 1)).sum())
    low, high = proportion_confint(hits, int(y.sum()), method="wilson")
    sensitivity = metrics["sensitivity"]
    assert (sensitivity.low, sensitivity.high) == pytest.approx((low, high))
    assert sensitivity.n == y.sum()
    assert sensitivity.interval == "Wilson"


def test_repeated_patients_widen_intervals_and_name_the_bootstrap() -> None:
    y, p = _binary(120)
    index = np.repeat(np.arange(120), 5)
    alone = evaluate(BINARY, y, p, seed=4)
    repeated = evaluate(BINARY, y[index], p[index], groups=index, seed=4)
    pretended = evaluate(BINARY, y[index], p[index], seed=4)
    for name in ("auroc", "brier", "calibration_slope", "accuracy", "specificity"):
        width = {k: m[name].high - m[name].low for k, m in (("a", alone), ("r", repeated), ("p", pretended))}
        assert width["r"] == pytest.approx(width["a"], rel=0.25), name
        assert width["p"] < 0.6 * width["r"], name
    assert repeated["auroc"].interval == "bootstrap over 120 patients"


def test_same_seed_same_answer_and_order_of_rows_does_not_matter_to_values() -> None:
    y, p = _binary()
    assert evaluate(BINARY, y, p, seed=3, n_bootstrap=50) == evaluate(BINARY, y, p, seed=3, n_bootstrap=50)
    back = evaluate(BINARY, y[::-1], p[::-1], seed=3, n_bootstrap=50)
    for name, metric in evaluate(BINARY, y, p, seed=3, n_bootstrap=50).items():
        assert back[name].value == pytest.approx(metric.value, abs=1e-9), name


def test_confidence_level_and_threshold_matter() -> None:
    y, p = _binary()
    narrow = evaluate(BINARY, y, p, confidence_level=0.5, n_bootstrap=100)
    wide = evaluate(BINARY, y, p, confidence_level=0.99, n_bootstrap=100)
    for name in ("auroc", "brier", "accuracy", "calibration_slope"):
        assert narrow[name].high - narrow[name].low < wide[name].high - wide[name].low, name
    assert evaluate(BINARY, y, p, threshold=0.1)["sensitivity"].value > narrow["sensitivity"].value


def test_one_class_says_so_and_still_gives_the_rest() -> None:
    metrics = evaluate(BINARY, np.zeros(30, dtype=int), np.linspace(0.01, 0.4, 30), n_bootstrap=20)
    assert metrics["auroc"].interval == "not defined: one class"
    assert metrics["auroc"].document()["value"] is None
    assert metrics["brier"].high > metrics["brier"].low
    assert metrics["sensitivity"].interval == "not defined: no rows"


def test_perfect_separation_keeps_an_honest_interval() -> None:
    y = np.r_[np.zeros(12), np.ones(8)].astype(int)
    p = np.linspace(0.05, 0.95, 20)
    metric = evaluate(BINARY, y, p, n_bootstrap=50)["auroc"]
    assert (metric.value, metric.high) == (1.0, 1.0)
    assert 0.6 < metric.low < 0.95
    grouped = evaluate(
        BINARY, np.repeat(y, 3), np.repeat(p, 3), groups=np.repeat(np.arange(20), 3), n_bootstrap=50
    )
    assert grouped["auroc"].low == pytest.approx(metric.low)


def test_one_patient_has_no_bootstrap_interval() -> None:
    y, p = _binary(20)
    metric = evaluate(BINARY, y, p, groups=np.zeros(20), n_bootstrap=20)["brier"]
    assert np.isnan(metric.low)
    assert metric.interval == "not defined: one patient"


def test_a_single_row_is_answered() -> None:
    metrics = evaluate(BINARY, np.array([1]), np.array([0.7]), n_bootstrap=10)
    assert metrics["brier"].value == pytest.approx(0.09)
    assert metrics["auroc"].document()["value"] is None
    assert evaluate(DOSE, np.array([3.0]), np.array([2.0]), n_bootstrap=10)["mae"].value == 1.0


def test_string_groups_equal_integer_groups() -> None:
    y, p = _binary(60)
    codes = np.repeat(np.arange(20), 3)
    names = np.array([f"p{code:02d}" for code in codes])
    assert evaluate(BINARY, y, p, groups=codes, n_bootstrap=30) == evaluate(
        BINARY, y, p, groups=names, n_bootstrap=30
    )


def test_point_metrics_are_the_values() -> None:
    y, p = _binary()
    metrics = evaluate(BINARY, y, p, n_bootstrap=5)
    for name, value in point_metrics(BINARY, y, p).items():
        assert metrics[name].value == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize(
    ("y", "p", "error", "words"),
    [
        ([], [], InputError, "no rows"),
        ([0, 1], [0.1, float("nan")], FitError, "1 predictions are not finite"),
        ([0, 1], [0.1, 1.2], FitError, "outside 0 to 1"),
        ([0, 2], [0.1, 0.2], InputError, "class indices from 0 to 1"),
        ([0, 1, 1], [0.1, 0.2], InputError, "shape"),
    ],
)
def test_bad_input_is_refused(y: list, p: list, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(BINARY, np.array(y), np.array(p))


def test_groups_of_the_wrong_length_are_refused() -> None:
    y, p = _binary(10)
    with pytest.raises(InputError, match="one entry per row"):
        evaluate(BINARY, y, p, groups=np.arange(9))


def test_twenty_thousand_patients_and_five_hundred_resamples_are_quick() -> None:
    y, p = _binary(20_000)
    begin = time.process_time()
    evaluate(BINARY, y, p)
    assert (
        time.process_time() - begin < 60
    )  # 1.5 s where nothing else runs: this only catches a change of order


def test_document_has_plain_values() -> None:
    document = Metric(0.5, float("nan"), float("inf"), 3, None, "Wilson").document()
    assert document == {
        "value": 0.5,
        "low": None,
        "high": None,
        "n": 3,
        "n_events": None,
        "interval": "Wilson",
    }


def test_loss_orders_metrics_of_every_direction() -> None:
    assert loss("auroc", 0.9) < loss("auroc", 0.8)
    assert loss("mae", 1.0) < loss("mae", 2.0)
    assert loss("calibration_slope", 1.1) < loss("calibration_slope", 0.7)
    assert loss("auroc", float("nan")) > loss("auroc", 0.0)
