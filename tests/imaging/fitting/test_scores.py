"""The score of an epoch against scikit-learn and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from iatros.core.curves import softmax
from iatros.imaging.fitting.scores import auroc, tuning_score


def test_auroc_with_ties_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    event, score = random.random(70) < 0.2, random.integers(0, 9, 70)
    assert auroc(event, score) == pytest.approx(roc_auc_score(event, score), abs=1e-12)
    assert math.isnan(auroc(np.ones(4, dtype=bool), np.arange(4)))


def test_binary_and_multiclass() -> None:
    random = np.random.default_rng(3)
    logits, y = random.normal(size=(90, 3)), random.choice(3, 90, p=[0.6, 0.3, 0.1])
    expected = roc_auc_score(y, softmax(logits), multi_class="ovr")
    assert tuning_score("cross-entropy", logits, y) == pytest.approx(expected, abs=1e-12)
    two = tuning_score("cross-entropy", logits[:, :2], (y > 0).astype(int))
    assert two == pytest.approx(roc_auc_score(y > 0, logits[:, 1] - logits[:, 0]), abs=1e-12)


def test_labels_that_are_unknown_or_all_alike_are_left_out() -> None:
    y = np.array([[1.0, 1.0, math.nan], [0.0, 1.0, 1.0], [1.0, math.nan, 0.0], [0.0, 1.0, 0.0]])
    logits = np.array([[3.0, 0.0, 9.0], [1.0, 0.0, 2.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 3.0]])
    assert tuning_score("binary-cross-entropy", logits, y) == pytest.approx((0.75 + 0.5) / 2)


def test_ordinal_is_the_mean_over_steps_and_a_quantity_has_none() -> None:
    logits = np.array([[-1.0, -2.0], [0.0, 1.0], [1.0, -1.0], [2.0, 0.0]])
    assert tuning_score("ordinal", logits, np.array([0, 1, 1, 2])) == pytest.approx((1.0 + 2 / 3) / 2)
    assert math.isnan(tuning_score("squared-error", logits[:, :1], np.arange(4.0)))
    assert math.isnan(tuning_score("cross-entropy", logits, np.zeros(4, dtype=int)))
