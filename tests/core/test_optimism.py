"""Optimism by hand, and against models whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from iatros.core.errors import InputError
from iatros.core.optimism import harrell, no_information, point_632_plus
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
DOSE = Target("dose", "continuous", unit="mg")


def test_harrell_by_hand() -> None:
    answer = harrell(
        {"auroc": 0.80, "brier": 0.20},
        [{"auroc": 0.84, "brier": 0.18}, {"auroc": 0.80, "brier": 0.19}, {"auroc": 0.82, "brier": 0.17}],
        [{"auroc": 0.79, "brier": 0.21}, {"auroc": 0.78, "brier": 0.20}, {"auroc": 0.77, "brier": 0.22}],
    )
    assert answer["auroc"]["optimism"] == pytest.approx(0.04)
    assert answer["auroc"]["corrected"] == pytest.approx(0.76)
    assert answer["brier"]["corrected"] == pytest.approx(0.23)
    assert answer["auroc"]["low"] < 0.76 < answer["auroc"]["high"]


def test_harrell_leaves_out_resamples_without_a_value() -> None:
    nan = float("nan")
    answer = harrell(
        {"auroc": 0.8}, [{"auroc": nan}, {"auroc": 0.9}, {}], [{"auroc": 0.7}, {"auroc": 0.8}, {}]
    )
    assert answer["auroc"]["n_resamples"] == 1
    assert answer["auroc"]["corrected"] == pytest.approx(0.7)
    assert answer["auroc"]["low"] is None
    assert harrell({"auroc": nan}, [{"auroc": nan}], [{"auroc": nan}])["auroc"]["corrected"] is None


def test_harrell_needs_pairs() -> None:
    with pytest.raises(InputError, match="one pair"):
        harrell({"auroc": 0.8}, [{"auroc": 0.8}], [])


def test_harrell_corrects_a_logistic_regression_to_what_new_patients_show() -> None:
    rng = np.random.default_rng(0)
    corrected, apparent, truth = [], [], []
    for _ in range(8):

        def draw(n: int, rng: np.random.Generator = rng) -> tuple[np.ndarray, np.ndarray]:
            x = rng.normal(size=(n, 10))
            return x, (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(int)

        x, y = draw(100)
        new_x, new_y = draw(2000)

        def score(rows: np.ndarray, on_x: np.ndarray, on_y: np.ndarray, x=x, y=y) -> dict[str, float]:
            model = LogisticRegression(C=1e6).fit(x[rows], y[rows])
            return {"auroc": float(roc_auc_score(on_y, model.decision_function(on_x)))}

        everyone = np.arange(100)
        own, other = [], []
        for _ in range(25):
            rows = rng.integers(100, size=100)
            own.append(score(rows, x[rows], y[rows]))
            other.append(score(rows, x, y))
        answer = harrell(score(everyone, x, y), own, other)
        apparent.append(answer["auroc"]["apparent"])
        corrected.append(answer["auroc"]["corrected"])
        truth.append(score(everyone, new_x, new_y)["auroc"])
    assert np.mean(apparent) - np.mean(truth) > 0.04
    assert np.mean(corrected) == pytest.approx(np.mean(truth), abs=0.03)


def test_632_plus_by_hand() -> None:
    """Efron and Tibshirani 1997: err 0, out of bag 0.5 = no information gives 0.5; no overfitting gives .632."""
    assert point_632_plus(0.0, 0.5, 0.5)["corrected"] == pytest.approx(0.5)
    assert point_632_plus(0.2, 0.2, 0.5)["weight"] == pytest.approx(0.632)
    answer = point_632_plus(0.1, 0.3, 0.5)
    assert answer["relative_overfitting"] == pytest.approx(0.5)
    assert answer["weight"] == pytest.approx(0.632 / (1 - 0.368 * 0.5))
    assert answer["corrected"] == pytest.approx(0.1 + answer["weight"] * 0.2)


def test_632_plus_is_the_same_whichever_way_is_better() -> None:
    error = point_632_plus(0.1, 0.3, 0.5)["corrected"]
    assert point_632_plus(0.9, 0.7, 0.5)["corrected"] == pytest.approx(1 - error)


def test_632_plus_bounds_the_out_of_bag_score() -> None:
    assert point_632_plus(0.9, 0.4, 0.5)["corrected"] == pytest.approx(0.5)
    assert point_632_plus(0.7, 0.75, 0.5)["corrected"] == pytest.approx(0.7)
    assert point_632_plus(0.5, 0.5, 0.5)["corrected"] == pytest.approx(0.5)


def test_632_plus_of_noise_learned_by_heart_is_chance() -> None:
    scores = np.random.default_rng(0).normal(0.5, 0.03, 200)
    answer = point_632_plus(1.0, scores.tolist(), 0.5)
    assert answer["corrected"] == pytest.approx(0.5, abs=0.01)
    assert answer["low"] < 0.5 < answer["high"]


def test_no_information_is_the_mean_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    y, p = (rng.random(60) < 0.3).astype(int), rng.beta(1, 2, 60)
    got = no_information(BINARY, y, p)
    truth, said = np.repeat(y, 60), np.tile(p, 60)
    assert got["brier"] == pytest.approx(brier_score_loss(truth, said))
    assert got["log_loss"] == pytest.approx(log_loss(truth, said))
    assert got["auroc"] == 0.5
    outcome, value = rng.normal(3, 1, 60), rng.normal(2, 2, 60)
    pairs = np.repeat(outcome, 60) - np.tile(value, 60)
    dose = no_information(DOSE, outcome, value)
    assert dose["rmse"] == pytest.approx(np.sqrt(np.mean(pairs**2)))
    assert dose["mae"] == pytest.approx(np.mean(np.abs(pairs)), rel=0.05)
    assert dose["bias"] == pytest.approx(value.mean() - outcome.mean())
