"""Metrics against scikit-learn and by hand; medications that no model knew count as missed."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, ndcg_score

from iatros.treatment.sequences.evaluation import (
    Judged,
    SetMetrics,
    differences,
    evaluate,
    per_visit,
    reliability,
)


def judged(n=60, m=9, seed=0, outside=None, known=None):
    rng = np.random.default_rng(seed)
    probability = rng.random((n, m)) ** 2
    truth = rng.random((n, m)) < probability
    truth[:, 0] |= ~truth.any(axis=1)
    outside = np.zeros(n, dtype=int) if outside is None else outside
    known = np.ones((n, m), dtype=bool) if known is None else known
    return Judged(
        np.arange(n), np.arange(n) // 3, tuple("abcdefghi"[:m]), truth, outside, probability, 0.1 * probability,
        probability >= 0.4, probability >= 0.1, known,
    )  # fmt: skip


def test_sets_and_rankings_are_those_of_scikit_learn():
    one = judged()
    found = {name: metric.value for name, metric in evaluate(one, k=4, n_bootstrap=0).items()}
    assert found["jaccard"] == pytest.approx(jaccard_score(one.truth, one.chosen, average="samples"))
    assert found["f1"] == pytest.approx(f1_score(one.truth, one.chosen, average="samples"))
    each = [average_precision_score(y, p) for y, p in zip(one.truth, one.probability, strict=True)]
    assert found["prauc"] == pytest.approx(np.mean(each))
    assert found["ndcg_at_k"] == pytest.approx(ndcg_score(one.truth, one.probability, k=4))
    assert found["brier"] == pytest.approx(np.mean((one.probability - one.truth) ** 2))


def test_recall_of_the_first_k_by_hand():
    one = judged(n=1, m=4)
    one.truth[:] = [[True, False, True, True]]
    one.probability[:] = [[0.9, 0.8, 0.3, 0.1]]
    assert per_visit(one, 2)["recall_at_k"][0] == pytest.approx(1 / 3)
    assert per_visit(one, 3)["recall_at_k"][0] == pytest.approx(2 / 3)


def test_the_calibration_slope_is_that_of_a_logistic_regression():
    one = judged(n=300)
    logit = np.log(one.probability / (1 - one.probability)).reshape(-1, 1)
    reference = LogisticRegression(C=np.inf, max_iter=1000).fit(logit, one.truth.ravel()).coef_[0, 0]
    assert evaluate(one, n_bootstrap=0)["calibration_slope"].value == pytest.approx(reference, rel=0.02)
    too_extreme = judged(n=300)
    too_extreme.probability[:] = 1 / (1 + np.exp(-2 * logit.reshape(300, 9)))
    assert evaluate(too_extreme, n_bootstrap=0)["calibration_slope"].value == pytest.approx(
        reference / 2, rel=0.03
    )


def test_medications_that_no_model_knew_are_missed():
    plain, lacking = judged(), judged(outside=np.full(60, 2))
    a, b = per_visit(plain, 4), per_visit(lacking, 4)
    size = plain.truth.sum(axis=1)
    np.testing.assert_allclose(b["recall"], a["recall"] * size / (size + 2))
    np.testing.assert_allclose(b["prauc"], a["prauc"] * size / (size + 2))
    assert (b["jaccard"] <= a["jaccard"]).all()


def test_a_medication_unknown_to_the_model_of_a_row_is_neither_ranked_nor_calibrated():
    known = np.ones((60, 9), dtype=bool)
    known[:, 8] = False
    one, two = judged(known=known), judged(known=known)
    two.probability[:, 8] = 0.99
    whole = np.ones((1, 60))
    for name in ("prauc", "brier", "oe_ratio", "calibration_slope", "missed_share"):
        assert SetMetrics(one, k=4)(whole)[name] == SetMetrics(two, k=4)(whole)[name], name


def test_interaction_rates_are_shares_of_all_pairs():
    one = judged(n=2, m=3)
    one.chosen[:] = [[True, True, True], [True, False, False]]
    one.truth[:] = [[True, True, False], [False, True, True]]
    matrix = np.zeros((3, 3), dtype=bool)
    matrix[0, 1] = matrix[1, 0] = True
    found = evaluate(one, interactions=matrix, n_bootstrap=0)
    assert found["interaction_rate"].value == pytest.approx(1 / 3)  # one of three pairs, and none of no pair
    assert found["interaction_rate_prescribed"].value == pytest.approx(1 / 2)


def test_intervals_draw_subjects():
    found = evaluate(judged(n=240), n_bootstrap=200)
    for name, metric in found.items():
        assert metric.low <= metric.value <= metric.high, name
        assert "80 patients" in metric.interval, name
    whole = judged(n=240)
    repeated = Judged(*(np.repeat(getattr(whole, f), 4, axis=0) if f != "medications" else whole.medications
                        for f in Judged.__dataclass_fields__))  # fmt: skip
    wide, same = found["jaccard"], evaluate(repeated, n_bootstrap=200)["jaccard"]
    assert same.high - same.low == pytest.approx(wide.high - wide.low, rel=1e-6)


def test_differences_are_of_the_same_visits():
    one, two = judged(), judged()
    assert differences(one, two, n_bootstrap=20)["jaccard"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    with pytest.raises(ValueError, match="different visits"):
        differences(one, judged(n=57), n_bootstrap=20)


def test_reliability_has_equally_many_in_each_tenth():
    points = reliability(judged(n=200))
    assert len(points) == 10
    assert {point["n"] for point in points} == {180}
    assert all(abs(point["predicted"] - point["observed"]) < 0.15 for point in points)
