"""The kinds of outcome that can be learned, and the shapes that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "continuous"]


@dataclass(frozen=True)
class Target:
    """What is predicted. `classes` is empty for a continuous outcome.

    Labels `y` are, by task: binary, 0 / 1 integers of shape (n,); multiclass, class indices of shape
    (n,); continuous, float64 of shape (n,) in the outcome's own unit. Predictions are: binary, the
    probability of `classes[1]`, shape (n,); multiclass, probabilities of shape (n, n_classes);
    continuous, the predicted value, shape (n,).
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    unit: str | None = None
