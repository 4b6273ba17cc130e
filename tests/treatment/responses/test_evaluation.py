"""Metrics of responses against those of scipy and scikit-learn, and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import ndcg_score

from iatros.treatment.responses.evaluation import (
    Judged,
    ResponseMetrics,
    difference,
    evaluate,
    observed_lists,
)
from iatros.treatment.responses.ranking import Lists, by_subject
from iatros.treatment.responses.schema import Responses


def _judged(seed: int = 0, subjects: int = 40, treatments: int = 12, effect: float = 2.0) -> Judged:
    rng = np.random.default_rng(seed)
    who, what = np.nonzero(rng.random((subjects, treatments)) < 0.7)
    means = rng.normal(0, effect, treatments)
    personal = rng.normal(size=len(who))
    y = means[what] + personal + 0.5 * rng.normal(size=len(who))
    p = means[what] + 0.6 * personal
    return Judged(who, what, y, p, means[what], np.zeros(len(who), dtype=np.int64))


def test_within_treatment_is_the_mean_of_scipys_correlations() -> None:
    judged = _judged()
    expected = [
        pearsonr(judged.y[judged.treatment == t], judged.prediction[judged.treatment == t])[0]
        for t in np.unique(judged.treatment)
    ]
    ranks = [
        spearmanr(judged.y[judged.treatment == t], judged.prediction[judged.treatment == t])[0]
        for t in np.unique(judged.treatment)
    ]
    found = ResponseMetrics.of(judged, "continuous")(np.ones((1, len(judged))))
    assert found["within_treatment"][0] == pytest.approx(np.mean(expected), abs=1e-12)
    assert found["spearman_within_treatment"][0] == pytest.approx(np.mean(ranks), abs=1e-12)


def test_within_subject_is_the_mean_of_scipys_correlations() -> None:
    judged = _judged(3)
    rows = [np.flatnonzero(judged.subject == s) for s in np.unique(judged.subject)]
    expected = [pearsonr(judged.y[r], judged.prediction[r])[0] for r in rows if len(r) >= 5]
    found = ResponseMetrics.of(judged, "continuous")(np.ones((1, len(judged))))
    assert found["within_subject"][0] == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_normalised_correlation_is_of_what_the_means_leave() -> None:
    judged = _judged(1)
    expected = pearsonr(judged.y - judged.base, judged.prediction - judged.base)[0]
    found = ResponseMetrics.of(judged, "continuous")(np.ones((1, len(judged))))
    assert found["normalised_pearson"][0] == pytest.approx(expected, abs=1e-12)


def test_means_alone_score_high_over_all_pairs_and_nothing_within() -> None:
    judged = _judged(effect=5.0)
    means = Judged(judged.subject, judged.treatment, judged.y, judged.base, judged.base, judged.fold)
    found = ResponseMetrics.of(means, "continuous")(np.ones((1, len(judged))))
    assert found["pearson"][0] > 0.9
    assert found["within_treatment"][0] == 0.0
    assert found["normalised_pearson"][0] == 0.0


def test_a_treatment_with_few_judged_pairs_has_no_correlation_of_its_own() -> None:
    who, what = np.arange(8), np.array([0, 0, 0, 0, 0, 1, 1, 1])
    y, p = np.array([1.0, 2, 3, 4, 5, 9, 8, 7]), np.array([1.0, 2, 3, 4, 5, 1, 2, 3])
    judged = Judged(who, what, y, p, np.zeros(8), np.zeros(8, dtype=np.int64))
    found = ResponseMetrics.of(judged, "continuous")(np.ones((1, 8)))
    assert found["within_treatment"][0] == pytest.approx(1.0)


def test_ndcg_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    gain, score = rng.random((6, 9)), rng.random((6, 9))
    who, what = np.repeat(np.arange(6), 9), np.tile(np.arange(9), 6)
    own = by_subject(Lists(who, what, score.ravel(), gain.ravel(), 4, 9))
    assert own.ndcg.mean() == pytest.approx(ndcg_score(gain, score, k=4), abs=1e-12)


def test_recall_by_hand() -> None:
    # subject 0: relevant 1 and 3, of which 3 stands among the first two; subject 1: nothing relevant
    who, what = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 0, 1])
    score, gain = np.array([0.9, 0.1, 0.2, 0.8, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    own = by_subject(Lists(who, what, score, gain, 2, 4))
    assert own.recall[0] == 0.5
    assert np.isnan(own.recall[1])
    assert set(own.shown) == {0, 1, 3}


def test_lower_is_better_turns_the_lists_around() -> None:
    judged = _judged(4)
    responses = Responses(
        tuple(f"s{k}" for k in range(40)),
        tuple(f"t{k}" for k in range(12)),
        judged.subject,
        judged.treatment,
        judged.y,
    )
    up = by_subject(observed_lists(responses, judged, "higher", 3)).ndcg
    turned = Judged(judged.subject, judged.treatment, -judged.y, -judged.prediction, judged.base, judged.fold)
    down = by_subject(observed_lists(responses, turned, "lower", 3)).ndcg
    assert np.allclose(up, down)


def test_every_metric_has_an_interval_around_it() -> None:
    judged = _judged(5)
    responses = Responses(
        tuple(f"s{k}" for k in range(40)),
        tuple(f"t{k}" for k in range(12)),
        judged.subject,
        judged.treatment,
        judged.y,
    )
    lists = observed_lists(responses, judged, "higher", 3)
    found = evaluate(judged, "continuous", lists, n_bootstrap=50, confidence_level=0.95, seed=0)
    for name, metric in found.items():
        if name != "list_coverage":
            assert metric.low <= metric.value <= metric.high, name


def test_a_better_model_differs_from_the_means_beyond_chance() -> None:
    judged = _judged(6)
    means = Judged(judged.subject, judged.treatment, judged.y, judged.base, judged.base, judged.fold)
    found = difference(judged, means, "continuous", n_bootstrap=100, confidence_level=0.95, seed=0)
    assert found["rmse"]["high"] < 0.0
    assert found["within_treatment"]["low"] > 0.0
