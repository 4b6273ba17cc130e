"""Gate for an exchanged grey scale: is the image more like the training images, or more like their negatives?

The negative of every training image is known, so a logistic regression tells one from the other. Its inputs change
sign when the grey scale is exchanged (small picture about mid-grey, histogram less its mirror, border less centre),
and it has no intercept: the log-odds of a negative are exactly minus those of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.curves import expit
from iatros.imaging.inputs import resize_plane
from iatros.imaging.quality.finding import Finding

_SIDE = 12
_BINS = 16
_RIDGE = 3.0
_STEPS = 25
_TELLS = 0.98
"""Share of unseen images that must be told from their negatives for the gate to be used at all."""
_SEVERE = 0.999
"""Share of unseen images above which a negative beyond the limit is refused instead of flagged."""
_RARE = 0.002


@dataclass(frozen=True)
class GreyScale:
    """Weights of the log-odds, and how well they tell images from negatives."""

    weights: np.ndarray
    """(f,) for inputs of unit spread."""
    flag: float
    refuse: float
    """Log-odds below which an image is flagged and refused; minus infinity where the gate is not used."""
    told: float
    """Share of unseen images that lie on their own side of their negatives."""
    n: int

    @staticmethod
    def learned(inputs: np.ndarray, held: np.ndarray) -> GreyScale:
        """From `exchanged_inputs` (n, f) of training images; `held` (m, f) are not learned from and set the limits."""
        scale = np.sqrt((inputs**2).mean(axis=0)) + 1e-3
        weights = _logistic(inputs / scale) / scale
        odds = held @ weights
        told = float((odds > 0).mean()) if len(held) else 0.0
        if told < _TELLS:
            return GreyScale(weights, -np.inf, -np.inf, told, len(held))
        flag = min(0.0, float(np.quantile(odds, _RARE)))
        refuse = min(flag, -0.25 * float(np.median(odds))) if told >= _SEVERE else -np.inf
        return GreyScale(weights, flag, refuse, told, len(held))

    def check(self, inputs: np.ndarray) -> list[Finding]:
        """Findings of one image from its `exchanged_inputs` (f,)."""
        odds = float(inputs @ self.weights)
        if odds >= self.flag:
            return []
        severe = odds < self.refuse
        limit = self.refuse if severe else self.flag
        times = f"e^{-odds:.0f}" if odds < -10 else f"{np.exp(-odds):.0f}"
        said = (
            f"black and white seem exchanged: the negative is {times} times as likely among training images"
        )
        return [Finding("inverted", "refuse" if severe else "flag", said, odds, limit)]

    def document(self) -> dict[str, Any]:
        """Plain values; a limit that is not used is None."""
        used = [None if np.isinf(limit) else limit for limit in (self.flag, self.refuse)]
        return {"flag": used[0], "refuse": used[1], "told_from_negatives": self.told, "n": self.n}

    @staticmethod
    def load(document: dict[str, Any], weights: np.ndarray) -> GreyScale:
        """The reverse of `document`."""
        flag, refuse = (
            -np.inf if document[name] is None else float(document[name]) for name in ("flag", "refuse")
        )
        return GreyScale(weights, flag, refuse, float(document["told_from_negatives"]), int(document["n"]))


def exchanged_inputs(planes: np.ndarray) -> np.ndarray:
    """Numbers (f,) of grey planes (k, rows, columns; 0 to 1) that change sign when black and white are exchanged."""
    small = resize_plane(planes, _SIDE, _SIDE).mean(axis=0) - np.float32(0.5)
    histogram = np.histogram(planes, bins=_BINS, range=(0.0, 1.0))[0] / planes.size
    uneven = (histogram - histogram[::-1])[: _BINS // 2]
    centre = small[_SIDE // 4 : -_SIDE // 4, _SIDE // 4 : -_SIDE // 4].mean()
    edge = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]]).mean()
    return np.concatenate([small.ravel(), uneven, [edge - centre]]).astype(np.float64)


def _logistic(inputs: np.ndarray) -> np.ndarray:
    """Ridge logistic regression of "all are positive", without intercept, by Newton's steps."""
    weights = np.zeros(inputs.shape[1])
    penalty = _RIDGE * np.eye(inputs.shape[1])
    for _ in range(_STEPS):
        away = expit(-(inputs @ weights))
        gradient = inputs.T @ away - _RIDGE * weights
        curvature = (inputs * (away * (1.0 - away))[:, None]).T @ inputs + penalty
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights
