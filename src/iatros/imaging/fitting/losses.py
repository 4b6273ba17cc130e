"""What training makes small: one loss per image, from logits and labels, with classes weighed alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from iatros.imaging.schema import Objective

RowLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Loss of each image (n,) from logits (n, n_outputs) and labels."""

_MOST_WEIGHT = 20.0


def row_loss(
    objective: Objective, y: np.ndarray, n_outputs: int, *, class_balanced: bool, smoothing: float
) -> RowLoss:
    """The loss of `objective`; `y` are the training labels, from which the weights of the classes follow.

    A balanced class weighs n / (classes x its images), so that the weights are 1 on average over the images;
    none weighs more than 20. `smoothing` moves this share of the truth evenly to all classes.
    """
    if objective == "squared-error":
        return lambda logits, labels: (logits[:, 0] - labels) ** 2
    if objective == "binary-cross-entropy":
        return _labels_loss(_label_weights(y) if class_balanced else None, smoothing)
    n_classes = n_outputs + (objective == "ordinal")
    weights = torch.from_numpy(class_weights(y, n_classes)).float() if class_balanced else None
    if objective == "ordinal":
        return _grades_loss(weights, smoothing)
    return _classes_loss(weights, smoothing)


def class_weights(y: np.ndarray, n_classes: int) -> np.ndarray:
    """n / (classes that occur x images of the class) for each class, at most 20; 0 for a class without images."""
    counts = np.bincount(np.asarray(y, dtype=int), minlength=n_classes).astype(float)
    present = counts > 0
    weights = np.zeros(n_classes)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return np.minimum(weights, _MOST_WEIGHT)


def targets_tensor(objective: Objective, y: np.ndarray) -> torch.Tensor:
    """Labels as the losses take them."""
    if objective in ("cross-entropy", "ordinal"):
        return torch.from_numpy(np.asarray(y, dtype=np.int64))
    return torch.from_numpy(np.asarray(y, dtype=np.float32))


def _classes_loss(weights: torch.Tensor | None, smoothing: float) -> RowLoss:
    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        rows = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        return rows if weights is None else rows * weights[labels]

    return loss


def _grades_loss(weights: torch.Tensor | None, smoothing: float) -> RowLoss:
    """Log-loss of lying above each grade but the last, as `heads.grade_probabilities` reads the logits."""

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(logits.shape[1])
        above = (labels.unsqueeze(1) > steps).to(logits.dtype)
        smooth = above * (1 - smoothing) + smoothing / 2
        rows = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none").sum(dim=1)
        return rows if weights is None else rows * weights[labels]

    return loss


def _labels_loss(weights: torch.Tensor | None, smoothing: float) -> RowLoss:
    """Log-loss of each label, its mean over those that are known of an image, 0 where none is."""

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        known = ~torch.isnan(labels)
        truth = torch.where(known, labels, torch.zeros_like(labels))
        smooth = truth * (1 - smoothing) + smoothing / 2
        each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none") * known
        if weights is not None:
            each = each * torch.where(truth > 0.5, weights[1], weights[0])
        return each.sum(dim=1) / known.sum(dim=1).clamp(min=1)

    return loss


def _label_weights(y: np.ndarray) -> torch.Tensor:
    """Weights (2, labels) of absent and present, among the images where the label is known."""
    columns = [class_weights(column[~np.isnan(column)], 2) for column in np.asarray(y, dtype=float).T]
    return torch.from_numpy(np.stack(columns, axis=1)).float()
