"""The scale on which a dose is learned, and the way back."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from iatros.core.errors import RequestError

Scale = Literal["sqrt", "log", "none"]
"""Doses are skewed to the right: on their square root errors are about alike for all (IWPC 2009)."""


def check_scale(name: str) -> None:
    """RequestError where `name` is no scale."""
    if name not in get_args(Scale):
        raise RequestError(f"scale must be one of {', '.join(get_args(Scale))}, got {name!r}")


def forward(scale: Scale, dose: np.ndarray) -> np.ndarray:
    """Doses, all above zero, on the learning scale."""
    if scale == "none":
        return np.asarray(dose, dtype=float)
    return np.sqrt(dose) if scale == "sqrt" else np.log(dose)


def backward(scale: Scale, value: np.ndarray) -> np.ndarray:
    """Learning scale to doses; monotone, so the ends of an interval may be sent through it. Never below zero."""
    if scale == "log":
        return np.exp(value)
    held = np.maximum(value, 0.0)
    return np.square(held) if scale == "sqrt" else held
