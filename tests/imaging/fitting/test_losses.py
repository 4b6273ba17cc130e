"""Losses against hand calculations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from iatros.imaging.fitting.losses import class_weights, row_loss, targets_tensor
from iatros.imaging.heads import grade_probabilities

NAN = math.nan


def test_class_weights_are_one_on_average_and_bounded() -> None:
    y = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(class_weights(y, 2), [4 / 6, 2.0])
    assert class_weights(y, 2)[y].mean() == pytest.approx(1.0)
    np.testing.assert_allclose(class_weights(y, 3), [4 / 6, 2.0, 0.0])
    assert class_weights(np.array([0] * 999 + [1]), 2)[1] == 20.0


def test_cross_entropy_with_weights_and_smoothing() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, math.log(3.0)]])
    labels = targets_tensor("cross-entropy", np.array([1, 0]))
    plain = row_loss("cross-entropy", np.array([0, 1]), 2, class_balanced=False, smoothing=0.0)
    np.testing.assert_allclose(plain(logits, labels), [-math.log(0.75), -math.log(0.25)], rtol=1e-5)
    balanced = row_loss("cross-entropy", np.array([0, 0, 0, 1]), 2, class_balanced=True, smoothing=0.2)
    smooth = [-0.9 * math.log(0.75) - 0.1 * math.log(0.25), -0.9 * math.log(0.25) - 0.1 * math.log(0.75)]
    np.testing.assert_allclose(balanced(logits, labels), [2 * smooth[0], 4 / 6 * smooth[1]], rtol=1e-5)


def test_unknown_labels_count_for_nothing() -> None:
    y = np.array([[1.0, NAN, 0.0], [NAN, NAN, NAN], [0.0, 1.0, 1.0]])
    loss = row_loss("binary-cross-entropy", y, 3, class_balanced=False, smoothing=0.0)
    logits = torch.tensor([[0.0, 50.0, math.log(4.0)], [9.0, 9.0, 9.0], [0.0, 0.0, 0.0]], requires_grad=True)
    rows = loss(logits, targets_tensor("binary-cross-entropy", y))
    np.testing.assert_allclose(rows.detach(), [(math.log(2) + math.log(5)) / 2, 0.0, math.log(2)], rtol=1e-5)
    rows.sum().backward()
    assert logits.grad is not None
    assert (logits.grad[1] == 0).all()
    assert logits.grad[0, 1] == 0
    assert torch.isfinite(logits.grad).all()


def test_a_rare_label_weighs_more_where_it_is_present() -> None:
    y = np.array([[1.0], [0.0], [0.0], [0.0], [NAN]])
    loss = row_loss("binary-cross-entropy", y, 1, class_balanced=True, smoothing=0.0)
    rows = loss(torch.zeros(5, 1), targets_tensor("binary-cross-entropy", y))
    np.testing.assert_allclose(rows / math.log(2), [2.0, 4 / 6, 4 / 6, 4 / 6, 0.0], rtol=1e-5)


def test_ordinal_logits_are_the_log_odds_of_lying_above_a_grade() -> None:
    y = np.array([0, 1, 3, 3])
    loss = row_loss("ordinal", y, 3, class_balanced=False, smoothing=0.0)
    labels = targets_tensor("ordinal", y)
    np.testing.assert_allclose(loss(torch.zeros(4, 3), labels), [3 * math.log(2)] * 4, rtol=1e-5)
    logits = torch.zeros(4, 3, requires_grad=True)
    optimiser = torch.optim.SGD([logits], lr=5.0)
    for _ in range(50):
        optimiser.zero_grad()
        loss(logits, labels).sum().backward()
        optimiser.step()
    probability = grade_probabilities(logits.detach().numpy())
    assert probability.argmax(axis=1).tolist() == y.tolist()
    assert probability.max(axis=1).min() > 0.95


def test_squared_error_is_that() -> None:
    loss = row_loss("squared-error", np.array([1.0]), 1, class_balanced=True, smoothing=0.3)
    np.testing.assert_allclose(loss(torch.tensor([[1.5], [4.0]]), torch.tensor([1.0, 1.0])), [0.25, 9.0])
