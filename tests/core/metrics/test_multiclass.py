"""Multi-class metrics against scikit-learn, weighted rows included."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from iatros.core.metrics.multiclass import MulticlassMetrics

N = 180


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    p = rng.dirichlet([4, 2, 1], size=N)
    y = np.array([rng.choice(3, p=row) for row in p])
    weights = rng.multinomial(N, np.full(N, 1 / N), size=2).astype(float)
    return y, p, np.vstack([np.ones(N), weights])


def test_equal_scikit_learn_with_and_without_weights(sample) -> None:
    y, p, weights = sample
    got = MulticlassMetrics(y, p)(weights)
    said, one_hot = p.argmax(axis=1), np.eye(3)[y]
    for row, w in enumerate(weights):
        expected = {
            "auroc": sk.roc_auc_score(y, p, multi_class="ovr", average="macro", sample_weight=w),
            "auprc": sk.average_precision_score(one_hot, p, average="macro", sample_weight=w),
            "log_loss": sk.log_loss(y, p, sample_weight=w),
            "brier": np.average(((p - one_hot) ** 2).sum(axis=1), weights=w),
            "accuracy": sk.accuracy_score(y, said, sample_weight=w),
            "balanced_accuracy": sk.balanced_accuracy_score(y, said, sample_weight=w),
            "f1": sk.f1_score(y, said, average="macro", sample_weight=w),
        }
        for name, value in expected.items():
            assert got[name][row] == pytest.approx(value, abs=1e-9), name


def test_brier_is_scikit_learns(sample) -> None:
    y, p, weights = sample
    expected = sk.brier_score_loss(y, p, labels=[0, 1, 2], scale_by_half=False)
    assert MulticlassMetrics(y, p)(weights[:1])["brier"][0] == pytest.approx(expected)


def test_a_class_that_does_not_occur_is_left_out_of_the_means(sample) -> None:
    _, p, weights = sample
    y = np.arange(N) % 2
    got = MulticlassMetrics(y, p)(weights[:1])
    areas = [sk.roc_auc_score(y == k, p[:, k]) for k in (0, 1)]
    assert got["auroc"][0] == pytest.approx(np.mean(areas))
    assert got["f1"][0] == pytest.approx(sk.f1_score(y, p.argmax(axis=1), average="macro", zero_division=0))


def test_ece_of_the_highest_probability_by_hand() -> None:
    p = np.tile([[0.6, 0.3, 0.1]], (10, 1))
    y = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert MulticlassMetrics(y, p)(np.ones((1, 10)))["ece"][0] == pytest.approx(0.2)
