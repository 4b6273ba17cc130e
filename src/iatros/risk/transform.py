"""The scale on which a continuous outcome is learned, and the way back."""

from __future__ import annotations

import numpy as np


def forward(name: str, y: np.ndarray) -> np.ndarray:
    """Outcome to learning scale."""
    return np.sqrt(y) if name == "sqrt" else np.log(y) if name == "log" else y


def backward(name: str, value: np.ndarray) -> np.ndarray:
    """Learning scale to outcome; monotone, so the ends of an interval may be sent through it.

    Below zero a square is folded to zero: a predicted root under zero means the smallest outcome.
    """
    if name == "sqrt":
        return np.square(np.maximum(value, 0.0))
    return np.exp(value) if name == "log" else value
